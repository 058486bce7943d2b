/**
 * Trial: keys with lives of 2 to 20 seconds, written while nodes are killed and one joins. None is read after its time from any node;
 * and in a healthy cluster, expiry alone causes no repair.
 */
import { Draws } from '../chaos/draws.js';
import { runBulk } from './bulk.js';
import { Doors } from './doors.js';
import { atLeast, exactly, type Finding, none } from './finding.js';
import type { Stage } from './stage.js';
import type { Trial, TrialContext } from './trial.js';

const LIFE_MS = [2000, 20_000] as const;
const RATE = 1500;
const KILL_INTERVAL_MS = 7000;
const READ_AT_ONCE = 300;
const QUIET_LIFE_MS = [4000, 9000] as const;

/** A key whose write was acknowledged, and the time at which nobody may give it any more. */
interface Mortal {
  readonly key: string;
  readonly endsAtMs: number;
}

export const ttl: Trial = {
  name: 'ttl',
  title: 'keys with lives of 2 to 20 s under kills and a hand-off: none read after its time, no repair by expiry',
  sabotage: 'some keys are made to live on',
  async run(context) {
    const stage = await context.open({ nodes: 6, startedNodes: 5 });
    const late: string[] = [];
    const counts = { alive: 0, past: 0 };
    const mortals = await underKills(context, stage, late, counts);
    await context.pass(LIFE_MS[1] + 1000);
    for (const index of stage.cluster.running()) {
      const values = await stage.valuesAt(
        index,
        mortals.map(({ key }) => key),
      );
      for (const [at, value] of values.entries()) {
        counts.past++;
        if (value !== undefined) late.push(`${mortals[at].key} on ${stage.name(index)} at the end`);
      }
    }
    await stage.cluster.untilReady();
    const repaired = await quietExpiry(context, stage);
    return [
      atLeast('keys written', mortals.length, context.quick ? 5000 : 90_000),
      atLeast('reads in time that found the value', counts.alive, 1000),
      atLeast('reads past the time', counts.past, 1000),
      none('values read after their time', late),
      exactly('records sent for repair while keys expired in a healthy cluster', repaired, 0),
    ] satisfies Finding[];
  },
};

async function underKills(
  context: TrialContext,
  stage: Stage,
  late: string[],
  counts: { alive: number; past: number },
): Promise<Mortal[]> {
  const wanted = context.quick ? 15_000 : 100_000;
  const draws = new Draws(context.seed);
  const doors = new Doors('quorum', 1500);
  const mortals: Mortal[] = [];
  const startedAtMs = performance.now();
  let begun = 0;
  let running = true;
  const writing = setInterval(() => {
    const due = Math.min(wanted, Math.floor(((performance.now() - startedAtMs) * RATE) / 1000));
    const ports = stage.ports();
    for (; begun < due && ports.length > 0; begun++) {
      void writeMortal(doors, ports[draws.below(ports.length)], begun, draws, context.sabotage).then((mortal) => {
        if (mortal !== null) mortals.push(mortal);
      });
    }
  }, 10);
  const reading = (async () => {
    while (running) {
      await readSome(stage, mortals, draws, late, counts);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  try {
    for (let round = 0; begun < wanted; round++) {
      await context.pass(KILL_INTERVAL_MS / 2);
      const victim = round % 5;
      context.tell(`kill -9 ${stage.name(victim)}`);
      await stage.cluster.kill(victim);
      await context.pass(KILL_INTERVAL_MS / 2);
      stage.cluster.start(victim);
      if (round === 0) {
        context.tell(`${stage.name(5)} joins`);
        stage.cluster.start(5);
      }
    }
  } finally {
    clearInterval(writing);
    running = false;
    await reading;
    doors.close();
  }
  return mortals;
}

async function writeMortal(
  doors: Doors,
  port: number,
  index: number,
  draws: Draws,
  spoilt: boolean,
): Promise<Mortal | null> {
  const lifeMs = draws.between(...LIFE_MS);
  const key = `mortal:${index}`;
  const given = spoilt && index % 500 === 0 ? lifeMs + 60_000 : lifeMs;
  try {
    await doors.call(port, 'SET', key, 'v', 'PX', String(given));
    // The node stamped the end before it answered.
    return { key, endsAtMs: performance.now() + lifeMs };
  } catch {
    return null;
  }
}

/** Reads what ends now and what ended lately from one node. */
async function readSome(
  stage: Stage,
  mortals: readonly Mortal[],
  draws: Draws,
  late: string[],
  counts: { alive: number; past: number },
): Promise<void> {
  const running = stage.cluster.running();
  if (mortals.length === 0 || running.length === 0) return;
  const index = running[draws.below(running.length)];
  const from = Math.max(0, mortals.length - RATE * 30);
  const chosen = Array.from({ length: READ_AT_ONCE }, () => mortals[draws.between(from, mortals.length - 1)]);
  const askedAtMs = performance.now();
  const values = await stage
    .valuesAt(
      index,
      chosen.map(({ key }) => key),
    )
    .catch(() => []);
  for (const [at, value] of values.entries()) {
    const past = chosen[at].endsAtMs < askedAtMs;
    if (past) counts.past++;
    if (past && value !== undefined) late.push(`${chosen[at].key} on ${stage.name(index)}`);
    if (!past && value !== undefined) counts.alive++;
  }
}

/** Keys that expire while nothing else happens; the records that repair sent meanwhile. */
async function quietExpiry(context: TrialContext, stage: Stage): Promise<number> {
  const draws = new Draws(context.seed + 1);
  await stage.untilEachAgreed(60_000);
  await runBulk(stage.ports(), 'all', context.quick ? 3000 : 20_000, (index) => [
    ...['SET', `quiet:${index}`, 'v', 'PX'],
    String(draws.between(...QUIET_LIFE_MS)),
  ]);
  const before = await stage.total('repair_records_sent');
  await context.pass(QUIET_LIFE_MS[1] + 3000);
  return (await stage.total('repair_records_sent')) - before;
}
