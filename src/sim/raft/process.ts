// The life of a simulated process: start, crash, pause (safety.md 8.4).
import { newClock, whenShows } from './clock.ts';
import { coverCrash } from './cover.ts';
import { durableStateOf } from './disk.ts';
import { describeEffect, feed, feedDiskDone, localNow, runStep } from './driver.ts';
import { sendFailure } from './network.ts';
import { observeCrash, observeStarted } from './observe.ts';
import { endpointOf, replicaKey } from './replica-key.ts';
import { noteOccurrence } from './triggers.ts';
import type { SimNode, World } from './world.ts';
import { isFaulty, newSnapshotWork } from './world.ts';

/** One cluster for all runs. */
const CLUSTER_ID = 'kvorumSimulatedClustrw';

export function startProcess(world: World, node: SimNode): void {
  if (node.view.alive || node.isGone) return;
  const { config } = world.scenario;
  const percent = isFaulty(world) ? (config.clockPercent[node.view.id] ?? 100) : 100;
  node.clock = newClock(node.draws.boot.below(1_000_000), world.now, percent);
  node.silent = false;
  node.paused = false;
  node.waiting = [];
  node.timers.clear();
  node.held = [];
  node.outbound.clear();
  node.inbound.clear();
  node.nextInbound = 0;
  node.syncing = false;
  node.proposing.clear();
  node.changing.clear();
  node.snapshots = newSnapshotWork();
  node.raft = world.core.createRaft(
    {
      clusterId: CLUSTER_ID,
      replica: node.view.disk.replica,
      voterIds: Array.from({ length: config.voters }, (_, id) => id),
      endpoints: new Map(Array.from({ length: config.voters }, (_, id) => [id, endpointOf(id)])),
      snapshotChunkBytes: config.snapshots.chunkBytes,
      ...config.timings,
    },
    node.random,
  );
  observeStarted(world.observer, node.view);
  world.trace?.(`${(world.now / 1000).toFixed(3)} ${node.view.id} starts`);
  feed(world, node, { type: 'start', now: localNow(world, node), durable: durableStateOf(node.view.disk) });
  noteOccurrence(world, node, 'started');
}

/** `diskError`: the process ends itself, when what it has written does not become durable. */
export type CrashMode = 'kill' | 'power' | 'wipe' | 'diskError';

/** Ends the process; it starts again after `restartUs`. `surviving`: how many of the unsynced operations do, else drawn. */
export function crashProcess(
  world: World,
  node: SimNode,
  mode: CrashMode,
  restartUs: number,
  survivors?: number,
): void {
  if (!node.view.alive) return;
  const { disk, id } = node.view;
  const total = disk.pending.length;
  const surviving = survivors ?? (mode === 'kill' ? total : node.draws.crash.below(total + 1));
  const next = mode === 'wipe' ? replicaKey(world.scenario.seed, id, ++node.formats) : undefined;
  world.trace?.(`${(world.now / 1000).toFixed(3)} ${id} ${mode}, ${surviving} of ${total} operations survive`);
  // The peers of a dead process see their connections break; a dead machine says nothing.
  node.silent = mode === 'power' || mode === 'wipe';
  if (!node.silent) for (const inbound of node.inbound.values()) sendFailure(world, id, inbound, 'broken');
  if (mode === 'kill') {
    world.coverage.kills++;
  } else if (mode === 'power') {
    world.coverage.powerCuts++;
  } else if (mode === 'wipe') {
    world.coverage.wipes++;
  }
  const lost = observeCrash(world.observer, node.view, surviving, next);
  coverCrash(
    world,
    node,
    lost.length,
    lost.some((op) => op.kind === 'append'),
  );
  node.raft = undefined;
  node.paused = false;
  world.states.note(world.observer.ghost.nodes);
  world.queue.push(world.now + restartUs, { kind: 'start', node: id, incarnation: node.view.incarnation });
}

export function pauseProcess(world: World, node: SimNode, durationUs: number): void {
  if (!node.view.alive) return;
  if (!node.paused) world.coverage.pauses++;
  node.paused = true;
  node.resumeAt = Math.max(node.resumeAt, world.now + durationUs);
  const { id, incarnation } = node.view;
  world.queue.push(node.resumeAt, { kind: 'resume', node: id, incarnation });
}

/** Everything that has arrived meanwhile comes in a burst, with the present time. */
export function resumeProcess(world: World, node: SimNode): void {
  if (!node.paused) return;
  node.paused = false;
  const waiting = node.waiting;
  node.waiting = [];
  for (const event of waiting) {
    const late = { ...event, now: localNow(world, node) };
    if (late.type === 'diskDone') feedDiskDone(world, node, late);
    else runStep(world, node, late);
  }
}

/** The process hears of a sync; while it is paused, later. */
export function reportDiskDone(world: World, node: SimNode, op: number): void {
  const event = { type: 'diskDone', now: localNow(world, node), op } as const;
  if (world.trace !== undefined)
    world.trace(`${(world.now / 1000).toFixed(3)} ${node.view.id} ${describeEffect(event)}`);
  if (node.paused) node.waiting.push(event);
  else feedDiskDone(world, node, event);
}

/** After a change of speed: every timer is due at another virtual time. */
export function rescheduleTimers(world: World, node: SimNode): void {
  const { id, incarnation } = node.view;
  for (const [timer, { atMs, setting }] of node.timers) {
    world.queue.push(whenShows(node.clock, atMs, world.now), {
      kind: 'timer',
      node: id,
      incarnation,
      id: timer,
      setting,
    });
  }
}
