/** Questions about one key: each side says what it holds, and which flush it knows. */
import { describe, expect, it } from 'vitest';
import { SessionToken } from '../../../src/core/commands/session-token.js';
import { recordBytes, TYPE_PUT } from '../../../src/core/record/record.js';
import { isLaterFlush, NEVER_FLUSHED } from '../../../src/core/replication/flush-mark.js';
import {
  encodeKeyRequest,
  encodeVersionResponse,
  readKeyRequest,
  readVersionResponse,
} from '../../../src/core/replication/key-requests.js';
import {
  COVERS_DOTS,
  REQUEST_READ,
  type RequestHead,
  readResponseHead,
  STATUS_NEWER,
  versionOf,
} from '../../../src/core/replication/requests.js';
import { record } from '../record/records.js';

const HEAD: RequestHead = {
  id: 7,
  what: REQUEST_READ,
  protocol: 2,
  readLevel: 'quorum',
  writeLevel: 'one',
  strict: false,
  session: false,
  hops: 0,
  hlc: 5,
  sentMs: 0,
  partition: 3,
};
const VERSION = { hlc: 2 ** 51, actor: 2 ** 47, expiryHlc: 7, expiryActor: 9, crc: 0, merges: false };
const FLUSHED = { flushedHlc: 2 ** 52 + 1, flushedActor: 2 ** 46 + 3 };
const KEY = Buffer.from('some key');

describe('a question about a key', () => {
  it('carries the version held, the flush known and the key, with what a session has seen or without', () => {
    const body = encodeKeyRequest(HEAD, VERSION, FLUSHED, KEY);
    const request = readKeyRequest(body, HEAD);
    expect(request).toMatchObject({ version: VERSION, flushed: FLUSHED, session: null });
    expect(body.subarray(request?.keyStart)).toEqual(KEY);

    const session = new SessionToken();
    session.note(HEAD.partition, 11, 12, 13);
    const head = { ...HEAD, session: true };
    const asked = encodeKeyRequest(head, VERSION, FLUSHED, KEY, session);
    const read = readKeyRequest(asked, head);
    expect(read).toMatchObject({ version: VERSION, flushed: FLUSHED });
    expect(read?.session?.dots).toEqual(session.dots);
    expect(asked.subarray(read?.keyStart)).toEqual(KEY);
  });

  it('is refused when it is cut short, or a version in it is none', () => {
    const head = { ...HEAD, session: true };
    const body = encodeKeyRequest(head, VERSION, FLUSHED, KEY, new SessionToken());
    for (let end = 0; end < body.length - KEY.length; end++) {
      expect(readKeyRequest(body.subarray(0, end), head)).toBeNull();
    }
    for (const at of [40, 80, 88]) {
      const wrong = Buffer.from(body);
      wrong.writeDoubleLE(Number.NaN, at);
      expect(readKeyRequest(wrong, head)).toBeNull();
    }
  });
});

describe('the answer', () => {
  const bytes = record({ hlc: 77, actor: 5 }, 'k', 'value');
  const said = {
    version: versionOf(bytes, 0),
    type: TYPE_PUT,
    floor: 41,
    flushed: FLUSHED,
    covers: COVERS_DOTS,
    isTorn: true,
  } as const;
  const head = { id: 3, status: STATUS_NEWER, hlc: 99 };

  it('says which flush is known there, and brings the record where it is newer', () => {
    const answer = encodeVersionResponse(head, said, bytes, 0);
    expect(readResponseHead(answer)).toEqual(head);
    const read = readVersionResponse(answer);
    expect(read).toMatchObject(said);
    expect(answer.subarray(read?.recordStart)).toEqual(bytes.subarray(0, recordBytes(bytes, 0)));
  });

  it('is refused when it is cut short, or a version in it is none', () => {
    const answer = encodeVersionResponse(head, said, null, 0);
    for (let end = 0; end < answer.length; end++) expect(readVersionResponse(answer.subarray(0, end))).toBeNull();
    for (const at of [16, 64, 72, 80]) {
      const wrong = Buffer.from(answer);
      wrong.writeDoubleLE(Number.NaN, at);
      expect(readVersionResponse(wrong)).toBeNull();
    }
  });
});

it('of two flushes the later by version is the one that may have been missed', () => {
  expect(isLaterFlush(FLUSHED, NEVER_FLUSHED)).toBe(true);
  expect(isLaterFlush(FLUSHED, { ...FLUSHED })).toBe(false);
  expect(isLaterFlush(FLUSHED, { ...FLUSHED, flushedActor: FLUSHED.flushedActor - 1 })).toBe(true);
  expect(isLaterFlush(FLUSHED, { ...FLUSHED, flushedHlc: FLUSHED.flushedHlc + 1 })).toBe(false);
});
