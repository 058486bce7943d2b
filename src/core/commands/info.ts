/**
 * INFO: counters and facts in Redis's sections and names, as far as they mean something here, and a section of Hearsay's own
 * from the node's status. Clients look for `redis_version`, `loading`, `role` and `cluster_enabled` before they go on.
 */
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { connectionOf } from './command.js';
import { REDIS_VERSION } from './connection.js';

type Status = ReturnType<CommandContext['host']['status']>;
type Lines = [string, string | number][];
type Section = (context: CommandContext, status: Status) => Lines;

function server(context: CommandContext): Lines {
  const { host } = context;
  const { settings } = host;
  const upSeconds = Math.floor((host.monotonicMs - connectionOf(context).connections.startedMs) / 1000);
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', settings.topology === 'off' ? 'standalone' : 'cluster'],
    ['hearsay_version', settings.version],
    ['hearsay_node', settings.nodeId],
    ['hearsay_cluster', settings.clusterName],
    ['arch_bits', 64],
    ['process_supervised', 'no'],
    ['run_id', settings.hexId],
    ['tcp_port', settings.port],
    ['server_time_usec', Math.floor(host.wallMs * 1000)],
    ['uptime_in_seconds', upSeconds],
    ['uptime_in_days', Math.floor(upSeconds / 86_400)],
    ['hz', 10],
    ['configured_hz', 10],
    ['lru_clock', 0],
    ['executable', 'hearsay'],
    ['config_file', ''],
    ['io_threads_active', 0],
  ];
}

function clients(context: CommandContext): Lines {
  return [
    ['connected_clients', connectionOf(context).connections.size],
    ['cluster_connections', Math.max(0, context.host.cluster().length - 1)],
    ['maxclients', context.host.settings.maxClients],
    ['client_recent_max_input_buffer', largest(context, 'pendingInputBytes')],
    ['client_recent_max_output_buffer', largest(context, 'pendingOutputBytes')],
    ['blocked_clients', 0],
    ['tracking_clients', 0],
    ['clients_in_timeout_table', 0],
    ['total_blocking_keys', 0],
  ];
}

function largest(context: CommandContext, field: 'pendingInputBytes' | 'pendingOutputBytes'): number {
  let most = 0;
  for (const connection of connectionOf(context).connections.all()) most = Math.max(most, connection[field]);
  return most;
}

function memory({ host, stats: counters }: CommandContext, status: Status): Lines {
  const used = numberIn(status, 'memory_bytes');
  const live = numberIn(status, 'live_bytes');
  const rss = numberIn(status, 'rss_bytes');
  counters.memoryPeakBytes = Math.max(counters.memoryPeakBytes, used);
  const peak = counters.memoryPeakBytes;
  const { maxMemoryBytes, eviction } = host.settings;
  return [
    ['used_memory', used],
    ['used_memory_human', human(used)],
    ['used_memory_rss', rss],
    ['used_memory_rss_human', human(rss)],
    ['used_memory_peak', peak],
    ['used_memory_peak_human', human(peak)],
    ['used_memory_peak_perc', `${percent(used, peak)}%`],
    ['used_memory_overhead', Math.max(0, used - live)],
    ['used_memory_startup', 0],
    ['used_memory_dataset', live],
    ['used_memory_dataset_perc', `${percent(live, used)}%`],
    ['used_memory_lua', 0],
    ['used_memory_lua_human', '0B'],
    ['used_memory_scripts', 0],
    ['number_of_cached_scripts', 0],
    ['number_of_functions', 0],
    ['number_of_libraries', 0],
    ['maxmemory', maxMemoryBytes],
    ['maxmemory_human', human(maxMemoryBytes)],
    ['maxmemory_policy', eviction === 'none' ? 'noeviction' : 'allkeys-s3-fifo'],
    ['mem_fragmentation_ratio', used === 0 ? '0.00' : (rss / used).toFixed(2)],
    ['mem_fragmentation_bytes', rss - used],
    ['mem_replication_backlog', 0],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', 0],
    ['mem_aof_buffer', 0],
    ['mem_allocator', 'segments'],
    ['active_defrag_running', 0],
    ['lazyfree_pending_objects', 0],
    ['lazyfreed_objects', 0],
  ];
}

/** There is no dump to be late with: what a write waits for is the log. */
function persistence({ host }: CommandContext, status: Status): Lines {
  const refusal = status.log_refusal;
  const logs = refusal === undefined || refusal === '';
  return [
    ['loading', 0],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', 0],
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_save_time', Math.floor(host.wallMs / 1000)],
    ['rdb_last_bgsave_status', 'ok'],
    ['rdb_last_bgsave_time_sec', -1],
    ['rdb_current_bgsave_time_sec', -1],
    ['rdb_last_cow_size', 0],
    ['aof_enabled', host.settings.durability === 'off' ? 0 : 1],
    ['aof_rewrite_in_progress', 0],
    ['aof_rewrite_scheduled', 0],
    ['aof_last_rewrite_time_sec', -1],
    ['aof_current_rewrite_time_sec', -1],
    ['aof_last_bgrewrite_status', 'ok'],
    ['aof_last_write_status', logs ? 'ok' : 'err'],
    ['aof_last_cow_size', 0],
  ];
}

function stats(context: CommandContext, status: Status): Lines {
  const { host, stats: counters } = context;
  const { probe } = connectionOf(context).connections;
  return [
    ['total_connections_received', counters.connectionsReceived],
    ['total_commands_processed', counters.commandsProcessed],
    ['instantaneous_ops_per_sec', counters.commandsPerSecond],
    ['total_net_input_bytes', counters.inputBytes],
    ['total_net_output_bytes', counters.outputBytes],
    ['instantaneous_input_kbps', (counters.inputBytesPerSecond / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (counters.outputBytesPerSecond / 1024).toFixed(2)],
    ['rejected_connections', counters.connectionsRejected],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_keys', numberIn(status, 'expired')],
    ['evicted_keys', numberIn(status, 'evictions')],
    ['keyspace_hits', counters.keyspaceHits],
    ['keyspace_misses', counters.keyspaceMisses],
    ['pubsub_channels', 0],
    ['pubsub_patterns', 0],
    ['pubsubshard_channels', 0],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['slave_expires_tracked_keys', 0],
    ['tracking_total_keys', 0],
    ['tracking_total_items', 0],
    ['tracking_total_prefixes', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', counters.errorsTotal],
    ['client_output_buffer_limit_disconnections', counters.outputLimitClosed],
    ['hearsay_partial_command_disconnections', counters.partialCommandClosed],
    ['hearsay_stuck_log_disconnections', counters.heldClosed],
    ['hearsay_stuck_log_refusals', counters.heldRefused],
    ['hearsay_protocol_errors', counters.protocolErrors],
    ['hearsay_passwords_refused', counters.passwordsRefused],
    ['hearsay_passwords_unheard', host.passwordGuesses.unheard],
    ['hearsay_password_addresses_forgotten', host.passwordGuesses.forgotten],
    ['hearsay_scans_postponed', host.scanWork.postponed],
    ['hearsay_slowlog_entries', probe.slowLog.size],
    ['hearsay_slowlog_dropped', probe.slowLog.dropped],
    ['hearsay_monitors', probe.monitorCount],
    ['hearsay_monitors_refused', probe.monitorsRefused],
    ['hearsay_backpressure_pauses', counters.pauses],
  ];
}

function replication({ host }: CommandContext): Lines {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', host.settings.hexId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
    ['repl_backlog_size', 0],
    ['repl_backlog_first_byte_offset', 0],
    ['repl_backlog_histlen', 0],
  ];
}

function cpu(_context: CommandContext, status: Status): Lines {
  return [
    ['used_cpu_sys', numberIn(status, 'cpu_system_seconds').toFixed(6)],
    ['used_cpu_user', numberIn(status, 'cpu_user_seconds').toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ];
}

function commandstats(context: CommandContext): Lines {
  const { stats: counters } = context;
  const { timings } = connectionOf(context).connections.probe;
  const lines: Lines = [];
  for (const [index, { name }] of connectionOf(context).connections.table.commands.entries()) {
    const calls = counters.calls[index];
    const rejected = counters.rejected[index];
    if (calls + rejected === 0) continue;
    const failed = counters.failed[index];
    const perCall = timings.meanUs(index);
    lines.push([
      `cmdstat_${name}`,
      `calls=${calls},usec=${Math.round(calls * perCall)},usec_per_call=${perCall.toFixed(2)},rejected_calls=${rejected},failed_calls=${failed}`,
    ]);
  }
  return lines;
}

function errorstats({ stats: counters }: CommandContext): Lines {
  return [...counters.errors].map(([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}

/** Of the calls that were timed: those of constant work are sampled. */
function latencystats(context: CommandContext): Lines {
  const { table, probe } = connectionOf(context).connections;
  const lines: Lines = [];
  for (const [index, { name }] of table.commands.entries()) {
    if (probe.timings.samples[index] === 0) continue;
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((part) => probe.timings.percentileUs(index, part).toFixed(3));
    lines.push([`latency_percentiles_usec_${name}`, `p50=${p50},p99=${p99},p99.9=${p999}`]);
  }
  return lines;
}

function cluster({ host }: CommandContext): Lines {
  return [['cluster_enabled', host.settings.topology === 'off' ? 0 : 1]];
}

function keyspace({ host }: CommandContext): Lines {
  let keys = 0;
  let expiring = 0;
  for (let partition = 0; partition < host.settings.partitions; partition++) {
    if (!host.holds(partition)) continue;
    keys += host.countKeys(partition);
    expiring += host.countExpiring(partition);
  }
  return keys === 0 ? [] : [['db0', `keys=${keys},expires=${expiring},avg_ttl=0`]];
}

/** Every plain value of the node's status, its name in snake case. */
function hearsay(_context: CommandContext, status: Status): Lines {
  const lines: Lines = [];
  for (const [name, value] of Object.entries(status)) {
    if (typeof value === 'object') continue;
    const plain = typeof value === 'boolean' ? Number(value) : value;
    lines.push([`hearsay_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, plain]);
  }
  return lines;
}

const SECTIONS: [string, Section][] = [
  ['Server', server],
  ['Clients', clients],
  ['Memory', memory],
  ['Persistence', persistence],
  ['Stats', stats],
  ['Replication', replication],
  ['CPU', cpu],
  ['Modules', () => []],
  ['Commandstats', commandstats],
  ['Errorstats', errorstats],
  ['Latencystats', latencystats],
  ['Cluster', cluster],
  ['Keyspace', keyspace],
  ['Hearsay', hearsay],
];
/** Shown only when asked for. */
const NOT_BY_DEFAULT = new Set(['commandstats', 'latencystats']);

function run(context: CommandContext, args: Args, reply: Reply): void {
  const asked = new Set<string>();
  for (let index = 1; index < args.count && index <= SECTIONS.length; index++) {
    asked.add(args.quote(index, 32).toLowerCase());
  }
  const everything = asked.has('all') || asked.has('everything');
  const byDefault = asked.size === 0 || asked.has('default');
  const status = context.host.status();
  const texts: string[] = [];
  for (const [title, section] of SECTIONS) {
    const name = title.toLowerCase();
    if (!everything && !asked.has(name) && !(byDefault && !NOT_BY_DEFAULT.has(name))) continue;
    const lines = section(context, status).map(([key, value]) => `${key}:${value}\r\n`);
    texts.push(`# ${title}\r\n${lines.join('')}`);
  }
  reply.verbatim(texts.join('\r\n'));
}

function numberIn(status: Status, name: string): number {
  const value = status[name];
  return typeof value === 'number' ? value : 0;
}

function percent(part: number, whole: number): string {
  return (whole === 0 ? 0 : (part / whole) * 100).toFixed(2);
}

function human(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  const units = ['K', 'M', 'G', 'T'];
  let amount = bytes / 1024;
  let unit = 0;
  for (; amount >= 1024 && unit < units.length - 1; unit++) amount /= 1024;
  return `${amount.toFixed(2)}${units[unit]}`;
}

export const infoCommand: Command = {
  name: 'info',
  arity: -1,
  flags: 0,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Show counters and facts of this node',
  run,
};
