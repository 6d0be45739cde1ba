// The mutants that are found fastest, so that every test run shows that the simulator finds defects. `make mutants` hunts
// all of them, from several seeds.
import { expect, test } from 'vitest';
import { huntEverything } from './hunts.ts';
import { readMutants } from './mutant.ts';
import { isAsExpected, verdictOf } from './result.ts';

test('defects are found by the property that the corpus names', { timeout: 300_000 }, async () => {
  const mutants = readMutants()
    .filter(({ isQuick }) => isQuick)
    .map((mutant) => ({ ...mutant, suites: mutant.suites.slice(0, 1) }));
  expect(mutants.length).toBeGreaterThanOrEqual(15);
  const { results, complaints } = await huntEverything(mutants, { ranges: 1 });
  const failed = results.filter((result) => !isAsExpected(result));
  expect(failed.map((result) => `${result.mutant.name}: ${verdictOf(result)}`)).toEqual([]);
  expect(complaints).toEqual([]);
});
