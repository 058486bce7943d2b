import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SessionToken, TOKEN_DOTS_MAX } from '../../../src/core/commands/session-token.js';
import { WriteMark } from '../../../src/core/commands/write-marks.js';
import {
  compareFullVersions,
  encodeForward,
  encodeReplyResponse,
  encodeWait,
  mayAdd,
  NO_VERSION,
  REPLY_OVERHEAD_BYTES_MAX,
  REQUEST_FORWARD,
  type RequestHead,
  readForwardArgs,
  readReplyResponse,
  readRequestHead,
  readWait,
} from '../../../src/core/replication/requests.js';
import { Args } from '../../../src/core/resp/args.js';

const HEAD: RequestHead = {
  id: 0x89abcdef,
  what: REQUEST_FORWARD,
  protocol: 3,
  readLevel: 'quorum',
  writeLevel: 'all',
  strict: true,
  session: false,
  hops: 1,
  hlc: 2 ** 52 + 5,
  sentMs: 1_700_000_000_000,
  partition: 255,
};

describe('a forwarded command', () => {
  it('arrives with its head and every argument, empty and binary ones included', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 8 }), (words) => {
        const body = encodeForward(HEAD, Args.of(...words));
        expect(readRequestHead(body)).toEqual(HEAD);
        const args = readForwardArgs(body);
        expect(args?.count).toBe(words.length);
        for (const [index, word] of words.entries()) expect(args?.copy(index)).toEqual(Buffer.from(word));
      }),
    );
  });

  it('is refused, without a throw, when it is cut short or its lengths lie', () => {
    const body = encodeForward(HEAD, Args.of('SET', 'key', 'value'));
    for (let end = 0; end < body.length; end++) expect(readForwardArgs(body.subarray(0, end))).toBeNull();
    const lying = Buffer.from(body);
    lying.writeUInt32LE(0xffffffff, 44);
    expect(readForwardArgs(lying)).toBeNull();
    const many = Buffer.from(body);
    many.writeUInt32LE(0xffffffff, 40);
    expect(readForwardArgs(many)).toBeNull();
  });

  it('is refused when its clock is none', () => {
    const body = encodeForward(HEAD, Args.of('GET', 'key'));
    body.writeDoubleLE(Number.POSITIVE_INFINITY, 12);
    expect(readRequestHead(body)).toBeNull();
  });

  it('keeps its arguments when the frame it came in is written over', () => {
    const body = encodeForward(HEAD, Args.of('GET', 'key'));
    const args = readForwardArgs(body);
    body.fill(0);
    expect(args?.string(1)).toBe('key');
  });
});

describe('versions', () => {
  const version = { hlc: 2 ** 51, actor: 2 ** 47, expiryHlc: 7, expiryActor: 9, crc: 0, merges: false };

  it('tell that both sides may add where a value merges: neither version need be the newer', () => {
    const older = { ...version, hlc: 5 };
    expect([mayAdd(version, older), mayAdd(older, version), mayAdd(version, version)]).toEqual([true, false, false]);
    const merging = { ...older, crc: 7, merges: true };
    expect([mayAdd(merging, version), mayAdd(version, merging)]).toEqual([true, true]);
    expect([mayAdd(merging, { ...merging, crc: 8 }), mayAdd(merging, { ...merging })]).toEqual([true, false]);
    expect([mayAdd(merging, NO_VERSION), mayAdd(NO_VERSION, merging)]).toEqual([true, false]);
  });

  it('order versions by value first, then by expiry', () => {
    expect(compareFullVersions(NO_VERSION, version)).toBeLessThan(0);
    expect(compareFullVersions({ ...version, expiryHlc: 8 }, version)).toBeGreaterThan(0);
    expect(compareFullVersions({ ...version, hlc: 1, expiryHlc: 8 }, version)).toBeLessThan(0);
    expect(compareFullVersions(version, { ...version })).toBe(0);
  });
});

describe('WAIT and replies', () => {
  const ACTOR = 2 ** 47;
  const wish = { durable: true, local: 1, peers: 2, timeoutMs: 500 };

  it('carry the counts and the partitions that were written into', () => {
    const mark = new WriteMark(ACTOR, 7, 3);
    mark.note(12_345, 200);
    const read = readWait(encodeWait(HEAD, mark, wish), ACTOR, 256);
    expect(read?.wish).toEqual(wish);
    expect(read?.mark).toMatchObject({ coordinator: ACTOR, first: 7, last: 12_345, coversAll: false });
    expect(read?.mark.partitions()).toEqual([3, 200]);
    mark.note(12_346, -1);
    expect(readWait(encodeWait(HEAD, mark, wish), ACTOR, 256)?.mark).toMatchObject({ last: 12_346, coversAll: true });
  });

  it('are refused when they are cut short, or name partitions that there are not', () => {
    const mark = new WriteMark(ACTOR, 7, 3);
    mark.note(8, 200);
    const body = encodeWait(HEAD, mark, wish);
    for (let end = 0; end < body.length; end++) expect(readWait(body.subarray(0, end), ACTOR, 256)).toBeNull();
    expect(readWait(body, ACTOR, 200)).toBeNull();
  });

  it('bring the reply and what it rests on', () => {
    const receipt = {
      met: true,
      owners: 2,
      fallbacks: 1,
      synced: 3,
      hlc: 2 ** 52,
      actor: 5,
      sequence: 6,
      partition: 7,
    };
    const reply = encodeReplyResponse({ id: 1, status: 0, hlc: 2 }, ACTOR, 9, receipt, Buffer.from('+OK\r\n'));
    const read = readReplyResponse(reply);
    expect(read).toMatchObject({ coordinator: ACTOR, writes: 9, receipt });
    expect(reply.toString('latin1', read?.replyStart)).toBe('+OK\r\n');
    expect(read?.session).toBeNull();
    expect(readReplyResponse(Buffer.alloc(10))).toBeNull();
    // It goes into a client's stream: half a reply, or one and a half, would shift every later answer.
    for (const wrong of ['', '+OK', '$5\r\nab\r\n', '+OK\r\n+OK\r\n', '*2\r\n:1\r\n']) {
      const bytes = encodeReplyResponse({ id: 1, status: 0, hlc: 2 }, ACTOR, 9, receipt, Buffer.from(wrong));
      expect(readReplyResponse(bytes), wrong).toBeNull();
    }
  });

  it('bring every write that a session has seen by them, in bounded room', () => {
    const receipt = { met: true, owners: 1, fallbacks: 0, synced: 0, hlc: 9, actor: 5, sequence: 6, partition: 7 };
    const seen = new SessionToken();
    for (let actor = 1; actor <= TOKEN_DOTS_MAX + 1; actor++) seen.note(7, actor, 3, 100 + actor);
    const ok = Buffer.from('+OK\r\n');
    const bytes = encodeReplyResponse({ id: 1, status: 0, hlc: 2 }, ACTOR, 9, receipt, ok, seen);
    expect(bytes.length).toBe(ok.length + REPLY_OVERHEAD_BYTES_MAX);
    const read = readReplyResponse(bytes);
    expect(bytes.toString('latin1', read?.replyStart)).toBe('+OK\r\n');
    const session = new SessionToken();
    if (read?.session) session.noteAll(read.session);
    expect(session).toEqual(seen);
    expect(session.watermark).toBe(101);
    for (let end = 0; end < bytes.length - ok.length; end++)
      expect(readReplyResponse(bytes.subarray(0, end))).toBeNull();
  });
});
