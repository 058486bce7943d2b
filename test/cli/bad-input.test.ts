/** Verbs given what they can not use: one line each that names it, exit code 2 for wrong words and 1 for what failed, at once. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeProblem } from '../../src/cli/places.js';
import { MUTATIONS, simulate } from '../../src/sim/main.js';
import { runVerb } from './run.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-bad-'));
const file = join(place, 'file');
const folder = join(place, 'folder');
const plan = join(place, 'plan');
beforeAll(() => {
  writeFileSync(file, '');
  mkdirSync(folder);
  const steps = [{ atMs: 1, kind: 'pause', node: 9, forMs: 5 }];
  writeFileSync(plan, JSON.stringify({ seed: 1, steps, clients: [] }));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const nothing = (): void => {};
const silentDoors = {
  out: nothing,
  complain: nothing,
  progress: nothing,
  isLive: false,
  isRead: () => false,
  onStop: nothing,
  program: 'hearsay',
};

const run = (words: string, outFailure: NodeJS.ErrnoException | null = null) =>
  runVerb(words.split(' '), { launcher: join(place, 'no launcher'), outFailure: () => outFailure });

describe('wrong usage', () => {
  it.each([
    [`bench --memory 64mb --trace ${place}/nope`, `--trace: ${place}/nope can not be read: ENOENT`],
    [`bench --memory 64mb --trace ${file}`, `--trace: ${file} holds no keys`],
    [`bench --memory 64mb --trace ${folder}`, `--trace: ${folder} can not be read: EISDIR`],
    [`bench --report ${file}`, `--report: ${file} can not be used: it is no directory`],
    [`bench --json ${folder}`, `--json: ${folder} is a directory, not a file`],
    [`bench --svg ${file}/x.svg`, `--svg: ${file} can not be used: it is no directory`],
    ['bench --memory 64mb', '--memory is of replays: say --trace, --zipf or --hit-ratios, too'],
    ['bench --peer', '--peer is of replays'],
    ['bench --zipf x,y --memory 64mb', '--zipf: x,y holds what is not from 0 to 5'],
    [`serve --config ${folder}`, `${folder}: can not be read: EISDIR`],
    [`serve --config ${file}`, `${file}: is not JSON`],
    [`serve --password-file ${folder}`, `--password-file: ${folder} can not be read: EISDIR`],
    ['bench-child nothing {}', 'bench-child: nothing is no role'],
    [`export --output ${folder}`, `--output: ${folder} is a directory, not a file`],
    [`export --output ${place}/nope/x`, `--output: there is no directory ${place}/nope`],
    ['simulate --bogus', "simulate: Unknown option '--bogus'"],
    ['simulate --from', "simulate: Option '--from <value>' argument missing"],
    ['simulate extra', "simulate: Unexpected argument 'extra'"],
    ['simulate --to x', 'simulate: --to: x is not a whole number'],
    ['simulate --log x', 'simulate: --log: x is not a whole number'],
    ['simulate --from 9 --to 3', 'simulate: --from 9 is above --to 3'],
    ['simulate --plan x', 'simulate: --plan is where --shrink writes'],
    ['simulate --loss 5%', 'simulate: --loss is for planning a large cluster: say --nodes or --scenario, too'],
    ['simulate --nodes 5 --from 1', 'simulate: --from is for seeds, and does not go with --nodes or --scenario'],
    [`simulate --from 1 --replay ${plan}`, 'simulate: --from is for seeds: --replay plays the one plan of its file'],
    [`simulate --replay ${plan}`, `simulate: --replay: ${plan} holds a plan that can not be played: step 0: node is 9`],
    ['simulate --mutation none+no-hints', 'simulate: --mutation: none is none of ack-before-log'],
    [`simulate --replay ${place}/nope`, `simulate: --replay: ${place}/nope can not be read: ENOENT`],
    [`simulate --replay ${file}`, `simulate: --replay: ${file} can not be read`],
    [`simulate --shrink --plan ${folder}`, `simulate: --plan: ${folder} can not be written: is a directory`],
    [`simulate --shrink --plan ${place}/nope/x`, `simulate: --plan: ${place}/nope/x can not be written: ENOENT`],
  ])('is %j', async (words, line) => {
    const { code, out, error } = await run(words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error.split('\n')).toEqual([expect.stringContaining(`hearsay: ${line}`), '']);
  });

  it('is no file that can be written where it stands, whatever its directory', async () => {
    const closed = join(place, 'closed');
    mkdirSync(closed);
    writeFileSync(join(closed, 'file'), '');
    chmodSync(closed, 0o555);
    for (const each of [join(closed, 'file'), '/dev/null']) expect(placeProblem(each)).toBeNull();
    expect(await simulate(['--from', '1', '--to', '1', '--shrink', '--plan', '/dev/null'], silentDoors)).toBe(0);
  });

  it.each([
    ['simulat --help', 'simulate'],
    ['chaos rum --help', 'run'],
    ['help simulat', 'simulate'],
    ['bnech -h', 'bench'],
    ['simulat --from 1', 'simulate'],
  ])('is a verb that there is not, whoever asks for its help: %j', async (words, meant) => {
    const { code, out, error } = await run(words);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error).toMatch(/^error: unknown command '/);
    expect(error).toContain(`(Did you mean ${meant}?)`);
  });

  it('of one flag among several leaves nothing behind', async () => {
    const report = join(place, 'report');
    expect((await run(`bench --report ${report} --rounds 0`)).code).toBe(2);
    expect(existsSync(report)).toBe(false);
  });
});

describe('what failed', () => {
  it.each([
    [`cluster --port 1024 --nodes 1 --data ${file}`, `data directory ${file} can not be used: it is no directory`],
    ['bench-child load {', 'bench-child load: Expected property name'],
    [`wal verify ${file}`, `${file} is a file: give the data directory of one node`],
    [`wal inspect ${folder}`, `${folder} is empty: no node has run there`],
  ])('is told by %j', async (words, line) => {
    const { code, error } = await run(words);
    expect(code).toBe(1);
    expect(error.split('\n')).toEqual([expect.stringContaining(`hearsay: ${line}`), '']);
  });

  it('is text that did not go out, unless nobody reads it any more', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(await run('version', full)).toMatchObject({
      code: 1,
      error: 'hearsay: standard output: ENOSPC: no space left on device, write\n',
    });
    const gone = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    expect(await run('version', gone)).toMatchObject({ code: 0, error: '' });
    expect((await run('simulate', gone)).out).toMatch(/^0 seeds, 0 failed/);
  });
});

it('the simulator knows the name of every bug that the core can be given', () => {
  const core = new URL('../../src/core/', import.meta.url);
  const found = new Set<string>();
  for (const name of readdirSync(core, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(new URL(name, core), 'utf8');
    for (const [, mutation] of text.matchAll(/mutations\??\.has\(\s*'([a-z-]+)'/g)) found.add(mutation);
  }
  expect([...found].sort()).toEqual(MUTATIONS);
});
