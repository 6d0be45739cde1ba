// What is wrong with a patch is told. That every patch is sound is proven by `make check`.
import { expect, test } from 'vitest';
import { SOURCE } from '../sim/load-kind.ts';
import type { Mutant } from './mutant.ts';
import { MutantError, parseMutant, readMutants } from './mutant.ts';
import { applyMutant, diffOf } from './patch.ts';
import { problemsOf } from './soundness.ts';

const HEADER = 'id: B00\nsource: nobody\nwrong: nothing\nproperty: S-R1\nsuite: raft 10 seeds\n';
const CHANGE = new Map([['raft/commit.ts', '// nothing left\nexport {};\n']]);

function mutant(header = HEADER, diff = diffOf(SOURCE, CHANGE)): Mutant {
  return parseMutant('example', header + diff);
}

test('the corpus is there', () => {
  const ids = new Set(readMutants().map(({ id }) => id));
  const corpus = 'B01 B02 B03 B04 B06 B07 B08 B10 B11 B13 B14 B15 B17 B19 B20 B22 B23 B25 B26'.split(' ');
  expect(corpus.filter((id) => !ids.has(id))).toEqual([]);
});

test('a patch and the diff of what it makes are the same', () => {
  for (const one of readMutants()) {
    const again = parseMutant(one.name, one.header + diffOf(SOURCE, applyMutant(one, SOURCE)));
    expect(applyMutant(again, SOURCE), one.name).toEqual(applyMutant(one, SOURCE));
  }
});

test.each([
  ['no property', HEADER.replace('property: S-R1\n', ''), 'no property'],
  ['an unknown field', `${HEADER}colour: red\n`, 'colour: red'],
  ['any crash for a kill', HEADER.replace('S-R1', 'S-X2'), 'says'],
  ['a suite that is none', HEADER.replace('raft 10 seeds', 'raft a few seeds'), 'a few seeds'],
])('a header with %s is refused', (_what, header, message) => {
  expect(() => mutant(header)).toThrow(MutantError);
  expect(() => mutant(header)).toThrow(message);
});

test('a patch of what has changed since, or of what judges it, is refused', () => {
  const diff = diffOf(SOURCE, CHANGE);
  const moved = mutant(HEADER, diff.replace('majority(voterCount', 'minority(voterCount'));
  expect(() => applyMutant(moved, SOURCE)).toThrow('is not there any more');
  const elsewhere = mutant(HEADER, diff.replaceAll('raft/commit.ts', 'sim/raft/liveness.ts'));
  expect(() => applyMutant(elsewhere, SOURCE)).toThrow('only src/ apart from sim and check');
  const twice = mutant(HEADER, '--- a/src/raft/log.ts\n+++ b/src/raft/log.ts\n@@ -1,1 +1,1 @@\n-  }\n+  ]\n');
  expect(() => applyMutant(twice, SOURCE)).toThrow('times');
});

test('a type error, an unknown property, checker or scenario is told', { timeout: 60_000 }, async () => {
  const changed = new Map([['base/ids.ts', 'export const x: number = "text";\n']]);
  expect(await problemsOf([mutant(HEADER, diffOf(SOURCE, changed))], { types: true })).toMatchObject([
    /not assignable/,
  ]);
  const header = HEADER.replace('S-R1', 'S-R99').replace('10 seeds', '10 seeds of nowhere');
  const problems = await problemsOf([mutant(`${header}without: everything\n`, diffOf(SOURCE, COMMENT))], {
    types: false,
  });
  expect(problems).toMatchObject([/no checker speaks of S-R99/, /no checker everything/, /raft\/nowhere/]);
});

const COMMENT = new Map([['base/ids.ts', '// other ids\nexport {};\n']]);
