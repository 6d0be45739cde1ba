// `make sim SEED=n [SCENARIO=file.json]`: one simulated run of a whole cluster, twice, to see that it is the same run
// (S-X1). Prints what happened, the hash and how to do it again; exit code 1 and the broken property otherwise.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadCodecs } from '../../src/codec/compression.ts';
import { drawScenario } from '../../src/sim/cluster/draw-scenario.ts';
import type { ClusterVerdict } from '../../src/sim/cluster/run.ts';
import { runClusterScenario } from '../../src/sim/cluster/run.ts';
import type { ClusterScenario } from '../../src/sim/cluster/scenario.ts';
import { parseScenario } from '../../src/sim/cluster/scenario.ts';

const { values: flags } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    /** Further seeds after the first; each runs once. */
    count: { type: 'string', default: '1' },
    /** Prints the scenario and does not run it. */
    print: { type: 'boolean', default: false },
    /** How many of the last log lines a failure prints. */
    lines: { type: 'string', default: '60' },
    /** Prints the log of a run that passes too. */
    trace: { type: 'boolean', default: false },
  },
});

function describe({ seed, config, faults, triggers, workload }: ClusterScenario): string {
  const { controllers, brokers, topics, partitions, flushMode, timingProfile, links } = config;
  return [
    `seed ${seed}: ${controllers} controllers, ${brokers} brokers, ${topics} topics of ${partitions} partitions,`,
    `flush ${flushMode}, timing ${timingProfile}, loss ${links.lossPermille} ‰, ${faults.length} faults, ${triggers.length} triggers,`,
    `${workload.producers} producers, ${workload.consumers} consumers`,
  ].join(' ');
}

function counts(map: ReadonlyMap<string, number>): string {
  return [...map].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
}

function report(verdict: ClusterVerdict, tookMs: number): void {
  const { stats, atMs, events, hash } = verdict;
  const { acknowledged, unknown, failed, read, truncations, tailsLost, topics, elections } = stats;
  console.log(`  faults: ${counts(stats.faults)}`);
  console.log(`  ${elections} elections, ${topics} topics, starts of brokers ${stats.logged.get('broker-ready') ?? 0}`);
  console.log(`  records: ${acknowledged} acknowledged, ${unknown} unknown, ${failed} failed, ${read} read`);
  if (tailsLost > 0)
    console.log(`  unsynced tails that power cuts may take: ${tailsLost}; consumers told: ${truncations}`);
  const speed = `${Math.round(events / tookMs)} k events/s, ${Math.round(atMs / tookMs)} x real time`;
  console.log(
    `  ${events} events in ${(atMs / 1000).toFixed(1)} s virtual, ${(tookMs / 1000).toFixed(1)} s real: ${speed}`,
  );
  console.log(`  hash ${hash.toString(16).padStart(8, '0')}`);
}

async function once(scenario: ClusterScenario, isQuiet: boolean): Promise<ClusterVerdict> {
  const startedAt = performance.now();
  const onPhase = (name: string, atMs: number): void => {
    if (!isQuiet) console.log(`  ${(atMs / 1000).toFixed(3).padStart(8)} s  ${name}`);
  };
  const verdict = await runClusterScenario(scenario, { onPhase });
  const tookMs = performance.now() - startedAt;
  if (!isQuiet) report(verdict, tookMs);
  return verdict;
}

function lastLines(text: string, count: number): string {
  return text.split('\n').slice(-count).join('\n');
}

/** Whether all is well. */
async function simulate(scenario: ClusterScenario, replay: string, isTwice: boolean): Promise<boolean> {
  console.log(describe(scenario));
  const verdict = await once(scenario, false);
  if (flags.trace) console.log(verdict.log());
  if (!verdict.ok) {
    console.log(lastLines(verdict.log(), Number(flags.lines)));
    console.log(`FAILED ${verdict.violation?.property}: ${verdict.violation?.detail}`);
    console.log(`again: ${replay}`);
    return false;
  }
  if (isTwice) {
    const again = await once(scenario, true);
    if (again.hash !== verdict.hash) {
      console.log(`FAILED S-X1: the second run has the hash ${again.hash.toString(16)} after ${again.events} events`);
      console.log(`again: ${replay}`);
      return false;
    }
    console.log('  the same again');
  }
  console.log(`ok; again: ${replay}`);
  return true;
}

await loadCodecs();
const first = Number(flags.seed);
const count = Number(flags.count);
let failures = 0;
for (let seed = first; seed < first + count; seed++) {
  const scenario =
    flags.scenario === undefined ? drawScenario(seed) : parseScenario(readFileSync(flags.scenario, 'utf8'));
  const replay = flags.scenario === undefined ? `make sim SEED=${seed}` : `make sim SCENARIO=${flags.scenario}`;
  if (flags.print) console.log(JSON.stringify(scenario, undefined, 2));
  else if (!(await simulate(scenario, replay, count === 1))) failures++;
}
if (failures > 0) {
  if (count > 1) console.log(`${failures} of ${count} runs failed`);
  process.exitCode = 1;
}
