// Every id of a rule, property, bug or scenario that a comment or a test names is defined in docs/safety.md, once.
import { expect, test } from 'vitest';
import type { TextFile } from './tree.ts';
import { isOurs, repository } from './tree.ts';

const ID = /\b(?:(?:R|C|D|T|M|H|DS)-\d+(?:\.\d+)?[a-z]?|[SL]-[A-Z]\d+|B\d\d)\b/g;
const SAFETY = 'docs/safety.md';
/** Names that tests make up to see that they are noticed. */
const MADE_UP = new Set(['S-R99', 'B00']);

/** `**R-1.2**` anywhere, `### R-1 …` and `### D-2, D-3 …` as headings; lettered parts `(a)` of a rule belong to it. */
function defined(text: string): string[] {
  const headings = text.split('\n').filter((line) => line.startsWith('### '));
  const ids = headings.flatMap((line) => [...(line.match(ID) ?? [])]);
  for (const [, id] of text.matchAll(/\*\*((?:R|C|D|T|M|H|DS)-\d+(?:\.\d+)?[a-z]?|[SL]-[A-Z]\d+|B\d\d)\*\*/g))
    ids.push(id as string);
  for (const [, id, rest] of text.matchAll(/^\*\*(M-\d+)\*\*((?:.*\n(?!\*\*))*.*)/gm)) {
    for (const [, letter] of (rest as string).matchAll(/\(([a-z])\)/g)) ids.push(`${id}${letter}`);
  }
  return ids;
}

function unknown(files: readonly TextFile[], known: ReadonlySet<string>): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, i) =>
        [...(line.match(ID) ?? [])]
          .filter((id) => !known.has(id) && !MADE_UP.has(id))
          .map((id) => `${path}:${i + 1}: ${id}`),
      ),
  );
}

const files = repository();
const safety = files.find(({ path }) => path === SAFETY)?.text ?? '';

test('every id that is named is defined', () => {
  const known = new Set(defined(safety));
  const offender = { path: 'a.ts', text: '// R-1.3 and R-77.1, S-R1, B04, B99, M-5a, M-5z, KAFKA-10677' };
  expect(unknown([offender], known)).toEqual(['a.ts:1: R-77.1', 'a.ts:1: B99', 'a.ts:1: M-5z']);
  const code = files.filter((file) => isOurs(file) && /^(src|test|bench)\//.test(file.path));
  expect(unknown(code, known)).toEqual([]);
});

test('no id is defined twice, and no text of it speaks of one that is not there', () => {
  const ids = defined(safety);
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  expect(ids.length).toBeGreaterThan(200);
  expect(unknown([{ path: SAFETY, text: safety }], new Set(ids))).toEqual([]);
});
