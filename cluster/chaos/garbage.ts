/**
 * Chaos by garbage: random and mutated datagrams at every gossip port, real ones again and again, random and mutated commands at every
 * client port and gossip port by TCP. Nodes refuse it and count it; nobody ends, and nothing that was acknowledged suffers.
 * Real datagrams come to a socket of ours that every node is told as a contact point: one that never answers.
 */
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import type { TemporaryCluster } from '../temporary.js';
import { type Arena, type ChaosScript, passing, throughout } from './disturbance.js';
import { Draws } from './draws.js';

const HOST = '127.0.0.1';
const DATAGRAM_BYTES_MAX = 1400;
const CAUGHT_MAX = 500;
const PER_ROUND = 40;
const ROUND_MS = 50;
const CONNECTION_LIMIT_MS = 500;

export const garbageDatagrams = (): ChaosScript => {
  const caught: Buffer[] = [];
  let socket: Socket | null = null;
  let port = 0;
  let on = true;
  let throwing: Promise<void> = Promise.resolve();
  let sent = 0;
  return {
    lateEffectMs: 3000,
    get flags() {
      return ['--join', `${HOST}:${port}`];
    },
    setUp: async () => {
      const opened = createSocket('udp4');
      socket = opened;
      opened.on('message', (bytes) => {
        if (caught.length < CAUGHT_MAX) caught.push(Buffer.from(bytes));
      });
      opened.on('error', () => {});
      await new Promise<void>((resolve) => opened.bind(0, HOST, resolve));
      port = opened.address().port;
    },
    plan: (draws, _nodes, durationMs) => {
      const own = new Draws(draws.below(2 ** 31));
      return throughout(
        durationMs,
        { begins: 'random and mutated bytes at every gossip port and client port', ends: 'no garbage any more' },
        async (arena) => {
          throwing = (async () => {
            while (on && !arena.signal.aborted) {
              const { nodes } = arena.cluster;
              for (let count = 0; count < PER_ROUND; count++) {
                const node = nodes[own.below(nodes.length)];
                socket?.send(datagram(own, caught), node.gossipPort, HOST);
                sent++;
              }
              const node = nodes[own.below(nodes.length)];
              await offer(own.fraction() < 0.7 ? node.port : node.gossipPort, command(own));
              await passing(ROUND_MS);
            }
          })();
        },
        async (arena) => {
          on = false;
          await throwing;
          arena.tell(`${sent} datagrams sent, mutated from ${caught.length} real ones`);
        },
      );
    },
    check: ({ cluster }: Arena) => look(cluster, sent, caught.length),
    tearDown: async () => {
      on = false;
      await throwing;
      socket?.close();
    },
  };
};

async function look(cluster: TemporaryCluster, sent: number, caught: number): Promise<string[]> {
  const wrong: string[] = [];
  if (sent === 0 || caught === 0)
    wrong.push(`${sent} datagrams sent, ${caught} real ones seen: the run proves nothing`);
  for (const index of cluster.running()) {
    const known = Number((await cluster.status(index)).members_known);
    if (known !== cluster.running().length) wrong.push(`garbage: ${cluster.nodes[index].name} knows ${known} members`);
  }
  return wrong;
}

/** Random bytes, a real datagram with some bytes changed, cut, lengthened, or as it was. */
export function datagram(draws: Draws, caught: readonly Buffer[]): Buffer {
  const shape = draws.below(5);
  if (caught.length === 0 || shape === 0) return randomBytes(draws, draws.below(DATAGRAM_BYTES_MAX));
  const bytes = Buffer.from(caught[draws.below(caught.length)]);
  if (shape === 1) return bytes;
  if (shape === 2) return bytes.subarray(0, draws.below(bytes.length + 1));
  if (shape === 3) return Buffer.concat([bytes, randomBytes(draws, draws.between(1, 100))]);
  return mutated(draws, bytes);
}

const COMMANDS = [
  ['SET', 'garbage:key', 'value'],
  ['GET', 'garbage:key'],
  ['INCR', 'garbage:count'],
  ['HELLO', '3'],
  ['HEARSAY.CONSISTENCY', 'READ', 'ONE', 'WRITE', 'ONE'],
] as const;
const HOSTILE = [
  '*2147483647\r\n',
  '$2147483647\r\n',
  '*-5\r\n',
  '*1\r\n$-7\r\n',
  `$${'9'.repeat(70_000)}\r\n`,
  'POST / HTTP/1.1\r\nHost: x\r\n\r\n',
] as const;

/** Random bytes, lengths that are lies, or a command with some bytes changed or its end missing. */
export function command(draws: Draws): Buffer {
  const shape = draws.below(4);
  if (shape === 0) return randomBytes(draws, draws.between(1, 4096));
  if (shape === 1) return Buffer.from(HOSTILE[draws.below(HOSTILE.length)]);
  const words = COMMANDS[draws.below(COMMANDS.length)];
  const text = `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
  const bytes = Buffer.from(text);
  return shape === 2 ? bytes.subarray(0, draws.below(bytes.length)) : mutated(draws, bytes);
}

function mutated(draws: Draws, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length === 0) return copy;
  for (let count = draws.between(1, 8); count > 0; count--) copy[draws.below(copy.length)] = draws.below(256);
  return copy;
}

function randomBytes(draws: Draws, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => draws.below(256)));
}

/** Sends it over a connection of its own and waits until that is closed, or for a moment. */
function offer(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port });
    const timer = setTimeout(() => socket.destroy(), CONNECTION_LIMIT_MS);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.on('connect', () => socket.end(bytes));
    socket.resume();
  });
}
