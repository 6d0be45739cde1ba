// `make mutants [ONLY=id] [SEEDS=n]`: breaks one rule after the other in a copy of the source and sees whether the property
// that the corpus names notices. Also `--check` (patches apply), and `--open NAME`, `--close NAME=FOLDER` to write patches.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SOURCE } from '../sim/load-kind.ts';
import { huntEverything } from './hunts.ts';
import type { Mutant } from './mutant.ts';
import { FOLDER, MutantError, readMutants } from './mutant.ts';
import { applyMutant, diffOf } from './patch.ts';
import { isAsExpected, STARTS } from './result.ts';
import { problemsOf } from './soundness.ts';
import { formatTable, rowOf, writeReadme } from './table.ts';
import { changedFiles, Tree } from './tree.ts';

const { values: flags } = parseArgs({
  options: {
    /** Ids or names, separated by commas; parts of names will do. */
    only: { type: 'string', default: '' },
    /** Instead of the budget that each patch names. */
    seeds: { type: 'string', default: '' },
    /** In how many of the disjoint ranges of seeds. */
    ranges: { type: 'string', default: String(STARTS.length) },
    /** Only looks whether the patches are sound. */
    check: { type: 'boolean', default: false },
    /** Makes a copy of the source with that patch in it, as far as it applies, to be edited. */
    open: { type: 'string' },
    /** NAME=FOLDER: writes the patch anew from that copy; the header stays. */
    close: { type: 'string' },
    /** Writes every patch anew against the source as it is. */
    refresh: { type: 'boolean', default: false },
  },
});

function chosen(mutants: readonly Mutant[]): Mutant[] {
  const wanted = flags.only.split(',').filter((part) => part !== '');
  const found = mutants.filter(
    ({ id, name }) => wanted.length === 0 || wanted.some((part) => id === part || name.includes(part)),
  );
  if (found.length === 0) throw new MutantError(`no mutant has the id or name ${flags.only}`);
  return found;
}

function named(name: string): Mutant {
  const mutant = readMutants().find((one) => one.name === name);
  if (mutant === undefined) throw new MutantError(`there is no ${name}.patch; write its header first`);
  return mutant;
}

function open(name: string): void {
  let changed = new Map<string, string>();
  try {
    changed = applyMutant(named(name), SOURCE);
  } catch (error) {
    if (!(error instanceof MutantError)) throw error;
    console.log(`not in the copy, for it does not apply:\n${error.message}`);
  }
  const { source } = new Tree(changed);
  console.log(`edit ${source}\nthen npm run mutants -- --close ${name}=${source}`);
}

function rewrite(mutant: Mutant, changed: ReadonlyMap<string, string>): void {
  writeFileSync(join(FOLDER, `${mutant.name}.patch`), mutant.header + diffOf(SOURCE, changed));
}

async function check(mutants: readonly Mutant[], types: boolean): Promise<boolean> {
  const problems = await problemsOf(mutants, { types });
  for (const problem of problems) console.log(problem);
  if (problems.length > 0) console.log('how to write a patch anew: test/mutants/README.md');
  return problems.length === 0;
}

async function hunt(): Promise<boolean> {
  const mutants = chosen(readMutants());
  if (!(await check(mutants, true))) return false;
  const seeds = flags.seeds === '' ? undefined : Number(flags.seeds);
  const ranges = Number(flags.ranges);
  const { results, complaints } = await huntEverything(mutants, {
    seeds,
    ranges,
    onResult: (result) => console.log(rowOf(result).join('  ')),
  });
  console.log(`\n${formatTable(results)}`);
  for (const complaint of complaints) console.log(complaint);
  const asExpected = results.filter(isAsExpected).length;
  console.log(`${asExpected} of ${results.length} hunts ended as they must; ${complaints.length} complaints`);
  const isWhole = flags.only === '' && seeds === undefined && ranges === STARTS.length;
  if (isWhole) writeReadme(results, new Date().toISOString().slice(0, 10));
  return asExpected === results.length && complaints.length === 0;
}

async function main(): Promise<boolean> {
  if (flags.open !== undefined) open(flags.open);
  else if (flags.close !== undefined) {
    const [name = '', folder = ''] = flags.close.split('=');
    rewrite(named(name), changedFiles(folder));
  } else if (flags.refresh) {
    for (const mutant of chosen(readMutants())) rewrite(mutant, applyMutant(mutant, SOURCE));
  } else {
    return flags.check ? check(chosen(readMutants()), false) : hunt();
  }
  return true;
}

try {
  if (!(await main())) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof MutantError)) throw error;
  console.log(error.message);
  process.exitCode = 1;
}
