// Plans the hunts: every mutant in each of its suites from several first seeds, and the source as it is in the same suites.
import { SOURCE } from '../sim/load-kind.ts';
import type { Finding, Hunt } from './hunt.ts';
import { huntAll } from './hunt.ts';
import type { Mutant, Suite } from './mutant.ts';
import { readScenario } from './mutant.ts';
import { applyMutant } from './patch.ts';
import type { Result } from './result.ts';
import { STARTS } from './result.ts';
import { Tree } from './tree.ts';

interface Outcome {
  readonly results: Result[];
  /** What the source as it is has violated. */
  readonly complaints: string[];
}

export interface HuntOptions {
  /** Instead of each suite's budget. */
  readonly seeds?: number | undefined;
  /** In how many of the ranges of seeds; all if not given. */
  readonly ranges?: number;
  /** Told of each result as it comes. */
  readonly onResult?: (result: Result) => void;
}

export async function huntEverything(mutants: readonly Mutant[], options: HuntOptions = {}): Promise<Outcome> {
  const { seeds, ranges = STARTS.length, onResult = () => {} } = options;
  const plans = mutants.flatMap((mutant): Plan[] => {
    const tree = new Tree(applyMutant(mutant, SOURCE));
    return mutant.suites.map((suite) => ({ mutant, tree, suite: withSeeds(suite, seeds) }));
  });
  const removeAll = (): void => {
    for (const { tree } of plans) tree?.remove();
  };
  const onInterrupt = (): void => {
    removeAll();
    process.exit(130);
  };
  process.once('SIGINT', onInterrupt);
  try {
    return await carryOut([...unmutated(plans.map(({ suite }) => suite)), ...plans], STARTS.slice(0, ranges), onResult);
  } finally {
    process.off('SIGINT', onInterrupt);
    removeAll();
  }
}

interface Plan {
  /** Undefined: the source as it is. */
  readonly mutant: Mutant | undefined;
  readonly tree: Tree | undefined;
  readonly suite: Suite;
}

function withSeeds(suite: Suite, seeds: number | undefined): Suite {
  return seeds === undefined ? suite : { ...suite, seeds };
}

/** The source as it is must pass the largest budget of each suite. */
function unmutated(suites: readonly Suite[]): Plan[] {
  const largest = new Map<string, Suite>();
  for (const suite of suites) {
    const key = `${suite.kind} ${suite.scenario}`;
    if ((largest.get(key)?.seeds ?? 0) < suite.seeds) largest.set(key, suite);
  }
  return [...largest.values()].map((suite) => ({ mutant: undefined, tree: undefined, suite }));
}

async function carryOut(
  plans: readonly Plan[],
  starts: readonly number[],
  onResult: (result: Result) => void,
): Promise<Outcome> {
  const results: Result[] = [];
  const complaints: string[] = [];
  const open = new Map<Plan, { finding: Finding; tookMs: number }[]>();
  const hunts = plans.flatMap((plan) => starts.map((firstSeed) => ({ plan, make: () => toHunt(plan, firstSeed) })));
  await huntAll(hunts, ({ plan }, finding, tookMs) => {
    const { mutant, suite } = plan;
    if (mutant === undefined) {
      for (const [property, { detail, seed }] of finding.others) {
        complaints.push(`the source as it is violates ${property} in ${nameOf(suite)}, seed ${seed}: ${detail}`);
      }
      return;
    }
    const found = [...(open.get(plan) ?? []), { finding, tookMs }];
    open.set(plan, found);
    if (found.length < starts.length) return;
    const result = { mutant, suite, findings: found.map((one) => one.finding), tookMs: found.map((one) => one.tookMs) };
    results.push(result);
    // Dozens of copies would fill a small disk.
    if (results.filter((one) => one.mutant === mutant).length === mutant.suites.length) plan.tree?.remove();
    onResult(result);
  });
  const place = ({ mutant, suite }: Result): number =>
    plans.findIndex((plan) => plan.mutant === mutant && plan.suite === suite);
  results.sort((a, b) => place(a) - place(b));
  return { results, complaints };
}

function toHunt({ mutant, tree, suite }: Plan, firstSeed: number): Hunt {
  const scenarioText = suite.scenario === undefined ? undefined : readScenario(suite);
  const { properties = [], says, without = [] } = mutant ?? {};
  return { source: tree?.source ?? SOURCE, suite, scenarioText, firstSeed, wanted: { properties, says, without } };
}

function nameOf({ kind, scenario }: Suite): string {
  return scenario === undefined ? `${kind} seeds` : `${kind} ${scenario}`;
}
