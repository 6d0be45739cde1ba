// Syncs of a simulated disk (safety.md 8.4): one at a time, with latency and stalls, going on while the process is paused.
import type { SimNode, World } from './world.ts';
import { isFaulty } from './world.ts';

/** One sync outside the fault phase. */
const CALM_SYNC_US = 500;

/** Begins a sync of all that is written, unless one is under way: what is written meanwhile forms the next. */
export function startSync(world: World, node: SimNode): void {
  const { disk, id, incarnation } = node.view;
  if (node.syncing || disk.pending.length === 0) return;
  node.syncing = true;
  let delay = CALM_SYNC_US + node.draws.disk.below(CALM_SYNC_US);
  if (isFaulty(world)) {
    const { baseUs, tailUs, tailPermille } = world.scenario.config.disk;
    delay = baseUs + node.draws.disk.below(baseUs + 1);
    if (node.draws.disk.chance(tailPermille)) delay += node.draws.disk.below(tailUs + 1);
  }
  const at = Math.max(world.now + delay, node.stalledUntil);
  world.queue.push(at, { kind: 'sync', node: id, incarnation, op: disk.issuedOp });
}

export type DiskFailure = 'error' | 'full';

/** Whether what is to be made durable now cannot be. */
export function whyDiskFails(world: World, node: SimNode): DiskFailure | undefined {
  if (node.fullUntil > world.now) return 'full';
  if (!node.failsNextSync) return undefined;
  node.failsNextSync = false;
  return 'error';
}
