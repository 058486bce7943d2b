/**
 * The settings of one node: one interface, and one table that says what each means, its unit, default and bounds.
 * Flags, environment, help and the README reference are generated from `SETTINGS` (src/cli/help.ts); a row is read in
 * setting.ts; the sources are gathered in src/system/configuration.ts, which hands their values to `completeConfig`.
 * Guarded: a `NodeConfig` that comes out of `completeConfig` breaks no bound and no relation between fields, and what
 * goes in wrong is reported all at once.
 */
import { OUTPUT_ROOM_BYTES_MIN, QUERY_ROOM_BYTES_MIN } from './resp/output-marks.js';
import { BULK_BYTES_MAX } from './resp/parser.js';
import type { Setting, SettingValue } from './setting.js';
import {
  bytes,
  choice,
  count,
  decimal,
  formatBytes,
  GIB,
  integer,
  isAnyAddress,
  isLoopback,
  KIB,
  MIB,
  parseSetting,
  text,
  toggle,
  tunable,
} from './setting.js';

export interface NodeConfig {
  /** Name of this node in the cluster; null: the one kept in the data directory, drawn at the first start. */
  id: string | null;
  clusterName: string;
  zone: string;
  /** This node's share of the partitions, relative to the others'. */
  weight: number;
  /** RESP over TCP. 0: any free port. */
  port: number;
  /** Gossip by UDP and peer streams by TCP, on one number. 0: any free port. */
  gossipPort: number;
  bind: string;
  /** Address that peers and cluster clients are told; empty until the world has chosen, when `bind` is any address. */
  advertise: string;
  /** Contact points, gossip addresses as `host:port`. */
  join: string[];
  data: string;
  /** `off`: what is acknowledged is handed to the system 10 ms later at most, or at the next tick where nothing happens. */
  durability: 'interval' | 'always' | 'off';
  /** A sync also starts when half of what may wait for one does. */
  durabilityIntervalMs: number;
  replicas: number;
  partitions: number;
  /** What connections begin with: how many owners answer a read, and have taken a write, before its reply. */
  readConsistency: 'one' | 'quorum' | 'all';
  writeConsistency: 'one' | 'quorum' | 'all';
  /** Bytes for records, index, digests and the ghost together; log, hints, snapshots and connections come on top. */
  maxMemory: number;
  /** `none` refuses values where 85 % of the memory that the index leaves is alive, deletes at 90 %. */
  eviction: 's3-fifo' | 'none';
  clusterTopology: 'partition' | 'off';
  maxClients: number;
  /** Bounds of one connection; before AUTH they are 10 arguments of 16 KiB, and 256 KiB of input. */
  /**
   * A command runs in one turn, about a microsecond per key: 65,536 arguments are MSET of 32,767 keys and cost others some 65 ms. Redis
   * takes 1,048,576, which is a second in which nobody else is heard; whoever needs it may say so.
   */
  clientArgumentsMax: number;
  clientBulkBytesMax: number;
  clientQueryBytesMax: number;
  /** Every value that may be written fits, so that it can be read again; the most is what one reply may hold. */
  clientOutputBytesMax: number;
  clientPartialCommandMs: number;
  /** What clients must AUTH with; null: nothing. Comes from `passwordFile` or the environment. */
  password: string | null;
  passwordFile: string | null;
  /** The keys that seal what nodes say to each other; null: they talk in the clear. */
  secretFile: string | null;
  insecure: boolean;
  enableFaultInjection: boolean;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  logFormat: 'auto' | 'json' | 'pretty';
  tickIntervalMs: number;
  probeIntervalMs: number;
  probeTimeoutMs: number;
  suspicionFloorMs: number;
  gossipIntervalMs: number;
  maxClockDriftMs: number;
  memberGraceMs: number;
  tombstoneGraceMs: number;
  floorMarginMs: number;
  walFileBytes: number;
  segmentBytes: number;
  antiEntropyIntervalMs: number;
  operationTimeoutMs: number;
  hintBytesPerPeerMax: number;
  hintBytesMax: number;
  pendingMax: number;
  pendingPerPeerMax: number;
}

export interface Violation {
  /** The setting's `name`, or what was taken for one. */
  readonly setting: string;
  readonly message: string;
}

const PORT_OFFSET_GOSSIP = 10_000;
const DAY_MS = 86_400_000;

export const SETTINGS: readonly Setting[] = [
  text(
    'id',
    'name of this node, unique in the cluster',
    'name',
    null,
    /^[A-Za-z0-9._-]{1,64}$/,
    'node- and 8 hex digits',
  ),
  text('clusterName', 'name of the cluster; nodes of another name are refused', 'name', 'hearsay', /^[\w.-]{1,64}$/),
  text('zone', 'failure domain; owners of a partition are spread over zones', 'name', 'default', /^[\w.-]{1,64}$/),
  decimal('weight', 'share of the partitions that this node takes, relative to the others', 1, 0.1, 10),
  integer('port', 'port for clients, RESP; 0 takes any free one', 'number', 7379, 0, 65_535),
  {
    ...integer('gossipPort', 'port for other nodes, UDP and TCP', 'number', null, 0, 65_535),
    fallbackText: 'port + 10000',
  },
  text('bind', 'address to listen on', 'address', '127.0.0.1', /^[A-Za-z0-9.:_-]{1,255}$/),
  {
    ...text('advertise', 'address that other nodes and clients are told', 'address', '', /^[A-Za-z0-9.:_-]{1,255}$/),
    fallbackText: 'the bind address; if that is any, the first of this machine',
  },
  {
    ...text('join', 'contact points: gossip addresses of nodes to join, separated by commas', 'host:port,...', null),
    kind: 'addresses',
    fallback: [],
    fallbackText: 'none: the first node of a cluster',
  },
  text('data', 'directory of the log; one process each', 'directory', './.hearsay', /^[^\0]{1,4096}$/),
  choice('durability', 'when a write is synced to the disk: by interval, before its reply, or only at a stop', [
    'interval',
    'always',
    'off',
  ]),
  integer('durabilityIntervalMs', 'ms between syncs at most, with durability interval', 'ms', 1000, 10, 60_000),
  integer('replicas', 'owners of each partition; equal on all nodes', 'number', 3, 1, 7),
  { ...integer('partitions', 'partitions; equal on all nodes', 'number', 256, 1, 16_384), powerOfTwo: true },
  choice('readConsistency', 'owners that answer a read where its connection says nothing; may differ between nodes', [
    'one',
    'quorum',
    'all',
  ]),
  choice(
    'writeConsistency',
    'owners that have a write before its reply where its connection says nothing; may differ',
    ['one', 'quorum', 'all'],
  ),
  {
    ...bytes('maxMemory', 'memory for entries and their index, as 256mb or 2gb', 256 * MIB, 8 * MIB, 1024 * GIB),
    flag: true,
  },
  choice(
    'eviction',
    'what happens when memory is full: entries that are not used again go first, or writes are refused',
    ['s3-fifo', 'none'],
  ),
  choice('clusterTopology', 'whether cluster clients see who owns which slots, or one node with all', [
    'partition',
    'off',
  ]),
  integer('maxClients', 'client connections at most', 'number', 10_000, 1, 1_000_000),
  count('clientArgumentsMax', 'arguments of one command at most', 65_536, 16, 1_048_576),
  {
    ...bytes('clientBulkBytesMax', 'longest argument', BULK_BYTES_MAX, 64 * KIB, BULK_BYTES_MAX),
    fallbackText: 'the longest entry',
  },
  bytes('clientQueryBytesMax', 'input of one client that waits, half a command too', 64 * MIB, MIB, GIB),
  bytes(
    'clientOutputBytesMax',
    'replies that one client has not read, past which it is closed',
    32 * MIB,
    64 * KIB + OUTPUT_ROOM_BYTES_MIN,
    32 * MIB,
  ),
  tunable('clientPartialCommandMs', 'half a command waits this long for its rest', 60_000, 100, 3_600_000),
  { ...text('password', 'password that clients must give', 'text', null, /^[^\0\r\n]{1,512}$/), flag: false },
  text('passwordFile', 'file whose first line is the password', 'file', null, /^[^\0]{1,4096}$/),
  text(
    'secretFile',
    'file with the keys that seal what nodes say to each other, the same on all; `hearsay secret` makes it',
    'file',
    null,
    /^[^\0]{1,4096}$/,
  ),
  toggle('insecure', 'listen off loopback without password or secret file, where whoever reaches a port is believed'),
  toggle('enableFaultInjection', 'let HEARSAY.FAULT disturb the traffic between nodes; loopback only'),
  choice('logLevel', 'least severe line to log', ['info', 'debug', 'warn', 'error']),
  choice('logFormat', 'log lines for people, for programs, or by whether a terminal reads them', [
    'auto',
    'json',
    'pretty',
  ]),
  tunable('tickIntervalMs', 'pulse of the node: timeouts are judged this often', 25, 5, 1000),
  tunable('probeIntervalMs', 'one member is probed per interval', 1000, 50, 60_000),
  tunable('probeTimeoutMs', 'least time that a direct ack is waited for', 300, 10, 30_000),
  tunable('suspicionFloorMs', 'least time between suspicion and death', 5000, 100, 600_000),
  tunable('gossipIntervalMs', 'rumors that found no other datagram leave this often', 200, 10, 10_000),
  tunable('maxClockDriftMs', 'further from the median of its peers a node stops coordinating', 500, 10, 60_000),
  tunable('memberGraceMs', 'a member dead for this long loses its place in the ring', 600_000, 1000, 30 * DAY_MS),
  tunable('tombstoneGraceMs', 'a delete is remembered this long for a silent member', DAY_MS, 1000, 365 * DAY_MS),
  tunable('floorMarginMs', 'a delete is remembered this long after every member had it', 10_000, 1000, DAY_MS),
  bytes('walFileBytes', 'size of a log file; a power of two', 16 * MIB, MIB, GIB, true),
  {
    ...bytes('segmentBytes', 'size of a memory segment; 0 is max memory / 512', 0, 0, 4 * MIB, true),
    fallbackText: '0',
  },
  tunable('antiEntropyIntervalMs', 'ms between comparisons of what is held with one peer', 1000, 50, 600_000),
  tunable('operationTimeoutMs', 'an operation that waits for other owners gives up after this', 1000, 50, 60_000),
  bytes('hintBytesPerPeerMax', 'hints kept for one peer at most; past it anti-entropy repairs', 64 * MIB, 0, 16 * GIB),
  bytes('hintBytesMax', 'hints kept for all peers together at most', 256 * MIB, 0, 64 * GIB),
  count('pendingMax', 'operations that wait for other nodes at most; past it -BUSY', 65_536, 16, 1_048_576),
  count('pendingPerPeerMax', 'the same for one other node', 16_384, 16, 1_048_576),
];

const BY_NAME = new Map(SETTINGS.map((setting) => [setting.name, setting]));

/** The row of that name; null if there is none. */
export function settingNamed(name: string): Setting | null {
  return BY_NAME.get(name) ?? null;
}

/** Everything wrong with `values` (by setting name, from any source), relations between them too. */
export function validateConfig(values: Readonly<Record<string, unknown>>): Violation[] {
  return completeConfig(values).violations;
}

/** Fills in defaults. `config` is null exactly when there are violations. */
export function completeConfig(values: Readonly<Record<string, unknown>>): {
  config: NodeConfig | null;
  violations: Violation[];
} {
  const violations: Violation[] = [];
  const fields: Record<string, SettingValue> = {};
  for (const name of Object.keys(values)) {
    if (!BY_NAME.has(name)) violations.push({ setting: name, message: 'is not a setting' });
  }
  for (const setting of SETTINGS) {
    const value = values[setting.name];
    if (value === undefined || value === null) {
      fields[setting.field] = setting.fallback;
      continue;
    }
    const parsed = parseSetting(setting, value);
    if (parsed.problem !== null) violations.push({ setting: setting.name, message: parsed.problem });
    fields[setting.field] = parsed.problem === null ? parsed.value : setting.fallback;
  }
  const wrong = new Set(violations.map((violation) => violation.setting));
  const config = fields as unknown as NodeConfig;
  deriveFields(config);
  violations.push(...brokenRelations(config).filter((violation) => !wrong.has(violation.setting)));
  return { config: violations.length === 0 ? config : null, violations };
}

function deriveFields(config: NodeConfig): void {
  if (config.gossipPort === null) config.gossipPort = config.port === 0 ? 0 : config.port + PORT_OFFSET_GOSSIP;
  // The system may take the name for either family, and datagrams and streams for different ones.
  if (config.bind === 'localhost') config.bind = '127.0.0.1';
  if (config.advertise === '' && !isAnyAddress(config.bind)) config.advertise = config.bind;
}

function brokenRelations(config: NodeConfig): Violation[] {
  const found: Violation[] = [];
  const check = (holds: boolean, setting: string, message: string): void => {
    if (!holds) found.push({ setting, message });
  };
  const loopback = isLoopback(config.bind);
  const missing = [
    ...(config.password === null && config.passwordFile === null ? ['--password-file (passwordFile) for clients'] : []),
    ...(config.secretFile === null ? ['--secret-file (secretFile) for nodes: hearsay secret new makes one'] : []),
  ];
  check(
    config.gossipPort <= 65_535,
    'gossipPort',
    `port ${config.port} leaves no room for port + 10000; say --gossip-port`,
  );
  check(config.port !== config.gossipPort || config.port === 0, 'gossipPort', 'must differ from port');
  check(
    loopback || config.insecure || missing.length === 0,
    'bind',
    `${config.bind} is not loopback: it takes ${missing.join(', and ')}; or say --insecure (insecure in a file) in a network where whoever reaches a port may be believed`,
  );
  check(loopback || !config.enableFaultInjection, 'enableFaultInjection', 'needs a loopback bind');
  check(config.password === null || config.passwordFile === null, 'passwordFile', 'and password exclude each other');
  check(
    !isAnyAddress(config.advertise),
    'advertise',
    `${config.advertise} reaches no node; name an address of this machine`,
  );
  check(config.probeTimeoutMs < config.probeIntervalMs, 'probeTimeoutMs', 'must be less than probeIntervalMs');
  check(config.suspicionFloorMs >= config.probeIntervalMs, 'suspicionFloorMs', 'must be at least probeIntervalMs');
  check(config.tickIntervalMs <= config.gossipIntervalMs, 'tickIntervalMs', 'must be at most gossipIntervalMs');
  check(config.tickIntervalMs < config.probeTimeoutMs, 'tickIntervalMs', 'must be less than probeTimeoutMs');
  check(config.memberGraceMs > config.suspicionFloorMs, 'memberGraceMs', 'must be more than suspicionFloorMs');
  check(config.tombstoneGraceMs >= config.memberGraceMs, 'tombstoneGraceMs', 'must be at least memberGraceMs');
  check(
    config.floorMarginMs >= 4 * config.maxClockDriftMs,
    'floorMarginMs',
    'must be at least four times maxClockDriftMs',
  );
  check(
    config.segmentBytes === 0 || (config.segmentBytes >= 4 * KIB && config.segmentBytes * 16 <= config.maxMemory),
    'segmentBytes',
    'must be 0, or from 4kb to a sixteenth of maxMemory',
  );
  check(
    config.clientQueryBytesMax >= config.clientBulkBytesMax + QUERY_ROOM_BYTES_MIN,
    'clientQueryBytesMax',
    `must be at least clientBulkBytesMax (${formatBytes(config.clientBulkBytesMax)}) and ${formatBytes(QUERY_ROOM_BYTES_MIN)}: a command is longer than its longest argument`,
  );
  check(
    config.clientOutputBytesMax >= config.clientBulkBytesMax + OUTPUT_ROOM_BYTES_MIN,
    'clientOutputBytesMax',
    `must be at least clientBulkBytesMax (${formatBytes(config.clientBulkBytesMax)}) and ${formatBytes(OUTPUT_ROOM_BYTES_MIN)}: who reads what was written would be closed for it`,
  );
  check(config.pendingPerPeerMax <= config.pendingMax, 'pendingPerPeerMax', 'must be at most pendingMax');
  return found;
}
