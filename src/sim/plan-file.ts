/**
 * A plan from a file: a fixture of test/fixtures/plans, what `simulate --shrink --plan` or a campaign wrote, or one by hand. main.ts reads
 * `--replay` by it.
 * Guarded: whatever stands in the file, either every node, client and time of the plan is one that a run can play, or the first thing
 * that is not is named; nothing of the file is played before.
 */
import { readFileSync } from 'node:fs';
import { completePlan, type Plan, type Step } from './schedule.js';

const NODES_MAX = 64;
const STEPS_MAX = 1_000_000;
const LEVELS: readonly unknown[] = ['one', 'quorum', 'all'];

/** What a step of each kind must have beside its time; what is optional is looked at where it is there. */
const FIELDS: Readonly<Record<Step['kind'], string>> = {
  command: 'client words',
  kill: 'nodes downMs',
  power: 'nodes downMs',
  wipe: 'node downMs',
  stop: 'node downMs',
  pause: 'node forMs',
  partition: 'pairs forMs',
  udp: 'node forMs',
  clock: 'node byMs',
  secret: 'node words',
  disk: 'fault',
  lag: 'pairs byMs forMs',
  shuffle: 'node spreadMs forMs',
  narrow: 'pairs bytesPerMs forMs',
  mute: 'pairs forMs',
  halve: 'nodes',
  deaf: 'node forMs',
  unwelcome: 'node delayMs forMs',
  slow: 'node turnCostMs forMs',
  stalls: 'nodes forMs everyMs times',
  rate: 'node ppm forMs',
  grain: 'node grainMs',
  join: 'node',
  leave: 'node',
  forget: 'node',
  roll: 'nodes everyMs downMs',
  move: 'node downMs',
  replace: 'node by',
  skew: 'node wire downMs forMs',
};

const DISK_FIELDS: Readonly<Record<(Step & { kind: 'disk' })['fault'], string>> = {
  full: 'node forMs slackBytes',
  slow: 'node forMs syncMs',
  sync: 'node count',
  write: 'node count code',
  rot: 'node file draws downMs',
  swap: 'nodes downMs',
  stale: 'node ageMs downMs',
};

type Fields = Readonly<Record<string, unknown>>;

/** How many of each a plan has. */
interface Bounds {
  readonly nodes: number;
  readonly clients: number;
}

/** Throws an Error that says why there is none. */
export function readPlan(file: string): Plan {
  let held: unknown;
  try {
    held = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} can not be read: ${(error as Error).message}`);
  }
  // A fixture says what it found beside its plan.
  const part = isFields(held) && isFields(held.plan) ? held.plan : held;
  if (!isFields(part) || !isCount(part.seed) || !Array.isArray(part.steps) || !Array.isArray(part.clients)) {
    throw new Error(`${file} holds no plan`);
  }
  const { seed, steps, clients } = part;
  // What it lacks is what an older plan lacked; what it has is looked at below.
  const plan = completePlan({ ...part, seed, steps, clients });
  const problem = problemOf(plan);
  if (problem !== null) throw new Error(`${file} holds a plan that can not be played: ${problem}`);
  return plan;
}

/** Why a run can not play it; null if it can. */
export function problemOf(plan: Plan): string | null {
  const { nodes, replicas, partitions, lengthMs, late = 0 } = plan;
  if (!isCount(nodes) || nodes < 1 || nodes > NODES_MAX) return `nodes is ${text(nodes)}, not from 1 to ${NODES_MAX}`;
  if (!isCount(late) || late > NODES_MAX) return `late is ${text(late)}, not from 0 to ${NODES_MAX}`;
  for (const [name, value] of Object.entries({ replicas, partitions })) {
    if (!isCount(value) || value < 1) return `${name} is ${text(value)}, not a whole number from 1`;
  }
  if (!isTime(lengthMs)) return `lengthMs is ${text(lengthMs)}, no time`;
  if (!['interval', 'always', 'off'].includes(plan.durability)) return `durability is ${text(plan.durability)}`;
  if (plan.clocks.length !== nodes) return `${nodes} nodes, and clocks for ${plan.clocks.length}`;
  const bounds = { nodes: nodes + late, clients: plan.clients.length };
  for (const [at, client] of plan.clients.entries()) {
    const problem = clientProblem(client, bounds);
    if (problem !== null) return `client ${at}: ${problem}`;
  }
  if (plan.steps.length > STEPS_MAX) return `more than ${STEPS_MAX} steps`;
  for (const [at, step] of plan.steps.entries()) {
    const problem = stepProblem(step, bounds);
    if (problem !== null) return `step ${at}: ${problem}`;
  }
  return null;
}

function clientProblem(client: unknown, bounds: Bounds): string | null {
  if (!isFields(client)) return 'it is no record';
  if (!isBelow(client.node, bounds.nodes)) return `node is ${text(client.node)}, and there are ${bounds.nodes}`;
  for (const level of [client.readLevel, client.writeLevel]) {
    if (!LEVELS.includes(level)) return `a level is ${text(level)}, none of ${LEVELS.join(', ')}`;
  }
  return client.protocol === 2 || client.protocol === 3 ? null : `protocol is ${text(client.protocol)}, not 2 or 3`;
}

function stepProblem(step: unknown, bounds: Bounds): string | null {
  if (!isFields(step)) return 'it is no record';
  const fields = fieldsOf(FIELDS, step.kind);
  if (fields === null) return `no kind of step is named ${text(step.kind)}`;
  const disk = step.kind === 'disk' ? fieldsOf(DISK_FIELDS, step.fault) : [];
  if (disk === null) return `no fault of a disk is named ${text(step.fault)}`;
  if (!isTime(step.atMs)) return `atMs is ${text(step.atMs)}, no time`;
  for (const name of [...fields, ...disk]) if (!(name in step)) return `${step.kind} has no ${name}`;
  for (const [name, value] of Object.entries(step)) {
    const problem = valueProblem(name, value, bounds);
    if (problem !== null) return `${name} is ${text(value)}, ${problem}`;
  }
  return null;
}

function fieldsOf(table: Readonly<Record<string, string>>, name: unknown): readonly string[] | null {
  return typeof name === 'string' && Object.hasOwn(table, name) ? table[name].split(' ') : null;
}

/** One name means one thing in every kind of step. */
function valueProblem(name: string, value: unknown, { nodes, clients }: Bounds): string | null {
  const isNode = (one: unknown): boolean => isBelow(one, nodes);
  switch (name) {
    case 'node':
    case 'by':
      return isNode(value) ? null : `and there are ${nodes} nodes`;
    case 'client':
      return isBelow(value, clients) ? null : `and there are ${clients} clients`;
    case 'nodes':
      return isListOf(value, isNode) ? null : `no list of nodes below ${nodes}`;
    case 'pairs':
      return isListOf(value, (pair) => isListOf(pair, isNode) && pair.length === 2)
        ? null
        : 'no list of pairs of nodes';
    case 'words':
      return isListOf(value, (word) => typeof word === 'string') ? null : 'no list of words';
    case 'draws':
      return isListOf(value, isCount) ? null : 'no list of whole numbers';
    case 'byMs':
    case 'ppm':
      return Number.isFinite(value) ? null : 'no number';
    case 'delayMs':
      return value === null || isTime(value) ? null : 'no time';
    case 'times':
    case 'count':
    case 'bytesPerMs':
    case 'slackBytes':
      return isTime(value) ? null : 'no number from 0';
    default:
      return !name.endsWith('Ms') || isTime(value) ? null : 'no time';
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, is: (one: unknown) => boolean): value is unknown[] {
  return Array.isArray(value) && value.every(is);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isBelow(value: unknown, bound: number): boolean {
  return isCount(value) && value < bound;
}

function isTime(value: unknown): boolean {
  return Number.isFinite(value) && Number(value) >= 0;
}

function text(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? 'missing';
}
