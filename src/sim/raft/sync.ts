// Syncs of a simulated disk (safety.md 8.4): one at a time, with latency and stalls, going on while the process is paused.
import { observeSync } from './observe.ts';
import { noteOccurrence } from './triggers.ts';
import type { SimNode, World } from './world.ts';
import { aliveProcess, isFaulty } from './world.ts';

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

/** The disk is done with everything up to `op`, whether or not the process is awake to hear it. */
export function finishSync(world: World, node: SimNode, incarnation: number, op: number): void {
  if (!aliveProcess(node, incarnation)) return;
  if (node.stalledUntil > world.now) {
    world.queue.push(node.stalledUntil, { kind: 'sync', node: node.view.id, incarnation, op });
    return;
  }
  const { disk } = node.view;
  const grouped = world.scenario.config.disk.groupedReports;
  while (disk.pending.length > 0 && (disk.pending[0]?.op ?? op + 1) <= op) {
    const done = observeSync(world.observer, node.view).op;
    if (!grouped || done === op) {
      world.queue.push(world.now, { kind: 'diskDone', node: node.view.id, incarnation, op: done });
    }
  }
  node.syncing = false;
  noteOccurrence(world, node, 'synced');
  startSync(world, node);
}
