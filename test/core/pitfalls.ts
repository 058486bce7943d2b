/**
 * Reads a table of pitfalls: one row each, with the rule that answers it and the test that fails without the rule. The guards of
 * these tables call it. Guarded: a row that names no test, or one that does not exist, is found.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface PitfallRow {
  /** Its number, with the letter of its section before it where the table has sections. */
  number: string;
  file: string;
  name: string;
}

/** The rows of a table, and how many lines of it look like one. */
export function readPitfalls(table: URL): { rows: PitfallRow[]; lines: number } {
  const text = readFileSync(table, 'utf8');
  const rows = [...text.matchAll(/^\| ([A-Z]?\d+) \|.*\| ([\w./-]+): "(.+)" \|$/gm)];
  return {
    rows: rows.map(([, number, file, name]) => ({ number, file, name })),
    lines: (text.match(/^\| [A-Z]?\d+ \|/gm) ?? []).length,
  };
}

/** Rows whose test is not there. */
export function lostRows(rows: readonly PitfallRow[]): PitfallRow[] {
  const names = new Map<string, Set<string>>();
  return rows.filter(({ file, name }) => {
    const found = names.get(file) ?? testNames(join(ROOT, 'test', file));
    names.set(file, found);
    return !found.has(name);
  });
}

/** Names given to `it`, `test` and what a file wraps around them: the first argument of any call that is text. */
function testNames(file: string): Set<string> {
  const names = new Set<string>();
  if (!existsSync(file)) return names;
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2023, true);
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
