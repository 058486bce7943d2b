import { describe, expect, it } from 'vitest';
import { ActorBook } from '../../../src/core/replication/actor-book.js';

const NEVER = Number.POSITIVE_INFINITY;

describe('the book of actors', () => {
  it('says that an actor has ended when a member started anew, and never of one that is a member', () => {
    const members = new Set([1, 2]);
    const book = new ActorBook((actor) => members.has(actor));
    members.delete(1);
    members.add(3);
    book.noteEnd(1, 100);
    expect([1, 2, 3].map((actor) => book.endHlcOf(actor))).toEqual([100, NEVER, NEVER]);
  });

  it('says it of one it never met only once every member is known, as of then', () => {
    const book = new ActorBook((actor) => actor === 2);
    expect(book.endHlcOf(9)).toBe(NEVER);
    book.noteMembers(true, 50);
    book.noteMembers(true, 60);
    expect([book.endHlcOf(9), book.endHlcOf(2)]).toEqual([50, NEVER]);
    book.noteMembers(false, 70);
    expect(book.endHlcOf(9)).toBe(NEVER);
    book.noteMembers(true, 80);
    expect(book.endHlcOf(9)).toBe(80);
  });

  it('keeps a bounded number of them; one that it let go ended no earlier than it did', () => {
    const book = new ActorBook(() => false);
    book.noteMembers(true, 1);
    for (let actor = 1; actor <= 1100; actor++) book.noteEnd(actor, 1000 + actor);
    expect(book.size).toBe(1024);
    for (let actor = 1; actor <= 1100; actor++) expect(book.endHlcOf(actor)).toBeGreaterThanOrEqual(1000 + actor);
  });
});
