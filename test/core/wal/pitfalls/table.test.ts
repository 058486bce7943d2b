/** The table of pitfalls names tests that exist; and the rules that are absences are checked by reading the sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const PITFALLS = 37;

interface Row {
  number: number;
  file: string;
  name: string;
}

function rows(): Row[] {
  const text = readFileSync(new URL('../PITFALLS.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^\| (\d+) \|.*\| ([\w./-]+): "(.+)" \|$/gm)].map(([, number, file, name]) => ({
    number: Number(number),
    file,
    name,
  }));
}

/** Names given to `it`, `test` and what a file wraps around them: the first argument of any call that is text. */
function testNames(file: string): Set<string> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true);
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(it|test|check)\b/.test(node.expression.getText(source))) {
      const [first] = node.arguments;
      if (first !== undefined && ts.isStringLiteralLike(first)) names.add(first.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return names;
}

describe('the table of pitfalls', () => {
  it('has every number, and each line of it is read', () => {
    const lines = readFileSync(new URL('../PITFALLS.md', import.meta.url), 'utf8').match(/^\| \d+ \|/gm) ?? [];
    expect(rows()).toHaveLength(lines.length);
    const numbers = new Set(rows().map(({ number }) => number));
    expect([...numbers]).toEqual(Array.from({ length: PITFALLS }, (_, index) => index + 1));
  });

  it('names tests that exist', () => {
    const lost = rows().filter(({ file, name }) => !testNames(join(ROOT, 'test', file)).has(name));
    expect(lost).toEqual([]);
  });

  it('would see a name that does not', () => {
    const names = testNames(fileURLToPath(import.meta.url));
    expect(names).toContain('would see a name that does not');
    expect(names).not.toContain('names a test that was renamed');
  });
});

describe('the disk of the Node world', () => {
  it('opens no file for appending, and uses no stream, handle object or promise for one', () => {
    const system = join(ROOT, 'src/system');
    const files = readdirSync(system).filter((name) => /^(disk|sync-thread|descriptors)/.test(name));
    expect(files).toContain('disk.ts');
    const forbidden = /appendFile|O_APPEND|createWriteStream|createReadStream|fs\/promises|fs\.promises|'a\+?'/;
    for (const name of files) expect(readFileSync(join(system, name), 'utf8'), name).not.toMatch(forbidden);
    expect("open(name, 'a')").toMatch(forbidden);
  });
});
