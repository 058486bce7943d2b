/**
 * What a decoder costs, counted instead of timed: bytes of the buffers it asks for, and bytes it looks at or copies. The laws of this room
 * hold both against the length of the input. Guarded: nothing stays changed after a measurement, whatever is thrown in it.
 */

/** Bytes of the largest buffer, and of all, asked for in one measurement. */
export interface Allocated {
  most: number;
  all: number;
}

type Method = (...given: unknown[]) => unknown;

const NAMES = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;

/** Runs `body` and says what buffers it asked for by size: those are what a declared length would show in. */
export function allocatedBy(body: () => void): Allocated {
  const seen: Allocated = { most: 0, all: 0 };
  const kept = NAMES.map((name) => [name, Buffer[name]] as const);
  for (const [name, make] of kept) {
    Buffer[name] = (bytes: number) => {
      seen.most = Math.max(seen.most, bytes);
      seen.all += bytes;
      return make(bytes);
    };
  }
  try {
    body();
  } finally {
    for (const [name, make] of kept) Buffer[name] = make;
  }
  return seen;
}

/** Counts bytes that are looked at or copied, in the buffers it lends and in those made while `run` runs. */
export class WorkCount {
  bytes = 0;
  private readonly plain = new WeakMap<Buffer, Buffer>();

  /** The same buffer, each look at which counts. */
  lend(bytes: Buffer): Buffer {
    const counted: Buffer = new Proxy(bytes, {
      get: (target, name) => {
        if (typeof name === 'string' && name.charCodeAt(0) <= 0x39) {
          this.bytes++;
          return target[Number(name)];
        }
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => this.call(target, String(name), value as Method, given);
      },
      set: (target, name, value) => Reflect.set(target, name, value, target),
    });
    this.plain.set(counted, bytes);
    return counted;
  }

  /** Runs `body` with every buffer that it makes counted too. */
  run(body: () => void): void {
    const kept = NAMES.map((name) => [name, Buffer[name]] as const);
    for (const [name, make] of kept) Buffer[name] = (bytes: number) => this.lend(make(bytes)) as never;
    const { copy } = Buffer.prototype;
    const { plain } = this;
    // A plain buffer may copy into one that counts.
    Buffer.prototype.copy = function (this: Buffer, target: Uint8Array, ...range: number[]) {
      return copy.call(this, plain.get(target as Buffer) ?? target, ...range);
    };
    try {
      body();
    } finally {
      Buffer.prototype.copy = copy;
      for (const [name, make] of kept) Buffer[name] = make;
    }
  }

  private call(target: Buffer, name: string, method: Method, given: unknown[]): unknown {
    const args = given.map((each) => this.plain.get(each as Buffer) ?? each);
    const result = method.apply(target, args);
    if (name === 'subarray') return this.lend(result as Buffer);
    if (name === 'indexOf') this.bytes += (result as number) < 0 ? target.length : (result as number) + 1;
    else if (name === 'copy') this.bytes += result as number;
    else if (typeof result === 'string') this.bytes += result.length;
    return result;
  }
}
