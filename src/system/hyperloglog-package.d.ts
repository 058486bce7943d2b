// Types of the package `hyperloglog`, which brings none.

declare module 'hyperloglog' {
  interface Counter {
    add(hash: readonly number[]): Counter;
    count(): number;
    relative_error(): number;
    /** The registers are the live ones. */
    output(): { n: number; buckets: Uint8Array };
    /** Trusts its argument. */
    merge(other: { n: number; buckets: Uint8Array }): void;
  }
  function HyperLogLog(n: number): Counter;
  namespace HyperLogLog {
    function hash(bytes: string | Uint8Array): readonly number[];
  }
  export = HyperLogLog;
}
