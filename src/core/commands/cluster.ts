/**
 * CLUSTER: the slot map and the members as Redis Cluster clients read them. Every node is a primary without replicas and owns
 * disjoint ranges: the one shape that every client tried balances over. Guarded: the same order on every node, no field is nil,
 * and nobody is ever sent away: the map is advice, for any node answers for any key.
 */
import { HearsayError } from '../base/errors.js';
import { partitionOfSlot, SLOTS, slotOf } from '../partitions/slots.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { connectionOf, notAnInteger, unknownSubcommand, wrongArity } from './command.js';
import type { ClusterNodeView } from './host.js';
import { KEYS_LISTED_MAX, KEYS_VISITED_MAX } from './page.js';

/** Subcommands that would move slots or members by hand. */
const REFUSED = [
  'ADDSLOTS',
  'ADDSLOTSRANGE',
  'BUMPEPOCH',
  'DELSLOTS',
  'DELSLOTSRANGE',
  'FAILOVER',
  'FLUSHSLOTS',
  'FORGET',
  'MEET',
  'REPLICATE',
  'RESET',
  'SAVECONFIG',
  'SET-CONFIG-EPOCH',
  'SETSLOT',
];

function run(context: CommandContext, args: Args, reply: Reply): void {
  const { host } = context;
  if (host.settings.topology === 'off') throw new HearsayError('ERR', 'This instance has cluster support disabled');
  if (args.equalsIgnoreCase(1, 'SLOTS')) {
    requireWords(args, 2, 'slots');
    slots(context, reply);
  } else if (args.equalsIgnoreCase(1, 'NODES')) {
    requireWords(args, 2, 'nodes');
    reply.verbatim(
      present(context)
        .map((node) => nodeLine(context, node))
        .join(''),
    );
  } else if (args.equalsIgnoreCase(1, 'SHARDS')) {
    requireWords(args, 2, 'shards');
    shards(context, reply);
  } else if (args.equalsIgnoreCase(1, 'INFO')) {
    requireWords(args, 2, 'info');
    reply.verbatim(info(context));
  } else if (args.equalsIgnoreCase(1, 'MYID')) {
    requireWords(args, 2, 'myid');
    reply.bulkString(host.settings.hexId);
  } else if (args.equalsIgnoreCase(1, 'MYSHARDID')) {
    requireWords(args, 2, 'myshardid');
    reply.bulkString(host.settings.hexId);
  } else if (args.equalsIgnoreCase(1, 'KEYSLOT')) {
    requireWords(args, 3, 'keyslot');
    reply.integer(slotOf(args.buffer, args.starts[2], args.ends[2]));
  } else if (args.equalsIgnoreCase(1, 'COUNTKEYSINSLOT')) {
    requireWords(args, 3, 'countkeysinslot');
    reply.integer(keysInSlot(context, slotIn(args, 2), Number.POSITIVE_INFINITY).length);
  } else if (args.equalsIgnoreCase(1, 'GETKEYSINSLOT')) {
    requireWords(args, 4, 'getkeysinslot');
    const slot = slotIn(args, 2);
    const limit = args.integer(3);
    if (Number.isNaN(limit)) throw notAnInteger();
    if (limit < 0) throw new HearsayError('ERR', 'Invalid slot or number of keys');
    const keys = keysInSlot(context, slot, limit);
    reply.array(keys.length);
    for (const key of keys) reply.bulk(key, 0, key.length);
  } else if (args.equalsIgnoreCase(1, 'REPLICAS') || args.equalsIgnoreCase(1, 'SLAVES')) {
    requireWords(args, 3, 'replicas');
    const id = args.quote(2, 64);
    if (!present(context).some((node) => node.hexId === id)) throw new HearsayError('ERR', `Unknown node ${id}`);
    reply.array(0);
  } else {
    for (const name of REFUSED) {
      if (!args.equalsIgnoreCase(1, name)) continue;
      const instead = name === 'FORGET' ? '; HEARSAY.FORGET forgets a dead member, by name' : '';
      throw new HearsayError(
        'ERR',
        `CLUSTER ${name} is refused: members and slots are agreed by gossip, not by hand${instead}`,
      );
    }
    throw unknownSubcommand('CLUSTER', args);
  }
}

function requireWords(args: Args, count: number, subcommand: string): void {
  if (args.count !== count) throw wrongArity(`cluster|${subcommand}`);
}

function slotIn(args: Args, index: number): number {
  const slot = args.integer(index);
  if (Number.isNaN(slot)) throw notAnInteger();
  if (!(slot >= 0 && slot < SLOTS)) throw new HearsayError('ERR', 'Invalid slot');
  return slot;
}

/** Those that have not left. */
function present(context: CommandContext): ClusterNodeView[] {
  return context.host.cluster().filter((node) => node.state !== 'left');
}

/** The address to tell this client: a node that listens everywhere is where the client found it. */
function hostFor(context: CommandContext, node: ClusterNodeView): string {
  if (node.host !== '' && node.host !== '0.0.0.0' && node.host !== '::') return node.host;
  const { localAddress } = connectionOf(context);
  const colon = localAddress.lastIndexOf(':');
  return (colon < 0 ? localAddress : localAddress.slice(0, colon)).replace(/^\[|\]$/g, '');
}

function slots(context: CommandContext, reply: Reply): void {
  const ranges = present(context).flatMap((node) => node.slots.map((range) => ({ node, range })));
  ranges.sort((left, right) => left.range.first - right.range.first);
  reply.array(ranges.length);
  for (const { node, range } of ranges) {
    reply.array(3);
    reply.integer(range.first);
    reply.integer(range.last);
    reply.array(4);
    reply.bulkString(hostFor(context, node));
    reply.integer(node.port);
    reply.bulkString(node.hexId);
    reply.map(0);
  }
}

function shards(context: CommandContext, reply: Reply): void {
  const nodes = present(context);
  reply.array(nodes.length);
  for (const node of nodes) {
    reply.map(2);
    reply.bulkString('slots');
    reply.array(node.slots.length * 2);
    for (const range of node.slots) {
      reply.integer(range.first);
      reply.integer(range.last);
    }
    reply.bulkString('nodes');
    reply.array(1);
    reply.map(7);
    const address = hostFor(context, node);
    reply.bulkString('id');
    reply.bulkString(node.hexId);
    reply.bulkString('port');
    reply.integer(node.port);
    reply.bulkString('ip');
    reply.bulkString(address);
    reply.bulkString('endpoint');
    reply.bulkString(address);
    reply.bulkString('role');
    reply.bulkString('master');
    reply.bulkString('replication-offset');
    reply.integer(0);
    reply.bulkString('health');
    reply.bulkString(node.state === 'dead' ? 'fail' : 'online');
  }
}

/** `id ip:port@busport flags master ping pong epoch link slots...` */
function nodeLine(context: CommandContext, node: ClusterNodeView): string {
  const doubt = node.state === 'dead' ? ',fail' : node.state === 'suspect' ? ',fail?' : '';
  const flags = `${node.self ? 'myself,' : ''}master${doubt}`;
  const link = node.state === 'dead' ? 'disconnected' : 'connected';
  const ranges = node.slots.map(({ first, last }) => (first === last ? ` ${first}` : ` ${first}-${last}`)).join('');
  const address = `${hostFor(context, node)}:${node.port}@${node.gossipPort}`;
  return `${node.hexId} ${address} ${flags} - 0 0 ${node.incarnation} ${link}${ranges}\n`;
}

function info(context: CommandContext): string {
  const nodes = present(context);
  let assigned = 0;
  let suspected = 0;
  let failed = 0;
  let epoch = 0;
  for (const node of nodes) {
    let owned = 0;
    for (const range of node.slots) owned += range.last - range.first + 1;
    assigned += owned;
    if (node.state === 'suspect') suspected += owned;
    if (node.state === 'dead') failed += owned;
    epoch = Math.max(epoch, node.incarnation);
  }
  const lines: [string, string | number][] = [
    ['cluster_state', 'ok'],
    ['cluster_slots_assigned', assigned],
    ['cluster_slots_ok', assigned - suspected - failed],
    ['cluster_slots_pfail', suspected],
    ['cluster_slots_fail', failed],
    ['cluster_known_nodes', nodes.length],
    ['cluster_size', nodes.filter((node) => node.slots.length > 0).length],
    ['cluster_current_epoch', epoch],
    ['cluster_my_epoch', nodes.find((node) => node.self)?.incarnation ?? 0],
  ];
  return lines.map(([name, value]) => `${name}:${value}\r\n`).join('');
}

/** Keys of one slot held here, at most `limit`. */
function keysInSlot(context: CommandContext, slot: number, limit: number): Buffer[] {
  const { host } = context;
  const partition = partitionOfSlot(slot, host.settings.partitions);
  const keys: Buffer[] = [];
  if (!host.holds(partition)) return keys;
  if (host.countKeys(partition) > KEYS_LISTED_MAX) throw new HearsayError('ERR', 'too many keys in this partition');
  let hash = 0;
  while (hash >= 0 && keys.length < limit) {
    hash = host.scanPartition(partition, hash, KEYS_VISITED_MAX, (bytes, start, end) => {
      if (keys.length < limit && slotOf(bytes, start, end) === slot) keys.push(Buffer.from(bytes.subarray(start, end)));
    });
  }
  return keys;
}

export const clusterCommand: Command = {
  name: 'cluster',
  arity: -2,
  flags: 0,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'cluster',
  summary: 'Show slots and members as a Redis Cluster',
  run,
};
