/**
 * The report of chaos runs as pages of HTML: one for each run, and an index where there were several. Each is one file that needs
 * nothing from elsewhere and has no scripts. Pure; report.ts writes them.
 * Guarded: whatever comes from a run is escaped; lists have a bound.
 */
import { chartsOf, escaped } from './charts.js';
import { type RunRecord, refusalsText } from './record.js';

const VIOLATIONS_MAX = 200;
const TIMELINE_MAX = 1000;

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6574; --paper: #fbfbf9; --rule: #d9dce1; --good: #23699f; --bad: #c2541b;
  --plain: #6b4fa0; --bar: #b8433f; --shade: #b8433f14; --right: #1f7a4d; --on: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa4b2; --paper: #14171c; --rule: #333a45; --good: #6cb2e8; --bad: #f09a5f;
  --plain: #b79df0; --bar: #d9716d; --shade: #d9716d22; --right: #63c793; --on: #14171c; } }
body { margin: 0 auto; max-width: 1000px; padding: 24px 20px 60px; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 28px 0 8px; } p { margin: 4px 0; } a { color: var(--good); }
.soft { color: var(--soft); } .right { color: var(--right); } .wrong { color: var(--bar); } .verdict { font-weight: 650; font-size: 17px; margin: 14px 0; }
figure { margin: 18px 0 0; } figcaption { font-weight: 600; font-size: 13px; margin-bottom: 2px; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-family: system-ui, sans-serif; }
svg .bar { fill: var(--bar); } svg .shade { fill: var(--shade); } svg text.inside { fill: var(--on); } svg text.beside { fill: var(--ink); }
svg .grid { stroke: var(--rule); } svg .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; stroke-linecap: round; }
svg .line.good { stroke: var(--good); } svg .line.bad { stroke: var(--bad); } svg .line.plain { stroke: var(--plain); }
svg .key.good { fill: var(--good); } svg .key.bad { fill: var(--bad); } svg .key.plain { fill: var(--plain); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ul, ol { padding-left: 22px; } li { overflow-wrap: anywhere; } code, .time { font: 12.5px/1.6 ui-monospace, monospace; }
.time span { display: inline-block; min-width: 70px; color: var(--soft); }
`;

export function runPage(record: RunRecord): string {
  const { scenario, does, expects, nodes, durationMs, seed, again } = record;
  return page(`chaos ${scenario}: ${record.verdict}`, [
    `<h1>${escaped(scenario)}</h1>`,
    `<p>${escaped(does)}</p><p class="soft">Expected: ${escaped(expects)}.</p>`,
    `<p class="soft">${nodes} nodes, ${durationMs / 1000} s, seed ${seed}. Again: <code>${escaped(again)}</code></p>`,
    verdictOf(record),
    ...(record.verdict === 'not run'
      ? []
      : [violationsOf(record), chartsOf(record), figuresOf(record), timelineOf(record)]),
  ]);
}

export function indexPage(records: readonly RunRecord[]): string {
  const right = records.filter(({ verdict }) => verdict === 'right').length;
  const rows = records.map((record) => {
    const { tally, violations, agreedMs, silenceMs } = record;
    const ran = record.verdict !== 'not run';
    return (
      `<tr><td><a href="${fileOf(record)}">${escaped(record.scenario)}</a></td><td>${mark(record)}</td>` +
      `<td>${escaped(ran ? record.does : (record.reason ?? ''))}</td>` +
      `<td class="figure">${ran ? violations.length : ''}</td><td class="figure">${ran ? tally.acknowledged : ''}</td>` +
      `<td class="figure">${ran ? tally.doubtful : ''}</td><td class="figure">${ran ? seconds(silenceMs) : ''}</td>` +
      `<td class="figure">${agreedMs === null ? '' : seconds(agreedMs)}</td></tr>`
    );
  });
  return page('chaos: all scenarios', [
    '<h1>Chaos</h1>',
    `<p class="soft">${right} of ${records.length} scenarios right, each under its own cluster of real processes.</p>`,
    '<div class="wide"><table><thead><tr><th>Scenario</th><th>Verdict</th><th>What it does</th><th class="figure">Violations</th><th class="figure">Writes acknowledged</th>' +
      '<th class="figure">Doubtful</th><th class="figure">Longest silence</th><th class="figure">Copies equal after</th></tr></thead>',
    `<tbody>${rows.join('\n')}</tbody></table></div>`,
  ]);
}

/** Scenario names are ours; what is not a letter, digit or dash has no place in a file name. */
export function fileOf({ scenario }: Pick<RunRecord, 'scenario'>): string {
  return `${scenario.replace(/[^a-z0-9-]/gi, '_').slice(0, 80)}.html`;
}

function page(title: string, parts: readonly string[]): string {
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>${escaped(title)}</title><style>${STYLE}</style></head><body>`,
    ...parts,
    '</body></html>',
    '',
  ].join('\n');
}

function mark({ verdict }: RunRecord): string {
  const style = verdict === 'right' ? 'right' : verdict === 'wrong' ? 'wrong' : 'soft';
  return `<span class="${style}">${verdict}</span>`;
}

function verdictOf(record: RunRecord): string {
  const { verdict, violations, keys, reason } = record;
  const words = {
    right: `Right. ${keys} keys read from every node: no acknowledged write lost, nothing resurrected, no garbage.`,
    wrong: `Wrong. ${violations.length} violations.`,
    'not run': `Not run. ${reason ?? ''}`,
  }[verdict];
  return `<p class="verdict ${verdict === 'not run' ? 'soft' : verdict}">${escaped(words)}</p>`;
}

function violationsOf({ violations }: RunRecord): string {
  if (violations.length === 0) return '';
  const shown = violations.slice(0, VIOLATIONS_MAX).map((line) => `<li><code>${escaped(line)}</code></li>`);
  const more = violations.length - VIOLATIONS_MAX;
  return `<h2>Violations</h2><ul>${shown.join('')}${more > 0 ? `<li>and ${more} more</li>` : ''}</ul>`;
}

function figuresOf({ tally, keys, excused, agreedMs, silenceMs }: RunRecord): string {
  const rows: [string, string][] = [
    ['Writes acknowledged', String(tally.acknowledged)],
    ['Writes without an answer: doubtful, never counted as failed', String(tally.doubtful)],
    ['Writes known not to be sent', String(tally.unsent)],
    ['Reads', String(tally.reads)],
    ['Reads without an answer', String(tally.readsFailed)],
    ['Refused by name, among those without effect above', refusalsText(tally) || 'none'],
    ['Keys read from every node in the end', String(keys)],
    ['Wrong answers that this scenario excuses', String(excused)],
    ['Longest time without a write at level one', seconds(silenceMs)],
    [
      'All copies equal after the end of the load',
      agreedMs === null ? 'not asked for, or not reached' : seconds(agreedMs),
    ],
  ];
  const cells = rows.map(
    ([name, figure]) => `<tr><td>${escaped(name)}</td><td class="figure">${escaped(figure)}</td></tr>`,
  );
  return `<h2>Figures</h2><div class="wide"><table><tbody>${cells.join('')}</tbody></table></div>`;
}

function timelineOf({ timeline }: RunRecord): string {
  const lines = timeline
    .slice(0, TIMELINE_MAX)
    .map(({ atMs, what }) => `<div class="time"><span>${seconds(atMs)}</span> ${escaped(what)}</div>`);
  return `<h2>Timeline</h2>${lines.join('')}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
