/**
 * The pictures of a chaos run over one axis of time, as SVG by hand: faults as bars, operations a second, how long they took, partitions
 * that differ. page.ts puts them into the report. Pure.
 * Guarded: text is escaped; colours are variables of the page, so that light and dark read alike; a figure that is missing is a gap, not zero.
 */
import type { FaultBar, RunRecord } from './record.js';

const WIDTH = 960;
const LEFT = 64;
const RIGHT = 16;
const PANEL_HEIGHT = 120;
const BAR_ROW = 22;
const BAR_ROWS_MAX = 12;
const LETTER_WIDTH = 6.2;
const TICKS = 6;

interface Point {
  readonly atMs: number;
  /** Null is a gap. */
  readonly value: number | null;
}

interface Line {
  readonly label: string;
  readonly colour: string;
  readonly points: readonly Point[];
}

type Time = (ms: number) => number;

export function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** All pictures of one run, each with its heading. */
export function chartsOf(record: RunRecord): string {
  const last = Math.max(
    record.durationMs,
    ...record.slices.map(({ atMs }) => atMs + record.sliceMs),
    ...record.divergence.map(({ atMs }) => atMs),
    ...record.faults.map(({ untilMs }) => untilMs),
  );
  const time: Time = (ms) => round(LEFT + (ms / last) * (WIDTH - LEFT - RIGHT));
  const perSecond = (count: number): number => (count * 1000) / record.sliceMs;
  const sliced = (value: (slice: RunRecord['slices'][number]) => number | null): Point[] =>
    record.slices.map((slice) => ({ atMs: slice.atMs + record.sliceMs / 2, value: value(slice) }));
  return [
    figure('Faults', faultBars(record.faults, time, last)),
    figure(
      'Operations a second',
      panel(record.faults, time, last, [
        { label: 'answered', colour: 'good', points: sliced(({ acknowledged }) => perSecond(acknowledged)) },
        { label: 'failed', colour: 'bad', points: sliced(({ failed }) => perSecond(failed)) },
      ]),
    ),
    figure(
      'How long they took, ms',
      panel(record.faults, time, last, [
        { label: 'p50', colour: 'good', points: sliced(({ p50Ms }) => p50Ms) },
        { label: 'p99', colour: 'bad', points: sliced(({ p99Ms }) => p99Ms) },
      ]),
    ),
    figure(
      'Partitions whose copies differ',
      panel(record.faults, time, last, [
        {
          label: 'differing',
          colour: 'plain',
          points: record.divergence.map(({ atMs, differing }) => ({ atMs, value: differing })),
        },
      ]),
    ),
  ].join('\n');
}

function figure(title: string, svg: string): string {
  return `<figure><figcaption>${escaped(title)}</figcaption>${svg}</figure>`;
}

/** A row for each fault, as long as there is room; later ones take a row that is free again. */
function faultBars(faults: readonly FaultBar[], time: Time, lastMs: number): string {
  const rows: number[] = [];
  const bars = faults.map((fault) => {
    const from = time(fault.fromMs);
    const width = Math.max(2, time(fault.untilMs) - from);
    const words = shortened(fault.what);
    // Words stand inside the bar, or behind it, or before it where the picture ends.
    const wordsWidth = words.length * LETTER_WIDTH;
    const inside = wordsWidth + 8 <= width;
    const behind = from + width + wordsWidth + 6 <= WIDTH;
    const begin = inside || behind ? from : Math.min(from, from - wordsWidth - 6);
    const end = inside || !behind ? from + width : from + width + wordsWidth + 6;
    let row = rows.findIndex((free) => free <= begin);
    if (row < 0) row = rows.length < BAR_ROWS_MAX ? rows.push(0) - 1 : BAR_ROWS_MAX - 1;
    rows[row] = end;
    const top = row * BAR_ROW + 2;
    const textAt = inside ? from + 4 : behind ? from + width + 4 : from - 4;
    const anchor = inside || behind ? 'start' : 'end';
    return (
      `<g><title>${escaped(`${fault.what}, ${seconds(fault.fromMs)} to ${seconds(fault.untilMs)}`)}</title>` +
      `<rect class="bar" x="${from}" y="${top}" width="${round(width)}" height="${BAR_ROW - 5}" rx="2"/>` +
      `<text class="${inside ? 'inside' : 'beside'}" x="${round(textAt)}" y="${top + 13}" text-anchor="${anchor}">${escaped(words)}</text></g>`
    );
  });
  const height = Math.max(1, rows.length) * BAR_ROW;
  return svg(height + 20, [...bars, ...timeAxis(time, lastMs, height)]);
}

function panel(faults: readonly FaultBar[], time: Time, lastMs: number, lines: readonly Line[]): string {
  const values = lines.flatMap(({ points }) => points.flatMap(({ value }) => value ?? []));
  const top = niceTop(values.reduce((most, value) => Math.max(most, value), 0));
  const level = (value: number): number => round(PANEL_HEIGHT - (value / top) * (PANEL_HEIGHT - 18));
  const shades = faults.map(
    ({ fromMs, untilMs }) =>
      `<rect class="shade" x="${time(fromMs)}" y="14" width="${round(Math.max(1, time(untilMs) - time(fromMs)))}" height="${PANEL_HEIGHT - 14}"/>`,
  );
  const grid = [0, top / 2, top].map(
    (value) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${level(value)}" y2="${level(value)}"/>` +
      `<text x="${LEFT - 6}" y="${level(value) + 4}" text-anchor="end">${numberText(value)}</text>`,
  );
  const drawn = lines.map(({ colour, points }) => `<path class="line ${colour}" d="${pathOf(points, time, level)}"/>`);
  const legend = lines.map(
    ({ label, colour }, index) =>
      `<rect class="key ${colour}" x="${LEFT + index * 110}" y="1" width="10" height="10"/>` +
      `<text x="${LEFT + index * 110 + 15}" y="10">${escaped(label)}</text>`,
  );
  return svg(PANEL_HEIGHT + 20, [...shades, ...grid, ...drawn, ...legend, ...timeAxis(time, lastMs, PANEL_HEIGHT)]);
}

/** A point alone is a dot: a stroke of no length with round ends. */
function pathOf(points: readonly Point[], time: Time, level: (value: number) => number): string {
  let path = '';
  let open = false;
  for (const { atMs, value } of points) {
    if (value === null || !Number.isFinite(value)) {
      open = false;
      continue;
    }
    const at = `${time(atMs)} ${level(value)}`;
    path += open ? `L${at}` : `M${at}L${at}`;
    open = true;
  }
  return path;
}

function timeAxis(time: Time, lastMs: number, y: number): string[] {
  const step = niceTop(lastMs / TICKS / 1000) * 1000;
  const marks: string[] = [];
  for (let at = 0; at <= lastMs; at += step) {
    marks.push(
      `<line class="grid" x1="${time(at)}" x2="${time(at)}" y1="${y}" y2="${y + 4}"/>` +
        `<text x="${time(at)}" y="${y + 16}" text-anchor="middle">${numberText(at / 1000)} s</text>`,
    );
  }
  return marks;
}

function svg(height: number, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" font-size="11">${parts.join('')}</svg>`;
}

/** The least of 1, 2, 5, 10, 20 ... that is not below; 1 for nothing. */
export function niceTop(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10;
  return digit * power;
}

const WORDS_MAX = 70;

function shortened(text: string): string {
  return text.length <= WORDS_MAX ? text : `${text.slice(0, WORDS_MAX - 1)}…`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function numberText(value: number): string {
  return value >= 10_000 ? `${round(value / 1000)}k` : String(round(value));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
