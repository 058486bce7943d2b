// The subset of Buffer that the core may use: a byte type, not I/O. Everything else of Node is absent here, so that
// reaching for it is a compile error. The root tsconfig leaves this file out and uses Node's own types.

type BufferEncodingSubset = 'latin1' | 'utf8' | 'hex' | 'ascii' | 'base64url';

declare class Buffer extends Uint8Array<ArrayBuffer> {
  static alloc(size: number): Buffer;
  static allocUnsafe(size: number): Buffer;
  static allocUnsafeSlow(size: number): Buffer;
  static from(text: string, encoding?: BufferEncodingSubset): Buffer;
  static from(bytes: Uint8Array | readonly number[]): Buffer;
  static from(bytes: ArrayBuffer, byteOffset?: number, length?: number): Buffer;
  static byteLength(text: string, encoding?: BufferEncodingSubset): number;
  static compare(left: Uint8Array, right: Uint8Array): -1 | 0 | 1;
  static concat(list: readonly Uint8Array[], totalLength?: number): Buffer;
  static isBuffer(value: unknown): value is Buffer;
  subarray(start?: number, end?: number): Buffer;
  copy(target: Uint8Array, targetStart?: number, sourceStart?: number, sourceEnd?: number): number;
  compare(target: Uint8Array, targetStart?: number, targetEnd?: number, start?: number, end?: number): -1 | 0 | 1;
  equals(other: Uint8Array): boolean;
  indexOf(value: number | string | Uint8Array, byteOffset?: number): number;
  toString(encoding?: BufferEncodingSubset, start?: number, end?: number): string;
  latin1Slice(start?: number, end?: number): string;
  utf8Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
  utf8Write(text: string, offset?: number, length?: number): number;
  write(text: string, offset?: number, encoding?: BufferEncodingSubset): number;
  readUInt8(offset: number): number;
  readUInt16LE(offset: number): number;
  readUInt32LE(offset: number): number;
  readInt32LE(offset: number): number;
  readUInt32BE(offset: number): number;
  readUIntLE(offset: number, byteLength: number): number;
  readDoubleLE(offset: number): number;
  writeUInt8(value: number, offset: number): number;
  writeUInt16LE(value: number, offset: number): number;
  writeUInt32LE(value: number, offset: number): number;
  writeInt32LE(value: number, offset: number): number;
  writeUInt32BE(value: number, offset: number): number;
  writeUIntLE(value: number, offset: number, byteLength: number): number;
  writeDoubleLE(value: number, offset: number): number;
}
