/**
 * The share of nodes that know, over time, as an SVG, with the bound and, for a rumor, the curve of the theory. main.ts writes it.
 * Guarded: text is escaped; every coordinate lies within the picture; the same outcome gives the same bytes.
 */
import type { CurvePoint, Outcome } from './plan.js';

const WIDTH = 760;
const HEIGHT = 400;
const LEFT = 56;
const RIGHT = 16;
const TOP = 90;
const BOTTOM = 64;
/** Letters of the small text that fit the width. */
const LINE_LETTERS = 110;
const TIME_MARKS = 5;
const SHARE_MARKS = 4;

export function chartOf(outcome: Outcome): string {
  const { plan, curve, theory, boundMs, boundText } = outcome;
  const title = `${plan.scenario}: ${plan.nodes} nodes, loss ${Number((plan.loss * 100).toFixed(4))} %, fan-out ${plan.fanout}`;
  const endMs = 1.05 * Math.max(1, boundMs, curve.at(-1)?.atMs ?? 0);
  const axes = axesOf(endMs);
  const known: CurvePoint[] = [{ atMs: 0, share: 0 }, ...curve, { atMs: endMs, share: curve.at(-1)?.share ?? 0 }];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="22" font-size="15" font-weight="bold" fill="#222">${escaped(title)}</text>`,
    ...wrapped(`share of nodes that know; bound: ${boundText}`).map(
      (text, at) => `<text x="${LEFT}" y="${42 + at * 16}" fill="#555">${escaped(text)}</text>`,
    ),
    ...grid(endMs, axes),
    theory.length === 0 ? '' : line(theory, axes, '#999', ' stroke-dasharray="5 4"', false),
    line(known, axes, '#0a6', '', true),
    `<line x1="${axes.x(boundMs)}" y1="${TOP}" x2="${axes.x(boundMs)}" y2="${HEIGHT - BOTTOM}" stroke="#c33"/>`,
    ...legend(theory.length > 0),
    '</svg>',
    '',
  ]
    .filter((part, at, parts) => part !== '' || at === parts.length - 1)
    .join('\n');
}

interface Axes {
  x(atMs: number): string;
  y(share: number): string;
}

function axesOf(endMs: number): Axes {
  return {
    x: (atMs) => (LEFT + (Math.min(atMs, endMs) / endMs) * (WIDTH - LEFT - RIGHT)).toFixed(1),
    y: (share) => (HEIGHT - BOTTOM - Math.min(1, share) * (HEIGHT - TOP - BOTTOM)).toFixed(1),
  };
}

function grid(endMs: number, { x, y }: Axes): string[] {
  const parts: string[] = [];
  for (let mark = 0; mark <= SHARE_MARKS; mark++) {
    const share = mark / SHARE_MARKS;
    parts.push(`<line x1="${LEFT}" y1="${y(share)}" x2="${WIDTH - RIGHT}" y2="${y(share)}" stroke="#ddd"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${y(share)}" text-anchor="end" fill="#222">${share * 100} %</text>`);
  }
  for (let mark = 0; mark <= TIME_MARKS; mark++) {
    const atMs = (endMs * mark) / TIME_MARKS;
    const text = `${(atMs / 1_000).toFixed(endMs < 10_000 ? 2 : 0)} s`;
    parts.push(
      `<text x="${x(atMs)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#222">${escaped(text)}</text>`,
    );
  }
  return parts;
}

/** Text in lines that fit, broken between words. */
function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1];
    if (line !== '' && line.length + word.length >= LINE_LETTERS) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** A share stays until it changes, so what was measured goes in steps. */
function line(points: readonly CurvePoint[], { x, y }: Axes, color: string, dashes: string, stepped: boolean): string {
  const corners = points.map(({ atMs, share }, at) => {
    const before = stepped && at > 0 ? `${x(atMs)},${y(points[at - 1].share)} ` : '';
    return `${before}${x(atMs)},${y(share)}`;
  });
  return `<polyline points="${corners.join(' ')}" fill="none" stroke="${color}" stroke-width="2"${dashes}/>`;
}

function legend(hasTheory: boolean): string[] {
  const entries = [
    ['#0a6', 'measured'],
    ['#c33', 'bound'],
    ...(hasTheory ? [['#999', "push gossip in the mean: s' = s e^(-fq(1-s)), Pittel 1987"]] : []),
  ];
  return entries.map(
    ([color, text], at) => `<text x="${LEFT + at * 100}" y="${HEIGHT - 18}" fill="${color}">${escaped(text)}</text>`,
  );
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
