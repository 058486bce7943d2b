import { describe, expect, it } from 'vitest';
import { FormerLife } from '../../../src/core/replication/former-life.js';

describe('what a former life of a peer had', () => {
  it('is no matter before the peer has begun anew, nor for what was written since', () => {
    const life = new FormerLife(4);
    expect(life.concerns(1)).toBe(false);
    life.ended(7, 100);
    expect(life.concerns(7)).toBe(true);
    expect(life.concerns(8)).toBe(false);
  });

  it('is there again when a comparison that began later has shown it, each partition for itself', () => {
    const life = new FormerLife(4);
    life.ended(7, 100);
    life.shown(1, 99);
    expect(life.hasShown(1)).toBe(false);
    life.shown(1, 100);
    expect(life.hasShown(1)).toBe(true);
    expect(life.hasShown(2)).toBe(false);
  });

  it('is on disk again with the batch that the peer names next, and no later one', () => {
    const life = new FormerLife(4);
    life.ended(7, 100);
    life.named(3);
    life.shown(1, 100);
    expect(life.shownInBatch(1)).toBe(Number.POSITIVE_INFINITY);
    life.named(5);
    life.shown(1, 200);
    life.named(9);
    expect(life.shownInBatch(1)).toBe(5);
    expect(life.shownInBatch(2)).toBe(Number.POSITIVE_INFINITY);
  });

  it('is to be shown anew after each restart', () => {
    const life = new FormerLife(4);
    life.ended(7, 100);
    life.shown(1, 100);
    life.ended(8, 200);
    life.named(6);
    expect(life.hasShown(1)).toBe(false);
    expect(life.shownInBatch(1)).toBe(Number.POSITIVE_INFINITY);
    expect(life.concerns(8)).toBe(true);
  });
});
