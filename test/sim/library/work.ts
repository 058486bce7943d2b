/**
 * What an application does with the library in a run: workers that call each verb, in sessions and without, with signals that end their
 * calls, in bursts above the bound of calls. library-run.ts starts them on an application and ends them. Guarded: each makes its next call
 * when the last has settled, so a call without an end is seen as one; what it draws depends on its seed and its own number alone.
 */
import type { CallOptions, Receipt, SiblingContext } from '../../../src/client/cache.js';
import type { Client } from '../../../src/client/client.js';
import type { ConsistencyLevel } from '../../../src/client/greeting.js';
import { HearsayError } from '../../../src/core/base/errors.js';
import type { Random } from '../../../src/core/base/random.js';
import type { Application } from './application.js';
import type { Asked, Judge, Outcome } from './judge.js';
import { type CountLedger, SessionKey, textOf, type ValueLedger } from './ledgers.js';
import type { Repeat } from './wire.js';

export interface Bench {
  application: Application;
  client: Client;
  judge: Judge;
  values: ValueLedger;
  counts: CountLedger;
  timeoutMs: number;
  maxInFlight: number;
  /** A read that fails rejects. */
  throws: boolean;
  /** Prefix of the keys that this client's sessions have to themselves. */
  name: string;
  /** Workers end when this is true. */
  stopped: boolean;
}

export type Worker = (bench: Bench, random: Random) => Promise<void>;

const KEYS = Array.from({ length: 12 }, (_, at) => `k${at}`);
const LEVELS: readonly (ConsistencyLevel | undefined)[] = [undefined, undefined, 'one', 'quorum', 'all'];
const PAUSE_MS_MAX = 25;

export async function repeatUntilStopped(bench: Bench, random: Random, work: () => Promise<unknown>): Promise<void> {
  while (!bench.stopped) {
    await work();
    await bench.application.sleep(random.below(PAUSE_MS_MAX * 10) / 10);
  }
}

/** Single values: set, get, has, getMany, setMany, with and without receipts. */
export const valueWorker: Worker = (bench, random) =>
  repeatUntilStopped(bench, random, async () => {
    const key = KEYS[random.below(KEYS.length)];
    const options = { consistency: LEVELS[random.below(LEVELS.length)] };
    switch (random.below(8)) {
      case 0:
      case 1:
        return setOne(bench, key, options);
      case 2:
        return setWithReceipt(bench, key, options);
      case 3:
        return getWithReceipt(bench, key, options);
      case 4:
        return getMany(bench, random.shuffle([...KEYS]).slice(0, random.between(0, KEYS.length)), options);
      case 5:
        return setMany(bench, random.shuffle([...KEYS]).slice(0, random.between(0, 6)), options);
      default:
        return getOne(bench, key, options);
    }
  });

export async function setOne(bench: Bench, key: string, options: CallOptions): Promise<Outcome<void>> {
  const { judge, client, values } = bench;
  const mark = judge.newMark();
  values.writing(key, mark);
  const asked = ask(bench, `set ${key}`, 'idempotent', [mark], options);
  const outcome = await judge.watch(bench.application, asked, () => client.set(key, textOf(key, mark), options));
  values.wrote(mark, outcome);
  if (outcome.done && !isAcknowledged(bench, mark))
    judge.violate(`reply: set ${key} resolved without a reply of its own`);
  return outcome;
}

export async function getOne(bench: Bench, key: string, options: CallOptions): Promise<Outcome<unknown>> {
  const { judge, client, values } = bench;
  const outcome = await judge.watch(bench.application, ask(bench, `get ${key}`, 'read', [], options), () =>
    client.get(key, options),
  );
  if (outcome.done) values.read(key, outcome.value);
  return outcome;
}

async function setWithReceipt(bench: Bench, key: string, options: CallOptions): Promise<void> {
  const { judge, client, values } = bench;
  const mark = judge.newMark();
  values.writing(key, mark);
  const value = textOf(key, mark);
  const asked = ask(bench, `set ${key}, receipt`, 'idempotent', [mark], options);
  const outcome = await judge.watch<{ receipt: Receipt }>(bench.application, asked, () =>
    client.set(key, value, { ...options, receipt: true }),
  );
  values.wrote(mark, outcome);
  if (outcome.done) values.receipt(key, value, outcome.value.receipt);
}

async function getWithReceipt(bench: Bench, key: string, options: CallOptions): Promise<void> {
  const { judge, client, values } = bench;
  const asked = ask(bench, `get ${key}, receipt`, 'read', [], options);
  const outcome = await judge.watch(bench.application, asked, () => client.get(key, { ...options, receipt: true }));
  if (!outcome.done) return;
  values.read(key, outcome.value.value);
  values.receipt(key, outcome.value.value, outcome.value.receipt);
}

async function getMany(bench: Bench, keys: string[], options: CallOptions): Promise<void> {
  const { judge, client, values } = bench;
  const asked = ask(bench, `getMany ${keys}`, 'read', [], options);
  const outcome = await judge.watch(bench.application, asked, () => client.getMany(keys, options));
  if (!outcome.done) return;
  if (outcome.value.length !== keys.length) judge.violate(`getMany gave ${outcome.value.length} of ${keys.length}`);
  for (const [at, value] of outcome.value.entries()) values.read(keys[at], value);
}

async function setMany(bench: Bench, keys: string[], options: CallOptions): Promise<void> {
  const { judge, client, values } = bench;
  const marks = keys.map(() => judge.newMark());
  const entries = keys.map((key, at) => ({ key, value: textOf(key, marks[at]) }));
  for (const [at, key] of keys.entries()) values.writing(key, marks[at]);
  const asked = ask(bench, `setMany ${keys}`, 'idempotent', marks, options);
  const outcome = await judge.watch(bench.application, asked, () => client.setMany(entries, options));
  if (!outcome.done) return;
  for (const mark of marks) {
    if (!isAcknowledged(bench, mark)) judge.violate(`reply: setMany resolved, and nobody has answered for #${mark}#`);
  }
}

/** Words that come back as they went: a reply that goes to the wrong call is seen at once. */
export const echoWorker: Worker = (bench, random) =>
  repeatUntilStopped(bench, random, async () => {
    const { judge, client } = bench;
    const mark = judge.newMark();
    const word = `echo#${mark}#`;
    const outcome = await judge.watch(bench.application, ask(bench, word, 'raw', [mark], {}), () =>
      client.command('ECHO', word),
    );
    if (outcome.done && String(outcome.value) !== word) judge.violate(`reply: ${word} gave ${outcome.value}`);
  });

/** What is sent once only: counters and siblings. */
export const onceWorker: Worker = (bench, random) => {
  let context: SiblingContext | undefined;
  return repeatUntilStopped(bench, random, async () => {
    const { judge, client, counts, application } = bench;
    const mark = judge.newMark();
    const options = { consistency: LEVELS[random.below(LEVELS.length)] };
    if (random.chance(0.7)) {
      const key = `count${random.below(2)}`;
      counts.begin(key, mark);
      const asked = ask(bench, `increment ${key}`, 'once', [mark], options);
      counts.end(key, mark, await judge.watch(application, asked, () => client.increment(key, mark, options)));
      return;
    }
    const asked = ask(bench, 'cput', 'once', [mark], options);
    const outcome = await judge.watch(application, asked, () =>
      client.cput('siblings', `s#${mark}#`, { ...options, context }),
    );
    if (outcome.done) context = outcome.value;
    if (outcome.done && context !== undefined) return;
    const read = await judge.watch(application, ask(bench, 'cget', 'read', [], options), () => client.cget('siblings'));
    if (read.done) context = read.value.context;
  });
};

/** Calls that are given up: they end in the same turn, and what comes after them on the connection is as it was. */
export const abortWorker: Worker = (bench, random) =>
  repeatUntilStopped(bench, random, async () => {
    const { application, judge } = bench;
    const controller = new AbortController();
    const { signal } = controller;
    const options: CallOptions = { signal, consistency: LEVELS[random.below(LEVELS.length)] };
    const key = KEYS[random.below(KEYS.length)];
    const call = random.chance(0.5) ? getOne(bench, key, options) : setOne(bench, key, options);
    let endedMs = -1;
    const ended = call.then(() => {
      endedMs = application.nowMs();
    });
    await application.sleep(random.chance(0.3) ? 0 : random.below(400) / 10);
    const abortedMs = application.nowMs();
    controller.abort(new Error('given up'));
    await ended;
    if (endedMs > abortedMs) judge.violate(`abort: at ${abortedMs}, and the call ended at ${endedMs}`);
  });

/** More calls at once than are allowed: the rest is refused at once, and sends nothing. */
export const burstWorker: Worker = (bench, random) =>
  repeatUntilStopped(bench, random, async () => {
    const { client, judge, maxInFlight } = bench;
    const burst = Array.from({ length: random.between(1, maxInFlight + 8) }, (_, at) =>
      at % 2 === 0 ? setOne(bench, KEYS[at % KEYS.length], {}) : getOne(bench, KEYS[at % KEYS.length], {}),
    );
    if (client.stats().inFlight > maxInFlight) judge.violate(`bound: ${client.stats().inFlight} calls are under way`);
    await Promise.all(burst);
    await bench.application.sleep(random.between(30, 400));
  });

/** A session that has a key to itself, taken up anew from its token now and then. */
export const sessionWorker: Worker = (bench, random) => {
  const { application, client, judge, timeoutMs } = bench;
  const own = new SessionKey(judge, `${bench.name}-own${random.below(1_000_000)}`);
  let session = client.session();
  return repeatUntilStopped(bench, random, async () => {
    const { token } = session;
    if (random.chance(0.2)) session = client.session(token);
    const options: CallOptions = { consistency: random.chance(0.8) ? undefined : 'quorum' };
    if (random.chance(0.5)) {
      const mark = judge.newMark();
      own.writing(mark);
      const asked = ask(bench, `session set ${own.key} #${mark}#`, 'once', [mark], options);
      const write = await judge.watch(application, asked, () => session.set(own.key, textOf(own.key, mark), options));
      own.wrote(mark, write);
    } else {
      const asked: Asked = { what: `session get ${own.key}`, repeat: 'read', marks: [], timeoutMs };
      const read = await judge.watch(application, asked, () => session.get(own.key, options));
      if (read.done) own.read(read.value);
      if (read.done) judge.mark('reads of sessions');
    }
  });
};

/** Whether some request of a call was answered without an error. */
function isAcknowledged({ application }: Bench, mark: number): boolean {
  return application.wire.attemptsOf(mark).some(({ reply }) => reply !== null && reply.type !== 'error');
}

function ask(bench: Bench, what: string, repeat: Repeat, marks: readonly number[], options: CallOptions): Asked {
  const { timeoutMs } = bench;
  return { what: `${bench.name} ${what}`, repeat, marks, timeoutMs, signal: options.signal };
}

/** After the end every call is refused, and says so. */
export async function callsAreRefused({ client, judge }: Bench): Promise<void> {
  try {
    await client.set('k0', 'late');
    judge.violate('close: a call was taken after the end');
  } catch (error) {
    const isRight = error instanceof HearsayError && error.code === 'CLOSED' && /nothing was sent/.test(error.message);
    if (!isRight) judge.violate(`close: a call after the end rejects with ${error}`);
  }
}
