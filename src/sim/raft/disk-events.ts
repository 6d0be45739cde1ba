// What comes of a sync: its operations are durable, or it has failed and the process stops with what reached the disk
// before. A failed sync is never tried again.
import { observeSync } from './observe.ts';
import { crashProcess } from './process.ts';
import type { DiskFailure } from './sync.ts';
import { startSync, whyDiskFails } from './sync.ts';
import { noteOccurrence } from './triggers.ts';
import type { SimNode, World } from './world.ts';
import { aliveProcess } from './world.ts';

/** The disk is done with everything up to `op`, whether or not the process is awake to hear it. */
export function finishSync(world: World, node: SimNode, incarnation: number, op: number): void {
  if (!aliveProcess(node, incarnation)) return;
  if (node.stalledUntil > world.now) {
    world.queue.push(node.stalledUntil, { kind: 'sync', node: node.view.id, incarnation, op });
    return;
  }
  const failure = whyDiskFails(world, node);
  if (failure !== undefined) return stopForDisk(world, node, failure);
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

/** the driver ends the process; whoever watches over it starts it again, however little that helps. */
export function stopForDisk(world: World, node: SimNode, failure: DiskFailure): void {
  if (failure === 'full') world.coverage.fullDiskStops++;
  else world.coverage.diskErrorStops++;
  const restartMs = failure === 'full' ? 50 + node.draws.crash.below(1000) : node.draws.crash.below(500);
  // A full disk has taken nothing; of a failed sync anything may be there, up to some point.
  crashProcess(world, node, 'diskError', restartMs * 1000, failure === 'full' ? 0 : undefined);
}
