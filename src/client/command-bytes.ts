/**
 * A command as the bytes of a request: a RESP array of bulk strings. The client encodes every command once; a retry sends
 * the same bytes again.
 */

export type CommandPart = string | Uint8Array;

/** The request's bytes, in one buffer of exact length. */
export function encodeCommand(parts: readonly CommandPart[]): Buffer {
  const lengths = parts.map((part) => (typeof part === 'string' ? Buffer.byteLength(part) : part.length));
  const heads = lengths.map((length) => `$${length}\r\n`);
  const head = `*${parts.length}\r\n`;
  let total = head.length;
  for (let at = 0; at < parts.length; at++) total += heads[at].length + lengths[at] + 2;
  const bytes = Buffer.allocUnsafe(total);
  let at = bytes.write(head, 0, 'latin1');
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index];
    at += bytes.write(heads[index], at, 'latin1');
    if (typeof part === 'string') bytes.write(part, at);
    else bytes.set(part, at);
    at += lengths[index];
    bytes[at++] = 13;
    bytes[at++] = 10;
  }
  return bytes;
}
