// Carries out faults (safety.md 8.6), and mends everything at the end of the fault phase.
import { unreachable } from '../../base/assert.ts';
import { setSpeed } from './clock.ts';
import { localNow, runStep } from './driver.ts';
import { isVoter, liveVoterSets } from './ghost.ts';
import { holdsPrefix } from './log-entry.ts';
import { crashProcess, pauseProcess, rescheduleTimers, resumeProcess, startProcess } from './process.ts';
import type { FaultAction, TimedFault } from './scenario.ts';
import { isWithinBudget, mayLoseDisk } from './voter-sets.ts';
import type { SimNode, World } from './world.ts';
import { isFaulty } from './world.ts';

/** Later than any run ends. */
const NEVER_US = 1e15;

/** The node that a timed fault hits, as things are now. */
export function targetOf(world: World, fault: TimedFault): number {
  const count = world.nodes.length;
  if (fault.target === 'any') return fault.node % count;
  const leader = currentLeader(world);
  if (leader === undefined) return fault.node % count;
  if (fault.target === 'leader') return leader;
  const followers = world.nodes.filter(({ view }) => isVoter(view) && view.id !== leader);
  return followers.length === 0 ? leader : (followers[fault.node % followers.length] as SimNode).view.id;
}

/** The living leader of the highest epoch. */
export function currentLeader(world: World): number | undefined {
  let best: SimNode | undefined;
  for (const node of world.nodes) {
    if (!node.view.alive || node.view.role !== 'leader') continue;
    if (best === undefined || node.view.epoch > best.view.epoch) best = node;
  }
  return best?.view.id;
}

export function injectFault(world: World, action: FaultAction, target: number): void {
  if (!isFaulty(world)) return;
  const node = world.nodes[target] as SimNode;
  const durationUs = Math.round(action.durationMs * 1000);
  world.trace?.(`${(world.now / 1000).toFixed(3)} fault ${action.kind} at ${target} for ${action.durationMs} ms`);
  switch (action.kind) {
    case 'kill':
    case 'power':
      return crashProcess(world, node, action.kind, durationUs);
    case 'wipe':
      return wipe(world, node, durationUs);
    case 'pause':
      return pauseProcess(world, node, durationUs);
    case 'isolate':
      return cut(world, (from, to) => from === target || to === target, durationUs);
    case 'cutOut':
      return cut(world, (from) => from === target, durationUs);
    case 'cutIn':
      return cut(world, (_from, to) => to === target, durationUs);
    case 'cutLink': {
      const other = action.other % world.nodes.length;
      return cut(world, (from, to) => from === target && to === other, durationUs);
    }
    case 'split':
      return cut(world, (from, to) => ((action.other >> from) & 1) !== ((action.other >> to) & 1), durationUs);
    case 'keepPair': {
      const pair = [target, action.other % world.nodes.length];
      return cut(world, (from, to) => !pair.includes(from) || !pair.includes(to), durationUs);
    }
    case 'stallDisk':
      node.stalledUntil = Math.max(node.stalledUntil, world.now + durationUs);
      return;
    case 'failSync':
      node.failsNextSync = node.view.alive;
      return;
    case 'fillDisk':
      node.fullUntil = Math.max(node.fullUntil, world.now + durationUs);
      return;
    case 'clock':
      return changeSpeed(world, node, Math.max(10, action.other));
    case 'resign':
      if (node.view.alive && !node.paused && node.view.role === 'leader') {
        runStep(world, node, { type: 'resign', now: localNow(world, node), epoch: node.view.epoch });
      }
      return;
    default:
      unreachable(action.kind, 'fault');
  }
}

/**
 * M-8: at most a minority of each voter set lose their disks, as long as nobody is pinned a minority of the configured
 * voters; beyond that the machine only loses power.
 */
function wipe(world: World, node: SimNode, durationUs: number): void {
  const { ghost } = world.observer;
  const { id, configuredVoter, disk } = node.view;
  if (!node.view.alive) return;
  const allowed = Math.floor((world.scenario.config.voters - 1) / 2);
  const spared =
    ghost.voterRecords.length > 0
      ? !mayLoseDisk(ghost, disk.replica) || (configuredVoter && !isRemembered(world, id))
      : configuredVoter && !world.wiped.has(id) && world.wiped.size >= allowed;
  if (spared) return crashProcess(world, node, 'power', durationUs);
  if (configuredVoter) world.wiped.add(id);
  crashProcess(world, node, 'wipe', durationUs);
}

/**
 * Whether another configured voter knows that there is a cluster. Were all of them empty they would found a second one
 * (R-0.3a), also when others have taken their places long ago: not what any majority could prevent.
 */
function isRemembered({ nodes, observer: { ghost } }: World, id: number): boolean {
  const first = ghost.committed[0];
  return nodes.some(({ view }) => {
    if (!view.configuredVoter || view.id === id || first === undefined) return false;
    return holdsPrefix(view.disk.synced, first, ghost.committed);
  });
}

function cut(world: World, isCut: (from: number, to: number) => boolean, durationUs: number): void {
  const links: number[] = [];
  const count = world.nodes.length;
  for (let from = 0; from < count; from++) {
    for (let to = 0; to < count; to++) if (from !== to && isCut(from, to)) links.push(from * count + to);
  }
  for (const index of links) {
    const link = world.links[index];
    if (link !== undefined) link.cuts++;
  }
  world.queue.push(world.now + durationUs, { kind: 'mend', links, phase: world.phaseNumber });
}

export function mend(world: World, links: readonly number[]): void {
  for (const index of links) {
    const link = world.links[index];
    if (link !== undefined) link.cuts--;
  }
}

export function changeSpeed(world: World, node: SimNode, percent: number): void {
  setSpeed(node.clock, world.now, percent);
  if (node.view.alive) rescheduleTimers(world, node);
}

/**
 * safety.md 8.8: links up, pauses and stalls end, disks have room, clocks run true, everybody restarts; in core mode all but
 * as many as each voter set can do without.
 */
export function heal(world: World): void {
  world.hadNoRoom = !hasRoom(world);
  if (world.hadNoRoom) world.coverage.runsWithoutRoom++;
  for (const link of world.links) link.cuts = 0;
  const dead = drawDead(world);
  for (const node of world.nodes) {
    node.stalledUntil = 0;
    node.fullUntil = 0;
    node.failsNextSync = false;
    if (dead.includes(node)) {
      crashProcess(world, node, 'power', NEVER_US);
      node.isGone = true;
      world.coverage.deadAfterHeal++;
      continue;
    }
    changeSpeed(world, node, 100);
    resumeProcess(world, node);
    startProcess(world, node);
  }
}

/** L-R5: whether a majority of each voter set can write. */
function hasRoom({ nodes, now, observer: { ghost } }: World): boolean {
  const full = nodes.filter((node) => node.fullUntil > now).map(({ view }) => view.disk.replica);
  return liveVoterSets(ghost).every((voters) => isWithinBudget(ghost, voters, full));
}

function drawDead(world: World): SimNode[] {
  const { ghost } = world.observer;
  const dead: SimNode[] = [];
  for (let left = world.scenario.config.deadAfterHeal; left > 0; left--) {
    const node = world.nodes[world.operator.below(world.nodes.length)] as SimNode;
    const replicas = [...dead, node].map(({ view }) => view.disk.replica);
    const sets = liveVoterSets(ghost);
    // Before a majority holds the first batch every configured voter is needed (R-0.3a).
    if (ghost.committed.length === 0 || dead.includes(node)) continue;
    // Somebody whose address everybody has been given tells the others who leads now.
    if (world.nodes.every((one) => !one.view.configuredVoter || one === node || dead.includes(one))) continue;
    if (sets.every((voters) => isWithinBudget(ghost, voters, replicas))) dead.push(node);
  }
  return dead;
}
