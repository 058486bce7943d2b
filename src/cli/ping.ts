/**
 * `hearsay ping`: asks a node on this machine whether it is ready. For health checks: exit code 0 if so, 3 if it is alive
 * and not ready, 1 if it can not be asked.
 * Address and password come from the node's own settings, so that in a container it needs no flags.
 */
import { askNode, recordOf } from '../../cluster/probe.js';
import { isAnyAddress } from '../core/setting.js';
import { DONE, FAILED, UNWELL } from './exit-codes.js';
import { gossipPortHint } from './gossip-port.js';
import { whyUnreachable } from './node-link.js';
import { configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';

const TIMEOUT_MS = 2000;

export async function runPing(options: Readonly<Record<string, unknown>>, terminal: Terminal): Promise<number> {
  // What decides whether a node may start (a password off loopback) is no matter for asking it.
  const { config } = configFrom({ insecure: true, ...settingFlags(options) }, options.config, terminal);
  const host = isAnyAddress(config.bind) ? '127.0.0.1' : config.bind;
  const greeting = config.password === null ? [] : [['AUTH', config.password]];
  try {
    const replies = await askNode(host, config.port, [...greeting, ['PING'], ['HEARSAY.STATUS']], TIMEOUT_MS);
    const wrong = replies.find((reply) => reply instanceof Error);
    if (wrong instanceof Error) throw wrong;
    const ready = String(recordOf(replies[replies.length - 1])?.ready) === '1';
    terminal.out(ready ? 'ready\n' : 'alive, not ready\n');
    return ready ? DONE : UNWELL;
  } catch (error) {
    const why = (await gossipPortHint(host, config.port)) || whyUnreachable(error as Error, '--bind');
    terminal.error(`hearsay: ${host}:${config.port}: ${why}\n`);
    return FAILED;
  }
}
