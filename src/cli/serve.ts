/**
 * `hearsay serve`: one node until a signal. The first SIGINT or SIGTERM stops it in order, the second at once.
 * It gathers the settings, opens the log and leaves the node to src/system/serve.ts.
 */
import type { NodeConfig } from '../core/config.js';
import { NodeLog, StandardOutput } from '../system/log.js';
import { startNode } from '../system/serve.js';
import { configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';

const STOP_LIMIT_MS = 10_000;

export async function runServe(
  options: Readonly<Record<string, unknown>>,
  version: string,
  terminal: Terminal,
): Promise<number> {
  const { config } = configFrom(settingFlags(options), options.config, terminal);
  const log = logFor(config, terminal);
  const stopAsked = new Promise<void>((resolve) => {
    let asked = 0;
    const stop = (): void => {
      asked++;
      if (asked > 1) process.exit(1);
      resolve();
    };
    terminal.onStopSignal(stop);
    if (options.stopWithStdin === true) process.stdin.once('end', stop).resume();
  });
  process.once('uncaughtException', (error) => {
    log.error('the node broke one of its own rules and ends', { error: error.stack ?? String(error) });
    log.flush();
    process.exit(1);
  });
  const node = await startNode(config, log);
  log.nameNode(node.id);
  // As daemons do: the terminal may go, the node reads its keys again.
  if (config.secretFile !== null) process.on('SIGHUP', () => node.reloadSecrets());
  log.info('listening', {
    version,
    resp: `${config.bind}:${node.port}`,
    gossip: `${config.bind}:${node.gossipPort}`,
    data: config.data,
    sealed: config.secretFile !== null,
    ...(config.enableFaultInjection ? { faultInjection: true } : {}),
  });
  const failure = await Promise.race([stopAsked.then(() => null), node.ended]);
  if (failure !== null) log.error('the node can not go on', { error: failure.message });
  // What hangs in the goodbye must not keep the process.
  setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref();
  await node.stop();
  log.info('stopped');
  log.flush();
  return failure === null ? 0 : 1;
}

function logFor(config: NodeConfig, terminal: Terminal): NodeLog {
  return new NodeLog(new StandardOutput(), {
    node: config.id,
    level: config.logLevel,
    format: config.logFormat,
    terminal: terminal.interactive,
  });
}
