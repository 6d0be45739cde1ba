// The table of seeds to kill: printed, and kept in README.md between two marks.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FOLDER } from './mutant.ts';
import type { Result } from './result.ts';
import { killersOf, median, othersOf, verdictOf } from './result.ts';

const COLUMNS = ['mutant', 'corpus', 'found by', 'in', 'seeds to kill', 'seconds', 'other ends'] as const;
const BEGIN = '<!-- table -->';
const END = '<!-- end of table -->';

export function rowOf(result: Result): string[] {
  const { mutant, suite, tookMs } = result;
  return [
    mutant.name,
    mutant.id,
    killersOf(result) || mutant.properties.join(' or '),
    suite.scenario === undefined ? `${suite.kind} seeds` : `${suite.kind}: ${suite.scenario}`,
    verdictOf(result),
    (median(tookMs) / 1000).toFixed(1),
    othersOf(result),
  ];
}

export function formatTable(results: readonly Result[]): string {
  const rows = [[...COLUMNS], ...results.map(rowOf)];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  const lines = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`);
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

/** Replaces the table of README.md. */
export function writeReadme(results: readonly Result[], date: string): void {
  const path = join(FOLDER, 'README.md');
  const text = readFileSync(path, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${path} has no ${BEGIN} … ${END}`);
  const table = `${BEGIN}\n\nMeasured on ${date}.\n\n${formatTable(results)}\n\n`;
  writeFileSync(path, text.slice(0, from) + table + text.slice(to));
}
