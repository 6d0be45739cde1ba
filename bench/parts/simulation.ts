// How much a second of simulation covers: the raft core under random faults with every checker on, and whole clusters with
// replication. Per second of this process's own CPU too, which says more where the machine has other work.
import { setImmediate as turn } from 'node:timers/promises';
import { built } from '../harness/built.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

interface Outcome {
  readonly isOk: boolean;
  readonly events: number;
  readonly virtualMs: number;
}

/** Runs seeds 1, 2, … for so long. */
async function runSeeds(title: string, seconds: number, run: (seed: number) => Outcome | Promise<Outcome>) {
  // The first seed pays for compilation.
  await run(0);
  const total = { seeds: 0, events: 0, virtualMs: 0 };
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  while (performance.now() - startedMs < seconds * 1000) {
    const outcome = await run(++total.seeds);
    // Whether runs are right is for tests to say; here only that this one was shorter than it should be.
    if (!outcome.isOk) console.log(`  ${title}: seed ${total.seeds} fails`);
    total.events += outcome.events;
    total.virtualMs += outcome.virtualMs;
    await turn();
  }
  const tookMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(startedCpu);
  const cpuMs = (user + system) / 1000;
  return [
    title,
    String(total.seeds),
    digits((total.events / tookMs) * 1000),
    digits(total.virtualMs / tookMs),
    digits((total.events / cpuMs) * 1000),
    digits(total.virtualMs / cpuMs),
    digits((total.seeds / tookMs) * 60_000),
  ];
}

export const simulation: Part = {
  name: 'simulation',
  async run(options) {
    const raft = await built<typeof import('../../src/sim/raft/simulate.ts')>('sim/raft/simulate.js');
    const raftSwarm = await built<typeof import('../../src/sim/raft/draw-scenario.ts')>('sim/raft/draw-scenario.js');
    const cluster = await built<typeof import('../../src/sim/cluster/run.ts')>('sim/cluster/run.js');
    const clusterSwarm =
      await built<typeof import('../../src/sim/cluster/draw-scenario.ts')>('sim/cluster/draw-scenario.js');
    const { loadCodecs } = await built<typeof import('../../src/codec/compression.ts')>('codec/compression.js');
    await loadCodecs();
    const seconds = options.seconds * 2;
    const rows = [
      await runSeeds('raft core', seconds, (seed) => {
        const { ok, events, atMs } = raft.runRaftScenario(raftSwarm.drawScenario(seed));
        return { isOk: ok, events, virtualMs: atMs };
      }),
      await runSeeds('whole cluster', 3 * seconds, async (seed) => {
        const { ok, events, atMs } = await cluster.runClusterScenario(clusterSwarm.drawScenario(seed));
        return { isOk: ok, events, virtualMs: atMs };
      }),
    ];
    const header = ['', 'seeds', 'events/s', '× real time', 'events/CPU s', '× CPU time', 'seeds/min'];
    printTable('simulation, swarm faults, one core', header, rows);
  },
};
