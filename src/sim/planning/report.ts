/**
 * An outcome of the planner as text: a table for people, JSON for programs. main.ts prints it. Guarded: the same outcome gives the same
 * text, to the byte; what a figure does not cover is said beside it.
 */
import { MEMBERSHIP_TIMINGS } from '../../core/membership/options.js';
import { missedOnAverage, setApart } from './formulas.js';
import type { ClusterPlan, Outcome, Times } from './plan.js';
import type { Traffic } from './world.js';

const LABEL_WIDTH = 24;

export function tableOf(outcome: Outcome): string[] {
  const { plan, times, boundMs, boundText, expectedMs, atRest, meanwhile, falseDeaths, rounds } = outcome;
  const row = (label: string, text: string): string => `  ${label.padEnd(LABEL_WIDTH)}${text}`;
  const lines = [headline(plan), `  ${eventOf(plan)}`, ''];
  for (const name of ['p50', 'p90', 'p99', 'all'] as const) lines.push(row(labelOf(name), timeText(times, name, plan)));
  lines.push(row('rounds of gossip', rounds === null ? 'not within the duration' : rounds.toFixed(1)));
  if (expectedMs !== null) lines.push(row('to be expected', seconds(expectedMs)));
  lines.push(row('bound', `${seconds(boundMs)}: ${boundText}`));
  if (atRest !== null) lines.push(row('at rest, a node', trafficText(atRest)));
  lines.push(row('meanwhile, a node', trafficText(meanwhile)));
  lines.push(row('false deaths', String(falseDeaths)));
  lines.push(row('virtual time', seconds(outcome.virtualMs)));
  return [...lines, '', ...remarks(plan)];
}

export function jsonOf(outcome: Outcome): string {
  const { plan, live, converged, times, rounds, boundMs, boundText, expectedMs, atRest, meanwhile } = outcome;
  const { falseDeaths, virtualMs, curve, theory } = outcome;
  return JSON.stringify({
    ...plan,
    live,
    converged,
    convergenceMs: times,
    rounds,
    boundMs,
    bound: boundText,
    expectedMs,
    perNodeAndSecond: { atRest, meanwhile },
    falseDeaths,
    virtualMs,
    curve,
    theory,
  });
}

function headline({ scenario, nodes, seed, loss, fanout, latencyMs, gossipIntervalMs }: ClusterPlan): string {
  return (
    `${scenario}: ${nodes} nodes, loss ${percent(loss)}, fan-out ${fanout} every ${gossipIntervalMs} ms, ` +
    `latency ${latencyMs} ms, seed ${seed}`
  );
}

function eventOf(plan: ClusterPlan): string {
  const apart = setApart(plan);
  switch (plan.scenario) {
    case 'spread':
      return 'one node has news of itself; time until the others know it';
    case 'crash':
      return `${apart} nodes die at once; time until each live node holds all of them dead and nobody else`;
    case 'partition':
      return `${apart} nodes are cut off for ${plan.cutMs / 1_000} s; time from the healing until each holds all alive`;
    case 'join-storm':
      return 'all start at once by two contact points; time until each holds all alive';
  }
}

function labelOf(name: keyof Times): string {
  return name === 'all' ? 'all nodes know after' : `${name.slice(1)} % know after`;
}

function timeText(times: Times, name: keyof Times, plan: ClusterPlan): string {
  const timeMs = times[name];
  return timeMs === null ? `more than ${seconds(plan.durationMs)}` : seconds(timeMs);
}

function trafficText({ datagrams, datagramBytes, streamBytes }: Traffic): string {
  return (
    `${datagrams.toFixed(1)} datagrams and ${Math.round(datagramBytes)} bytes a second, ` +
    `by stream ${Math.round(streamBytes)} bytes`
  );
}

function remarks(plan: ClusterPlan): string[] {
  const lines = [
    '  What runs is the membership of a node and its datagrams; records, anti-entropy, disks and clients are not in it,',
    '  and no host, socket or link is ever too slow.',
  ];
  if (plan.scenario === 'spread') {
    const missed = missedOnAverage(plan.nodes, plan.loss).toPrecision(2);
    lines.push(`  A rumor misses ${missed} nodes on average: they have it from the next exchange of whole lists.`);
  }
  if (plan.nodes > MEMBERSHIP_TIMINGS.membersMax)
    lines.push(
      `  A node holds ${MEMBERSHIP_TIMINGS.membersMax} members at most: in this run each may hold ${plan.nodes}.`,
    );
  return lines;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(4))} %`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
