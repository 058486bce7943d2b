/**
 * `hearsay leave`: has one node give its place up for good, and waits until others hold what it held and it has ended.
 * `hearsay forget ID`: has a cluster forget a dead member, which then has no say any more over what may be forgotten.
 * Guarded: a node that stops listening while it leaves has left only if it said that nothing was to be handed over any more; one that
 * took its place back has not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import { DONE, FAILED, UNWELL } from './exit-codes.js';
import { NodeLink } from './node-link.js';
import { countText } from './progress.js';
import { configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';
import type { Flags } from './transfer.js';

const TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 250;

export async function runLeave(flags: Flags, terminal: Terminal): Promise<number> {
  const link = await linkTo(flags, terminal);
  let left: number | null = null;
  let asked = false;
  try {
    const node = String(statusIn(await link.request('HEARSAY.STATUS')).get('node') ?? 'the node');
    await link.request('HEARSAY.LEAVE');
    asked = true;
    for (;;) {
      const status = statusIn(await link.request('HEARSAY.STATUS'));
      if (Number(status.get('leaving') ?? 0) === 0) {
        terminal.error(`hearsay: ${node} stays: nobody else keeps its place, so there is nobody to hand over to\n`);
        return FAILED;
      }
      const now = Number(status.get('partitions_to_hand_over') ?? 0);
      if (now !== left) terminal.out(`${node} leaves: ${countText(now, 'partition')} to hand over\n`);
      left = now;
      await sleep(POLL_INTERVAL_MS);
    }
  } catch (error) {
    if (!(error instanceof HearsayError)) throw error;
    if (asked && error.code === 'UNAVAILABLE' && left === 0) {
      terminal.out('left for good: others hold what it held\n');
      return DONE;
    }
    const broken = asked
      ? `${error.message}: it may have been stopped before everything was handed over`
      : error.message;
    terminal.error(`hearsay: ${broken}\n`);
    return asked ? UNWELL : FAILED;
  } finally {
    link.close();
  }
}

export async function runForget(id: string, flags: Flags, terminal: Terminal): Promise<number> {
  const link = await linkTo(flags, terminal);
  try {
    await link.request('HEARSAY.FORGET', id);
    terminal.out(`${id} is forgotten: should it come back, it has to come with an empty data directory\n`);
    return DONE;
  } finally {
    link.close();
  }
}

function linkTo(flags: Flags, terminal: Terminal): Promise<NodeLink> {
  // What decides whether a node may start (a password off loopback) is no matter for asking it.
  const { config } = configFrom({ insecure: true, ...settingFlags(flags) }, flags.config, terminal);
  const host = typeof flags.host === 'string' ? flags.host : '127.0.0.1';
  const options = { host, port: config.port, isContact: true, password: config.password, timeoutMs: TIMEOUT_MS };
  return NodeLink.open(options);
}

/** The plain facts of HEARSAY.STATUS, by name. */
function statusIn(reply: Reply): Map<string, unknown> {
  const facts = new Map<string, unknown>();
  if (!Array.isArray(reply)) return facts;
  for (let at = 0; at + 1 < reply.length; at += 2) facts.set(textIn(reply[at]), plainIn(reply[at + 1]));
  return facts;
}

function textIn(reply: unknown): string {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply);
}

function plainIn(reply: unknown): unknown {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : reply;
}
