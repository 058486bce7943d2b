/** The planner: each scenario within its bound at 50 nodes, its output the same for the same words, its picture well formed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { simulate, USAGE } from '../../../src/sim/main.js';
import { chartOf } from '../../../src/sim/planning/chart.js';
import { backlogRounds, boundOf, pushCurve, pushRounds } from '../../../src/sim/planning/formulas.js';
import { type ClusterPlan, type Outcome, SCENARIOS, type ScenarioName } from '../../../src/sim/planning/plan.js';
import { playScenario } from '../../../src/sim/planning/scenarios.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-planning-'));
afterAll(() => rmSync(place, { recursive: true }));

function planOf(scenario: ScenarioName, changes: Partial<ClusterPlan> = {}): ClusterPlan {
  return {
    scenario,
    nodes: 50,
    seed: 7,
    loss: 0.05,
    fanout: 3,
    latencyMs: 1,
    gossipIntervalMs: 200,
    probeIntervalMs: 1_000,
    share: scenario === 'crash' ? 0.1 : 0.5,
    cutMs: 30_000,
    durationMs: 300_000,
    ...changes,
  };
}

async function run(words: string): Promise<{ code: number; out: string[]; complaints: string[] }> {
  const [out, complaints]: string[][] = [[], []];
  const code = await simulate(words.split(' '), {
    out: (line) => void out.push(line),
    complain: (line) => void complaints.push(line),
    progress: () => {},
    isLive: false,
    isRead: () => true,
    onStop: () => {},
    program: 'hearsay',
  });
  return { code, out, complaints };
}

describe('a plan of 50 nodes', () => {
  const outcomes = new Map<ScenarioName, Outcome>(SCENARIOS.map((name) => [name, playScenario(planOf(name))]));

  it.each(SCENARIOS)('of %s ends within its bound, and nobody is called dead without a cause', (name) => {
    const { converged, times, boundMs, falseDeaths, rounds, live } = outcomes.get(name) as Outcome;
    expect({ converged, falseDeaths, live }).toEqual({
      converged: true,
      falseDeaths: 0,
      live: name === 'crash' ? 45 : 50,
    });
    expect(times.all).toBeGreaterThan(0);
    expect(times.all).toBeLessThanOrEqual(boundMs);
    expect(rounds).toBeCloseTo((times.all as number) / 200, 6);
  });

  it.each(SCENARIOS)('of %s counts time in order, and its curve ends with everybody', (name) => {
    const { times, curve } = outcomes.get(name) as Outcome;
    const marks = [times.p50, times.p90, times.p99, times.all].map(Number);
    expect(marks).toEqual([...marks].sort((left, right) => left - right));
    expect(curve.map(({ atMs }) => atMs)).toEqual([...new Set(curve.map(({ atMs }) => atMs))].sort((a, b) => a - b));
    expect(curve.at(-1)?.share).toBe(1);
  });

  it('needs longer for a crash than the shortest suspicion, and longer for a rumor than a message takes', () => {
    expect(outcomes.get('crash')?.times.p50).toBeGreaterThan(5_000);
    expect(outcomes.get('spread')?.times.p50).toBeGreaterThan(1);
  });

  it('at rest sends a ping and an ack a second and node, and what the loss adds', () => {
    const { atRest } = playScenario(planOf('spread', { loss: 0 }));
    expect(atRest?.datagrams).toBeCloseTo(2, 0);
    expect(outcomes.get('spread')?.atRest?.datagrams).toBeGreaterThan(atRest?.datagrams as number);
    expect(outcomes.get('join-storm')?.atRest).toBeNull();
  });

  it('that is not over within its duration says so', () => {
    const { converged, times, rounds, curve } = playScenario(planOf('crash', { durationMs: 2_000 }));
    expect({ converged, all: times.all, rounds }).toEqual({ converged: false, all: null, rounds: null });
    expect(curve.at(-1)).toEqual({ atMs: 2_000, share: 0 });
  });

  it('takes a cut as the cause of the deaths it brings, and a side that is whole as none', () => {
    const { falseDeaths, converged } = playScenario(planOf('partition', { share: 0.1, loss: 0 }));
    expect({ falseDeaths, converged }).toEqual({ falseDeaths: 0, converged: true });
  });

  it('that loses most of its datagrams and has slow links calls some dead that live, and counts them', () => {
    const { falseDeaths } = playScenario(planOf('crash', { nodes: 20, loss: 0.85, latencyMs: 800 }));
    expect(falseDeaths).toBeGreaterThan(0);
  });
});

function outcomeOfCrash(): Outcome {
  return playScenario(planOf('crash', { nodes: 10 }));
}

describe('the output of the planner', () => {
  const words = '--nodes 30 --loss 5% --scenario crash --seed 3';

  it('is the same for the same words to the byte, but for what the run took', async () => {
    const [first, second] = [await run(words), await run(words)];
    expect(first.out.slice(0, -1)).toEqual(second.out.slice(0, -1));
    expect(first.out.at(-1)).toMatch(/^ {2}It took [\d.]+ s here, and \d+ MiB of memory\.$/);
    expect((await run(`${words} --json`)).out).toEqual((await run(`${words} --json`)).out);
  });

  it('is another one for another seed', async () => {
    expect((await run(`${words} --json`)).out).not.toEqual(
      (await run('--nodes 30 --loss 5% --scenario crash --seed 4 --json')).out,
    );
  });

  it('as a table names every figure, and what is not in them', async () => {
    const text = (await run(words)).out.join('\n');
    for (const label of [
      '50 % know after',
      'all nodes know after',
      'rounds of gossip',
      'bound',
      'at rest, a node',
      'meanwhile, a node',
    ])
      expect(text).toContain(label);
    expect(text).toContain('crash: 30 nodes, loss 5 %, fan-out 3 every 200 ms, latency 1 ms, seed 3');
    expect(text).toContain('records, anti-entropy, disks and clients are not in it');
  });

  it('as JSON holds the plan, the times, the bound, the traffic and the curve', async () => {
    const { code, out } = await run('--nodes 10 --loss=0.05 --json');
    expect({ code, lines: out.length }).toEqual({ code: 0, lines: 1 });
    const outcome = JSON.parse(out[0]) as Record<string, unknown>;
    expect(outcome).toMatchObject({ scenario: 'spread', nodes: 10, loss: 0.05, fanout: 3, seed: 1, converged: true });
    expect(Object.keys(outcome.convergenceMs as object)).toEqual(['p50', 'p90', 'p99', 'all']);
    expect(Object.keys(outcome.perNodeAndSecond as object)).toEqual(['atRest', 'meanwhile']);
    expect((outcome.curve as unknown[]).length).toBeGreaterThan(1);
  });

  it('as a picture is well formed, with everything inside it and text escaped', async () => {
    const file = join(place, 'spread.svg');
    expect((await run(`--nodes 20 --svg ${file}`)).code).toBe(0);
    const svg = readFileSync(file, 'utf8');
    expect(svg).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 760 400"[^>]*>\n[\s\S]*<\/svg>\n$/,
    );
    expect(svg.match(/<polyline /g)).toHaveLength(2);
    for (const [, x, y] of svg.matchAll(/([\d.]+),([\d.]+)/g)) {
      expect(Number(x)).toBeLessThanOrEqual(760);
      expect(Number(y)).toBeLessThanOrEqual(400);
    }
    const crash = chartOf(outcomeOfCrash());
    for (const [, text] of crash.matchAll(/<text [^>]*>([^<]*)</g)) expect(text.length).toBeLessThanOrEqual(120);
    const outcome = playScenario(planOf('spread', { nodes: 3 }));
    const hostile = chartOf({ ...outcome, boundText: '<script>"&' });
    expect(hostile).toContain('&lt;script&gt;&quot;&amp;');
    expect(hostile).not.toContain('<script');
  });

  it('of a cluster that does not come to know in time ends with 1', async () => {
    const { code, out } = await run('--nodes 10 --scenario crash --duration 1');
    expect(code).toBe(1);
    expect(out.join('\n')).toContain('more than 1.00 s');
  });
});

describe('wrong words of the planner', () => {
  it.each([
    ['--nodes 2', '--nodes: 2 is no whole number from 3 to 2000'],
    ['--nodes 2001', '--nodes: 2001 is no whole number from 3 to 2000'],
    ['--nodes many', '--nodes: many is no whole number from 3 to 2000'],
    ['--nodes 9 --loss 95%', '--loss: 95% is no share from 0 to 90%, as 5% or 0.05'],
    ['--nodes 9 --loss 5', '--loss: 5 is no share from 0 to 90%, as 5% or 0.05'],
    ['--nodes 9 --fanout 0', '--fanout: 0 is no whole number from 1 to 32'],
    ['--nodes 9 --interval 5', '--interval: 5 is no whole number from 25 to 10000'],
    ['--nodes 9 --duration 0', '--duration: 0 is no whole number from 1 to 3600'],
    ['--scenario flood', '--scenario: flood is none of spread, crash, partition, join-storm'],
    ['--nodes 9 --share 10%', '--share is of crash and partition: in spread nobody dies or is cut off'],
    ['--nodes 9 --from 1', '--from is for seeds, and does not go with --nodes or --scenario'],
    ['--nodes 9 extra', "Unexpected argument 'extra'"],
    ['--nodes 9 --svg /nowhere/at/all.svg', '--svg: /nowhere/at/all.svg can not be written'],
  ])('%j end with 2 and say what was expected', async (words, complaint) => {
    const { code, out, complaints } = await run(words);
    expect({ code, out }).toEqual({ code: 2, out: [] });
    expect(complaints).toEqual([expect.stringContaining(`simulate: ${complaint}`)]);
  });

  it('are told all at once', async () => {
    expect((await run('--nodes 1 --loss x --fanout y')).complaints).toHaveLength(3);
  });

  it('are not the words of seeds, which the help tells apart by example', async () => {
    expect((await run('--from 1 --to 0')).complaints[0]).toContain('--from 1 is above --to 0');
    expect(USAGE).toContain('hearsay simulate --from 1 --to 500');
    expect(USAGE).toContain('hearsay simulate --nodes 1000');
  });
});

describe('the formulas', () => {
  it('ask for more rounds of more nodes, of more loss and of a smaller fan-out', () => {
    // Pittel: log2 n + ln n + O(1).
    expect(pushRounds(1_000, 1, 0)).toBeCloseTo(Math.log2(1_000) + Math.log(1_000) + 1, 9);
    expect(pushRounds(1_000, 3, 0)).toBeGreaterThan(pushRounds(100, 3, 0));
    expect(pushRounds(1_000, 3, 0.3)).toBeGreaterThan(pushRounds(1_000, 3, 0));
    expect(backlogRounds(1, 1_000, 3)).toBe(0);
    expect(backlogRounds(1_000, 1_000, 3)).toBeGreaterThan(100);
  });

  it('are finite at the ends of what may be asked', () => {
    for (const scenario of SCENARIOS) {
      for (const nodes of [3, 2_000]) {
        const extreme = planOf(scenario, { nodes, loss: 0.9, fanout: 1 });
        expect(Number.isFinite(boundOf(extreme).ms)).toBe(true);
        for (const { share } of pushCurve(extreme)) expect(share >= 0 && share <= 1).toBe(true);
      }
    }
  });
});
