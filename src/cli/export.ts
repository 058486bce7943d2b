/**
 * `hearsay export`: every live key of a cluster as a line of JSON, on standard output or into a file, while the cluster works.
 *
 * Each partition is read from the node that answers for it, or while that one is catching up from another owner with a whole copy,
 * through a snapshot of that node; the snapshots of all nodes are opened
 * within moments of each other. A snapshot that grew too old while it was read (30 seconds, or a tenth of memory overwritten) or a
 * node that went away is replaced by a fresh one, which goes on where the last one stopped: then the export is of no one moment,
 * and that is said; `--strict` gives up instead. Guarded: a key is written once; FILE is whole or not there; a
 * partition of which no node that answers has a whole copy is waited for and then refused, never left out.
 */
import { isUtf8 } from 'node:buffer';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import {
  type Address,
  type ClusterSnapshots,
  closeSnapshots,
  type LinkOptions,
  membersBehind,
  type OpenSnapshot,
  openSnapshots,
} from './cluster-view.js';
import { DONE, FAILED, UNWELL } from './exit-codes.js';
import { fileProblem } from './places.js';
import { countText, durationText, Progress, sizeText } from './progress.js';
import { configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

type Flags = Readonly<Record<string, unknown>>;

const TIMEOUT_MS = 10_000;
/** How long a partition may be covered by nobody. */
const PATIENCE_MS = 30_000;
/** A wait longer than this is told. */
const TELL_AFTER_MS = 2_000;
const RETRY_MS = 250;
/** Entries that a node looks at for one reply; about a MiB of values ends it too. */
const ENTRIES_PER_REQUEST = '10000';
/** Text that is gathered before it is written. */
const CHUNK_CHARACTERS = 64 * 1024;

export async function runExport(flags: Flags, terminal: Terminal): Promise<number> {
  if (flags.format !== undefined && flags.format !== 'jsonl') {
    throw new UsageError([`--format ${String(flags.format)}: there is only jsonl`]);
  }
  // What decides whether a node may start (a password off loopback) is no matter for asking it.
  const { config } = configFrom({ insecure: true, ...settingFlags(flags) }, flags.config, terminal);
  const contact = { host: typeof flags.host === 'string' ? flags.host : '127.0.0.1', port: config.port };
  const path = typeof flags.output === 'string' ? flags.output : null;
  const problem = path === null ? null : fileProblem(path);
  if (problem !== null) throw new UsageError([`--output: ${problem}`]);
  const sink = new Sink(path, terminal);
  const copy = new Export(
    contact,
    { password: config.password, timeoutMs: TIMEOUT_MS },
    { match: typeof flags.match === 'string' ? flags.match : null, strict: flags.strict === true },
    sink,
    (line) => terminal.error(`hearsay: ${line}\n`),
  );
  let interrupted = false;
  const stopped = new Promise<never>((_, reject) => {
    terminal.onStopSignal(() => {
      interrupted = terminal.outFailure() === null;
      copy.stop();
      reject(new HearsayError('CLOSED', terminal.outFailure()?.message ?? 'stopped'));
    });
  });
  const watched = process.stderr.isTTY === true && (path !== null || !terminal.interactive);
  const progress = watched ? new Progress(terminal.error, true, () => copy.moment()) : null;
  const startedMs = performance.now();
  try {
    await sink.open();
    await Promise.race([copy.run(), stopped]);
    await sink.finish();
  } catch (error) {
    await sink.discard();
    progress?.end();
    // Whoever reads may have read enough, as `hearsay export | head` does: that needs no words.
    if (terminal.outFailure()?.code !== 'EPIPE') {
      terminal.error(`hearsay: ${path ?? 'export'}: ${(error as Error).message}\n`);
    }
    return copy.isUncovered || interrupted ? UNWELL : FAILED;
  }
  progress?.end();
  const facts = [countText(sink.keys, 'key'), sizeText(sink.bytes), durationText(performance.now() - startedMs)];
  if (path !== null) terminal.error(`hearsay: ${path}: ${facts.join(', ')}\n`);
  return DONE;
}

/** Where lines go: standard output, or a file that gets its name when it is whole. */
class Sink {
  keys = 0;
  bytes = 0;
  private text = '';
  private file: FileHandle | null = null;
  /** Writes of a file go one after another. */
  private written: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly path: string | null,
    private readonly terminal: Terminal,
  ) {}

  async open(): Promise<void> {
    if (this.path !== null) this.file = await open(`${this.path}.part`, 'w', 0o600);
  }

  line(text: string): void {
    this.keys++;
    this.text += `${text}\n`;
  }

  /** Passes on what has gathered; a caller waits for it before it asks for more. */
  async flush(least = CHUNK_CHARACTERS): Promise<void> {
    if (this.text.length < least) return;
    const { text, file } = this;
    this.text = '';
    this.bytes += Buffer.byteLength(text);
    if (file === null) this.terminal.out(text);
    else this.written = this.written.then(() => file.writeFile(text));
    await this.written;
  }

  async finish(): Promise<void> {
    await this.flush(1);
    if (this.file === null || this.path === null) return;
    await this.file.sync();
    await this.file.close();
    await rename(`${this.path}.part`, this.path);
    this.file = null;
  }

  /** Nothing of a file stays behind. */
  async discard(): Promise<void> {
    if (this.file === null) return;
    await this.written.catch(() => {});
    await this.file.close().catch(() => {});
    await rm(`${this.path}.part`, { force: true });
  }
}

interface ExportOptions {
  match: string | null;
  strict: boolean;
}

/** The reading: rounds of snapshots until no partition is left. */
class Export {
  /** Per partition not yet done: where its reading goes on. */
  private readonly left = new Map<number, string>();
  private partitions = 0;
  /** Whether it was given up because no node that answers holds some partition. */
  isUncovered = false;
  private stopped = false;
  private fuzzy = false;
  private open: ClusterSnapshots | null = null;
  private readonly words: readonly string[];

  constructor(
    private readonly contact: Address,
    private readonly link: LinkOptions,
    private readonly options: ExportOptions,
    private readonly sink: Sink,
    private readonly warn: (line: string) => void,
  ) {
    this.words = ['COUNT', ENTRIES_PER_REQUEST, 'VALUES', ...(options.match === null ? [] : ['MATCH', options.match])];
  }

  stop(): void {
    this.stopped = true;
    if (this.open !== null) closeSnapshots(this.open);
  }

  async run(): Promise<void> {
    let addresses = await membersBehind(this.contact, { ...this.link, isContact: true });
    while (this.partitions === 0 || this.left.size > 0) {
      addresses = await this.refreshed(addresses);
      const snapshots = await this.covering(addresses);
      this.open = snapshots;
      try {
        const taken = new Set<number>();
        const { nodes } = snapshots;
        // Who answers for a partition goes first; what is left after them is of whoever holds it.
        const shares = nodes.map((node) => this.shareOf(node.partitions, taken));
        for (const [at, node] of nodes.entries()) shares[at].push(...this.shareOf(node.held, taken));
        await Promise.all(nodes.map((node, at) => this.readNode(node, shares[at])));
      } catch (error) {
        this.stopped = true;
        throw error;
      } finally {
        closeSnapshots(snapshots);
        this.open = null;
      }
      if (this.stopped) throw new HearsayError('CLOSED', 'stopped');
    }
  }

  moment() {
    const { bytes, keys } = this.sink;
    const part = this.partitions === 0 ? 0 : 1 - this.left.size / this.partitions;
    return { part, bytes, facts: [countText(keys, 'key')] };
  }

  /** Snapshots that cover every partition that is left; what they do not cover is waited for. */
  private async covering(addresses: readonly Address[]): Promise<ClusterSnapshots> {
    const startedMs = performance.now();
    let known = addresses;
    let told = false;
    for (;;) {
      let why: string;
      let isUncovered: boolean;
      try {
        const snapshots = await openSnapshots(known, this.link);
        if (this.partitions === 0) this.begin(snapshots.partitions);
        const missing = [...this.left.keys()].filter((at) => !snapshots.nodes.some((node) => node.held.has(at)));
        if (missing.length === 0) return snapshots;
        why = uncovered(missing, snapshots);
        isUncovered = true;
        closeSnapshots(snapshots);
      } catch (error) {
        why = (error as Error).message;
        isUncovered = false;
      }
      if (this.stopped) throw new HearsayError('CLOSED', 'stopped');
      const waitedMs = performance.now() - startedMs;
      if (waitedMs > PATIENCE_MS) {
        this.isUncovered = isUncovered;
        throw new HearsayError('UNAVAILABLE', `${why}; given up after ${durationText(waitedMs)}`);
      }
      if (waitedMs > TELL_AFTER_MS && !told) this.warn(`waiting: ${why}`);
      told ||= waitedMs > TELL_AFTER_MS;
      await sleep(RETRY_MS);
      known = await this.refreshed(known);
    }
  }

  private begin(partitions: number): void {
    this.partitions = partitions;
    for (let partition = 0; partition < partitions; partition++) this.left.set(partition, '0');
  }

  /** The members as the first node that answers knows them; those known before when none does. */
  private async refreshed(addresses: readonly Address[]): Promise<Address[]> {
    for (const address of addresses) {
      const found = await membersBehind(address, this.link).catch(() => null);
      if (found !== null) return found;
    }
    return [...addresses];
  }

  /** What of the partitions left a node reads that has these: those that nobody before it has taken. */
  private shareOf(partitions: ReadonlySet<number>, taken: Set<number>): number[] {
    const share = [...this.left.keys()].filter((partition) => partitions.has(partition) && !taken.has(partition));
    for (const partition of share) taken.add(partition);
    return share;
  }

  /** Reads some partitions to their end; when the snapshot or the node is gone, what is left of them stays for the next round. */
  private async readNode(node: OpenSnapshot, share: readonly number[]): Promise<void> {
    try {
      for (const partition of share) await this.readPartition(node, partition);
    } catch (error) {
      if (this.stopped) return;
      const code = error instanceof HearsayError ? error.code : '';
      if (code !== 'SNAPSHOT' && code !== 'UNAVAILABLE') throw error;
      const { host, port } = node.address;
      const why = code === 'SNAPSHOT' ? `the snapshot of ${host}:${port} is too old` : (error as Error).message;
      if (this.options.strict) throw new HearsayError('SNAPSHOT', `${why}; without --strict it would go on`);
      if (!this.fuzzy) this.warn(`${why}: going on with a fresh one, so this export is of no one moment`);
      this.fuzzy = true;
    }
  }

  private async readPartition({ link, id }: OpenSnapshot, partition: number): Promise<void> {
    for (;;) {
      const cursor = this.left.get(partition) ?? '0';
      const page = await link.request(
        'HEARSAY.SNAPSHOT',
        'SCAN',
        id,
        cursor,
        'PARTITION',
        `${partition}`,
        ...this.words,
      );
      const [next, entries] = Array.isArray(page) ? page : [];
      if (!Array.isArray(entries))
        throw new HearsayError('ERR', 'the node answered no page: is it of another version?');
      for (const entry of entries) this.sink.line(lineOf(entry));
      // Where to go on is noted before anything is waited for: a key is written once.
      if (String(next) === '0') this.left.delete(partition);
      else this.left.set(partition, String(next));
      await this.sink.flush();
      if (this.stopped) throw new HearsayError('CLOSED', 'stopped');
      if (!this.left.has(partition)) return;
    }
  }
}

/** In words, which partitions no node that answers has whole, and who does not answer. */
function uncovered(missing: readonly number[], { nodes, silent }: ClusterSnapshots): string {
  const which = missing.length === 1 ? `partition ${missing[0]}` : `${missing.length} partitions`;
  const asked = nodes.map(({ address: { host, port } }) => `${host}:${port}`).join(', ');
  const others = silent.length === 0 ? '' : `; no answer from ${silent.join(', ')}`;
  return `no whole copy of ${which} at ${asked}: their owners are catching up, or not reached${others}`;
}

/** One entry as JSON: bytes that are not UTF-8 stand in base64; siblings are a list of `values`; strings need no type. */
export function lineOf(entry: Reply): string {
  const [key, value, expireAtMs, version, type] = Array.isArray(entry) ? entry : [];
  if (!Buffer.isBuffer(key)) throw new HearsayError('ERR', 'the node answered no entry');
  const expiry = Number(expireAtMs) === 0 ? {} : { expireAtMs: Number(expireAtMs) };
  const kind = String(type) === 'string' ? {} : { type: String(type) };
  return JSON.stringify({ key: textOf(key), ...kind, ...contentOf(value), ...expiry, version: String(version) });
}

function contentOf(value: Reply | undefined): object {
  if (Array.isArray(value)) return { values: value.map((one) => contentOf(one)).map((one) => Object.values(one)[0]) };
  if (!Buffer.isBuffer(value)) throw new HearsayError('ERR', 'the node answered no entry');
  return { value: textOf(value) };
}

function textOf(bytes: Buffer): string | { base64: string } {
  return isUtf8(bytes) ? bytes.toString('utf8') : { base64: bytes.toString('base64') };
}
