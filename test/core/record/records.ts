/** Building whole records for tests: fields default to a plain PUT. */

import { EXPIRY_VALUE_BYTES, writeNamedVersion } from '../../../src/core/record/expiry.js';
import {
  extensionBytes,
  RECORD_HEADER_BYTES,
  type RecordFields,
  TYPE_EXPIRY,
  TYPE_PUT,
  writeRecord,
} from '../../../src/core/record/record.js';

export function record(
  fields: Partial<RecordFields>,
  key: string | Uint8Array,
  value: string | Uint8Array = '',
  version: Uint8Array | null = null,
): Buffer {
  const keyBytes = Buffer.from(key as string);
  const valueBytes = Buffer.from(value as string);
  const versionBytes = version?.length ?? 0;
  const fixedBytes = RECORD_HEADER_BYTES + extensionBytes(0xf) + versionBytes;
  const bytes = Buffer.alloc(fixedBytes + keyBytes.length + valueBytes.length);
  const whole: RecordFields = {
    type: TYPE_PUT,
    hlc: 1,
    actor: 1,
    sequence: 1,
    expireAtMs: 0,
    expiryHlc: 0,
    expiryActor: 0,
    ...fields,
  };
  const length = writeRecord(
    bytes,
    0,
    whole,
    keyBytes,
    0,
    keyBytes.length,
    valueBytes,
    0,
    valueBytes.length,
    version,
    versionBytes,
  );
  return bytes.subarray(0, length);
}

/** An EXPIRY record that saw the value version (`seenHlc`, `seenActor`). */
export function expiryRecord(
  fields: Partial<RecordFields>,
  key: string | Uint8Array,
  seenHlc: number,
  seenActor: number,
): Buffer {
  const value = Buffer.alloc(EXPIRY_VALUE_BYTES);
  writeNamedVersion(value, 0, seenHlc, seenActor);
  return record({ ...fields, type: TYPE_EXPIRY }, key, value);
}
