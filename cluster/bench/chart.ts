/**
 * The bar chart of a report: a bar for each ratio, the line at 1.0, the target as a mark, the range as a whisker. SVG by hand.
 * Guarded: text is escaped; rows without a ratio are left out; the picture is readable in light and dark alike.
 */
import type { Row } from './context.js';
import { rangeText, verdictOf } from './report.js';

const WIDTH = 900;
const LABEL_WIDTH = 300;
const VALUE_WIDTH = 190;
const ROW_HEIGHT = 24;
const BAR_HEIGHT = 14;
const TOP = 56;
const COLOURS = { good: '#2f7d5b', weak: '#c2622d', plain: '#4a6fa5', line: '#555', mark: '#b8860b' };

export function ratioChart(rows: readonly Row[], title: string): string {
  const drawn = rows.filter((row) => row.ratio !== null);
  const height = TOP + drawn.length * ROW_HEIGHT + 28;
  const widest = Math.max(1.2, ...drawn.map((row) => Math.max(row.ratio?.max ?? 0, limitOf(row) ?? 0)));
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / widest;
  const at = (ratio: number): number => Math.round((LABEL_WIDTH + ratio * scale) * 10) / 10;
  const bottom = height - 22;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="22" font-size="15" font-weight="bold" fill="#222">${escaped(title)}</text>`,
    `<text x="12" y="40" fill="#555">Hearsay over Redis in the same run; whisker: least and greatest round; mark: target</text>`,
    ...drawn.flatMap((row, index) => barOf(row, TOP + index * ROW_HEIGHT, at)),
    `<line x1="${at(1)}" y1="${TOP - 6}" x2="${at(1)}" y2="${bottom}" stroke="${COLOURS.line}" stroke-dasharray="4 3"/>`,
    `<text x="${at(1)}" y="${bottom + 14}" text-anchor="middle" fill="${COLOURS.line}">1.0</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function barOf(row: Row, top: number, at: (ratio: number) => number): string[] {
  if (row.ratio === null) return [];
  const { median, min, max } = row.ratio;
  const middle = top + BAR_HEIGHT / 2;
  const limit = limitOf(row);
  const judged = row.better === 'higher' ? median >= 1 : median <= 1;
  const verdict = verdictOf(row);
  const colour = verdict === 'missed' ? COLOURS.weak : verdict === 'reached' || judged ? COLOURS.good : COLOURS.plain;
  const less = row.better === 'lower' ? ' (less is better)' : '';
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end" fill="#222">${escaped(row.name)}</text>`,
    `<rect x="${LABEL_WIDTH}" y="${top}" width="${Math.max(0, at(median) - LABEL_WIDTH)}" height="${BAR_HEIGHT}" fill="${colour}"/>`,
    `<line x1="${at(min)}" y1="${middle}" x2="${at(max)}" y2="${middle}" stroke="#222"/>`,
    ...(limit === null
      ? []
      : [
          `<line x1="${at(limit)}" y1="${top - 3}" x2="${at(limit)}" y2="${top + BAR_HEIGHT + 3}" stroke="${COLOURS.mark}" stroke-width="2"/>`,
        ]),
    `<text x="${WIDTH - VALUE_WIDTH + 8}" y="${middle + 4}" fill="#222">${escaped(rangeText(row.ratio) + less)}</text>`,
  ];
}

function limitOf(row: Row): number | null {
  return row.target?.kind === 'ratio' ? row.target.limit : null;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
