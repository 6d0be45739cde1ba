// Runs of whole clusters.
import { pathToFileURL } from 'node:url';
import type { ClusterScenario } from '../../src/sim/cluster/scenario.ts';
import { shrinkClusterScenario } from './cluster-shrink.ts';
import type { Outcome, RunOptions, Scenario, SimKind } from './kind.ts';

/** `source`: a folder like src/. */
export async function loadClusterKind(source: string): Promise<SimKind> {
  const load = async (path: string): Promise<unknown> => import(pathToFileURL(`${source}/${path}`).href);
  const { loadCodecs } = (await load('codec/compression.ts')) as typeof import('../../src/codec/compression.ts');
  const { drawScenario } = (await load(
    'sim/cluster/draw-scenario.ts',
  )) as typeof import('../../src/sim/cluster/draw-scenario.ts');
  const { runClusterScenario } = (await load('sim/cluster/run.ts')) as typeof import('../../src/sim/cluster/run.ts');
  const { parseScenario } = (await load(
    'sim/cluster/scenario.ts',
  )) as typeof import('../../src/sim/cluster/scenario.ts');
  await loadCodecs();

  async function run(scenario: Scenario, { trace, stopAtMs }: RunOptions = {}): Promise<Outcome> {
    const verdict = await runClusterScenario(scenario as ClusterScenario, {
      ...(trace === undefined ? {} : { onPhase: (name, atMs) => trace(`${(atMs / 1000).toFixed(3)} phase ${name}`) }),
      ...(stopAtMs === undefined ? {} : { stopAtMs }),
    });
    const { ok, violation, atMs, events, hash, stats, log } = verdict;
    const { faults, logged, metadata, ...numbers } = stats;
    const named = (what: string, counts: ReadonlyMap<string, number>) =>
      [...counts].map(([name, count]) => [`${what} ${name}`, count] as const);
    const counters = Object.fromEntries([
      ...Object.entries(numbers),
      ...named('fault', faults),
      ...named('metadata', metadata),
      ...named('logged', logged),
    ]);
    return { ok, ...violation, atMs, events, hash, counters, states: new Set(), log };
  }

  return {
    name: 'cluster',
    draw: drawScenario,
    parse: (text) => parseScenario(withDefaults(text)),
    describe,
    run,
    shrink: (scenario) =>
      shrinkClusterScenario(scenario as ClusterScenario, (candidate, stopAtMs) => run(candidate, { stopAtMs })),
  };
}

/** Faults and triggers name what matters of them. */
function withDefaults(text: string): string {
  const given = JSON.parse(text) as { readonly faults?: readonly object[]; readonly triggers?: readonly object[] };
  const { faults = [], triggers = [] } = given;
  const action = { i: 0, j: 0, durationMs: 500 };
  return JSON.stringify({
    ...given,
    faults: faults.map((fault) => ({ dt: 0, ...action, ...fault })),
    triggers: triggers.map((trigger) => ({ nth: 1, times: 1, delayMs: 0, ...action, ...trigger })),
  });
}

function describe(scenario: Scenario): string {
  const { seed, config, faults, triggers, workload } = scenario as ClusterScenario;
  const { controllers, brokers, topics, partitions, flushMode, timingProfile, links } = config;
  return [
    `seed ${seed}: ${controllers} controllers, ${brokers} brokers, ${topics} topics of ${partitions} partitions,`,
    `flush ${flushMode}, timing ${timingProfile}, loss ${links.lossPermille} ‰, ${faults.length} faults, ${triggers.length} triggers,`,
    `${workload.producers} producers, ${workload.consumers} consumers`,
  ].join(' ');
}
