/**
 * What a run asks the nodes for itself: whether they have formed, are ready, have converged, and what their counters say. One probe
 * beside each node sends it; run.ts waits for the facts. Guarded: a fact is one only if every node says so.
 */
import type { Completion, SimClient } from './client.js';
import type { Reply } from './replies.js';

/** Commands of the run's own, as against the plan's, have numbers from here. */
const PROBE_BASE = 1_000_000;

export interface InquiryPorts {
  /** One per node, in order. */
  probes: readonly SimClient[];
  /** Whom to ask: numbers of nodes. */
  members: () => readonly number[];
  nowMs: () => number;
  /** Lets the world go on for so long. */
  rest: (forMs: number) => void;
  timeoutMs: number;
}

/** What a node said; null: no reply came. */
export interface Answer {
  node: number;
  reply: Reply | null;
}

export class Inquiry {
  private readonly ports: InquiryPorts;
  private readonly replies = new Map<number, Completion>();
  private number = PROBE_BASE;

  constructor(ports: InquiryPorts) {
    this.ports = ports;
  }

  /** Takes the outcome of a probe's command; false if it is another's. */
  takes(completion: Completion): boolean {
    if (completion.command < PROBE_BASE) return false;
    this.replies.set(completion.command, completion);
    return true;
  }

  /** Asks every node the same. */
  askAll(words: string[]): Answer[] {
    const { probes, nowMs, rest, timeoutMs } = this.ports;
    const nodes = this.ports.members();
    const numbers = nodes.map((node) => {
      const number = this.number++;
      probes[node].send(number, words);
      return number;
    });
    const deadline = nowMs() + timeoutMs + 100;
    while (numbers.some((number) => !this.replies.has(number)) && nowMs() < deadline) rest(1);
    const answers = numbers.map((number, place) => {
      return { node: nodes[place], reply: this.replies.get(number)?.reply ?? null };
    });
    this.replies.clear();
    return answers;
  }

  /** Sends a command and waits for nothing. */
  tell(node: number, words: string[]): void {
    this.ports.probes[node].send(this.number++, words);
  }

  /** HEARSAY.STATUS of every node. */
  statuses(): { node: number; status: Status }[] {
    return this.askAll(['HEARSAY.STATUS']).map(({ node, reply }) => ({ node, status: new Status(reply) }));
  }

  /** Every node knows every other, and nobody thinks anybody failed; else what is missing. */
  hasFormed(): string | null {
    const nodes = this.ports.members().length;
    for (const { node, reply } of this.askAll(['CLUSTER', 'NODES'])) {
      const lines = reply?.type === 'bulk' ? reply.text.trim().split('\n') : [];
      const good = lines.filter((line) => !/\b(fail\??|handshake|noaddr)\b/.test(line.split(' ')[2] ?? ''));
      if (good.length !== nodes) return `node ${node} sees ${good.length} of ${nodes} members`;
    }
    return null;
  }

  /** Every node has caught up with what it owns, so it answers from its own memory. */
  isReady(): string | null {
    const unformed = this.hasFormed();
    if (unformed !== null) return unformed;
    const unready = this.statuses().find(({ status }) => !['1', 'true', 't'].includes(status.text('ready')));
    return unready === undefined ? null : `node ${unready.node} is not ready`;
  }

  /** The cluster has formed, and all who hold a partition, `owners` at least, hold the same of it. */
  hasConverged(owners: number): string | null {
    const unready = this.isReady();
    if (unready !== null) return unready;
    const holders = new Map<string, { digest: string; node: number; count: number }>();
    for (const { node, reply } of this.askAll(['HEARSAY.DIGEST'])) {
      if (reply?.type !== 'array') return `node ${node} gives no digests: ${JSON.stringify(reply)?.slice(0, 120)}`;
      for (const item of reply.items) {
        if (item.type !== 'array' || item.items.length < 2) return `node ${node} gives a digest of no known shape`;
        const [partition, digest] = item.items.map(textOf);
        const first = holders.get(partition);
        if (first === undefined) holders.set(partition, { digest, node, count: 1 });
        else if (first.digest === digest) first.count++;
        else return `partition ${partition}: node ${first.node} has ${first.digest}, node ${node} has ${digest}`;
      }
    }
    for (const [partition, { count }] of holders) {
      if (count < owners) return `partition ${partition} is held by ${count} nodes`;
    }
    return holders.size === 0 ? 'nobody holds a partition' : null;
  }
}

/** The fields of one HEARSAY.STATUS; empty if there was no reply. */
export class Status {
  private readonly fields = new Map<string, string>();

  constructor(reply: Reply | null) {
    const items = reply?.type === 'array' ? reply.items : [];
    for (let at = 0; at + 1 < items.length; at += 2) this.fields.set(textOf(items[at]), textOf(items[at + 1]));
  }

  text(name: string): string {
    return this.fields.get(name) ?? '';
  }

  /** NaN if there is no such number. */
  number(name: string): number {
    const text = this.fields.get(name);
    return text === undefined ? Number.NaN : Number(text);
  }
}

function textOf(reply: Reply): string {
  if (reply.type === 'integer') return String(reply.value);
  return reply.type === 'bulk' || reply.type === 'status' ? reply.text : reply.type;
}
