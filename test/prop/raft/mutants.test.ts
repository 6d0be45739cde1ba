// The simulator finds broken drivers, by the property that safety.md §7 names for them. The barrier checker (M-5) sees most
// of them at the first message; it is left out where another property has to show that it would see them too. What is rarer has
// its directed schedules (directed-*.test.ts).
import { describe, expect, it } from 'vitest';
import type { CheckerName } from '../../../src/sim/raft/checks/all.ts';
import type { RaftCore } from '../../../src/sim/raft/core.ts';
import { drawScenario } from '../../../src/sim/raft/draw-scenario.ts';
import { runRaftScenario } from '../../../src/sim/raft/simulate.ts';
import * as broken from './broken-drivers.ts';

const MAX_SEEDS = 150;

/** The first seed that fails by one of the properties; what else fails on the way is no kill. */
function firstKill(core: RaftCore, properties: readonly string[], without: readonly CheckerName[]): number {
  const others: string[] = [];
  for (let seed = 1; seed <= MAX_SEEDS; seed++) {
    const { property } = runRaftScenario(drawScenario(seed), { core, without });
    if (property !== undefined && properties.includes(property)) return seed;
    if (property !== undefined) others.push(property);
  }
  throw new Error(`not found in ${MAX_SEEDS} seeds, but ${others.join()}`);
}

describe('broken drivers are found', () => {
  it.each<[string, RaftCore, string[], CheckerName[]]>([
    ['B06: the vote is not persisted', broken.voteNotPersisted, ['S-R2'], []],
    ['B06: votes leave before they are durable', broken.nothingWaits, ['S-R2'], ['durabilityBarrier']],
    ['B02: a follower fetches before it has flushed', broken.fetchesBeforeFlush, ['M-5'], []],
    ['B02, seen by its consequence', broken.fetchesBeforeFlush, ['S-R8'], ['durabilityBarrier']],
    ['B25: appends are reported durable before the sync', broken.reportsBeforeSync, ['S-R8'], ['durabilityBarrier']],
    ['B01: a restarted leader campaigns in its epoch again', broken.leadsAgain, ['S-R15'], []],
    ['the quorum state is not read at start', broken.stateNotRead, ['S-R2', 'S-R3'], ['legalTransitions']],
    ['B17: leadership is claimed before catch-up', broken.appliesEarly, ['R-9.2'], []],
    ['a truncation never reaches the disk', broken.truncationForgotten, ['S-R4', 'S-X2'], []],
    ['committed batches are skipped', broken.commitSkips, ['S-R17'], []],
  ])('%s', (_what, core, properties, without) => {
    expect(firstKill(core, properties, without)).toBeGreaterThan(0);
  });
});
