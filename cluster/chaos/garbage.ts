/**
 * Chaos by garbage: random datagrams at every gossip port, and such as look like those of a strange cluster, with a right checksum or
 * sealed; random and mutated commands at every client port and gossip port by TCP. Nodes refuse it and count it; nobody ends, and
 * nothing that was acknowledged suffers.
 */
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { crc32 } from 'node:zlib';
import type { TemporaryCluster } from '../temporary.js';
import { type Arena, type ChaosScript, passing, throughout } from './disturbance.js';
import { Draws } from './draws.js';

const HOST = '127.0.0.1';
const DATAGRAM_BYTES_MAX = 1400;
/** A packet's first bytes (src/core/gossip/packet.ts): letter, three versions, checksum, then the cluster's id. */
const LETTERS = [0x48, 0x68] as const;
const WIRE_VERSION = 4;
const HEADER_BYTES = 36;
const PACKET_BYTES_MAX = 1200;
const PER_ROUND = 40;
const ROUND_MS = 50;
const CONNECTION_LIMIT_MS = 500;

export const garbageDatagrams = (): ChaosScript => {
  let socket: Socket | null = null;
  let on = true;
  let throwing: Promise<void> = Promise.resolve();
  let sent = 0;
  return {
    lateEffectMs: 3000,
    setUp: async () => {
      const opened = createSocket('udp4');
      socket = opened;
      opened.on('error', () => {});
      await new Promise<void>((resolve) => opened.bind(0, HOST, resolve));
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
                socket?.send(datagram(own), node.gossipPort, HOST);
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
          arena.tell(`${sent} datagrams sent`);
        },
      );
    },
    check: ({ cluster }: Arena) => look(cluster, sent),
    tearDown: async () => {
      on = false;
      await throwing;
      socket?.close();
    },
  };
};

async function look(cluster: TemporaryCluster, sent: number): Promise<string[]> {
  const wrong: string[] = [];
  if (sent === 0) wrong.push('no datagram was sent: the run proves nothing');
  for (const index of cluster.running()) {
    const { members_alive, members_known } = await cluster.status(index);
    const { name } = cluster.nodes[index];
    // One that has left is known for a while.
    if (Number(members_alive) !== cluster.running().length)
      wrong.push(`garbage: ${name} sees ${members_alive} members`);
    if (Number(members_known) > cluster.nodes.length) wrong.push(`garbage: ${name} knows ${members_known} members`);
  }
  return wrong;
}

/** Random bytes; or a packet of a strange cluster, whole, cut or changed. */
export function datagram(draws: Draws): Buffer {
  const shape = draws.below(5);
  if (shape === 0) return randomBytes(draws, draws.below(DATAGRAM_BYTES_MAX));
  const packet = strangePacket(draws);
  if (shape === 1) return packet.subarray(0, draws.below(packet.length + 1));
  return shape === 2 ? mutated(draws, packet) : packet;
}

/** Its checksum is right, or it says that it is sealed: refused for its cluster, its seal, its sections, and for nothing before them. */
function strangePacket(draws: Draws): Buffer {
  const bytes = randomBytes(draws, draws.between(HEADER_BYTES, PACKET_BYTES_MAX));
  bytes[0] = LETTERS[draws.below(LETTERS.length)];
  bytes.fill(WIRE_VERSION, 1, 4);
  bytes.writeUInt32LE((crc32(bytes.subarray(8)) ^ bytes.readUInt32LE(0)) >>> 0, 4);
  return bytes;
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
