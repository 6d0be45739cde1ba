// What makes a patch fit to hunt: it applies, it compiles, and its header names what exists.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckerName } from '../../src/sim/raft/checks/all.ts';
import { safetyCheckers } from '../../src/sim/raft/checks/all.ts';
import { loadKind, SOURCE } from '../sim/load-kind.ts';
import type { Mutant } from './mutant.ts';
import { MutantError, readScenario } from './mutant.ts';
import { applyMutant } from './patch.ts';
import { typeChecker } from './type-errors.ts';

/** Everything that is wrong with these mutants, one line each; with `types` also what does not compile, which takes longer. */
export async function problemsOf(mutants: readonly Mutant[], { types }: { types: boolean }): Promise<string[]> {
  const properties = knownProperties();
  const typeErrors = types ? typeChecker() : () => [];
  const problems: string[] = [];
  for (const mutant of mutants) {
    const { name } = mutant;
    for (const property of mutant.properties) {
      if (!properties.has(property)) problems.push(`${name}: no checker speaks of ${property}`);
    }
    for (const checker of mutant.without) {
      if (!isChecker(checker)) problems.push(`${name}: there is no checker ${checker} to leave out`);
    }
    problems.push(...(await scenarioProblems(mutant)));
    try {
      problems.push(...typeErrors(applyMutant(mutant, SOURCE)).map((error) => `${name}: ${error}`));
    } catch (error) {
      if (!(error instanceof MutantError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}

async function scenarioProblems(mutant: Mutant): Promise<string[]> {
  const problems: string[] = [];
  for (const suite of mutant.suites.filter(({ scenario }) => scenario !== undefined)) {
    try {
      if (suite.kind === 'controller' || suite.kind === 'log')
        throw new Error(`the ${suite.kind} alone has no scenarios`);
      (await loadKind(suite.kind)).parse(readScenario(suite));
    } catch (error) {
      problems.push(`${mutant.name}: scenario ${suite.kind}/${suite.scenario}: ${String(error)}`);
    }
  }
  return problems;
}

function isChecker(name: string): boolean {
  return safetyCheckers([name as CheckerName]).length < safetyCheckers().length;
}

/** The ids that the checkers raise: quoted in the source of the simulator, and of the model of the log. */
function knownProperties(): Set<string> {
  const ids = new Set<string>();
  for (const folder of ['sim', 'check', '../test/prop/log']) {
    for (const entry of readdirSync(join(SOURCE, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
      for (const [, id = ''] of text.matchAll(/'([SLRM]-[A-Z]?\d+(?:\.\d+)?)'/g)) ids.add(id);
    }
  }
  return ids;
}
