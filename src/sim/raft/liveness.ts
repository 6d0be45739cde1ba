// What must happen in the end, or must not. L-R1: thirty seconds after the heal there is one leader, everybody agrees with
// it, and an append commits within two seconds; L-R5 says the same where disks had been full. L-R4: so does a voter change,
// and none is left half done. L-R2, L-R3 beside it. S-X3 at the end.

import type { Voter } from '../../raft/types.ts';
import { currentLeader } from './faults.ts';
import { namesOf } from './ghost.ts';
import { endOffsetOf, holdsPrefix, wholeOf } from './log-entry.ts';
import { check, Violation } from './violation.ts';
import { askForChange } from './voter-workload.ts';
import { propose } from './workload.ts';
import type { SimNode, World } from './world.ts';

export const HEAL_US = 30_000_000;
export const PROBE_US = 2_000_000;

/** After a fault-free start: somebody leads. */
export function endBootstrap(world: World): void {
  if (world.scenario.config.bootstrapMs === 0) return;
  const leader = currentLeader(world);
  if (leader === undefined) throw new Violation('L-R1', 'no leader after a start without faults');
  world.steady = { leader, epoch: (world.nodes[leader] as SimNode).view.epoch };
}

/** Those who are to converge. */
function survivors(world: World): SimNode[] {
  return world.nodes.filter((node) => !node.isGone);
}

/** L-R2: nobody is still asking for votes when all have been able to talk for 30 s, ten election timeouts and more. */
function checkNobodyCampaigns(world: World): void {
  for (const { view } of survivors(world)) {
    const campaigns = view.role === 'prospective' || view.role === 'candidate';
    check('L-R2', !campaigns, () => `node ${view.id} is still ${view.role} in epoch ${view.epoch}`);
  }
}

/** L-R1, first half; then an append is proposed, and a voter change asked for. */
export function startProbe(world: World): void {
  const property = convergence(world);
  const leaders = survivors(world).filter(({ view }) => view.role === 'leader');
  check(
    property,
    leaders.length === 1,
    () => `leaders 30 s after the heal: ${leaders.map(({ view }) => view.id).join()}`,
  );
  const leader = leaders[0] as SimNode;
  checkNobodyCampaigns(world);
  const { claimEpoch, epoch, id } = leader.view;
  check(property, claimEpoch === epoch, () => `leader ${id} of epoch ${epoch} has not claimed it`);
  if (world.scenario.workload.voterChanges.intervalMs > 0) changeAnEndpoint(world, leader);
  const before = endOffsetOf(leader.view.disk.written);
  propose(world, leader, claimEpoch);
  const lastOffset = endOffsetOf(leader.view.disk.written) - 1;
  check(property, lastOffset >= before, () => `leader ${id} refuses an append`);
  world.probe = { node: id, lastOffset };
}

function convergence(world: World): string {
  return world.hadNoRoom ? 'L-R5' : 'L-R1';
}

/** L-R4: changes go on: no earlier one is in the way. */
function changeAnEndpoint(world: World, leader: SimNode): void {
  const voters = (wholeOf(leader.view.disk.written).voters ?? []) as readonly Voter[];
  const voter = voters[0];
  if (voter === undefined) throw new Violation('L-R4', `leader ${leader.view.id} knows no voters`);
  const accepted = world.accepted.length;
  askForChange(world, leader, { type: 'update', voter: { ...voter, endpoint: 'probe:9093' } });
  check(
    'L-R4',
    world.accepted.length > accepted,
    () => `leader ${leader.view.id} of ${namesOf(voters)} refuses to correct an endpoint`,
  );
}

/** L-R4: what leaders accepted is committed, or nobody has it any more. */
function checkChangesSettled(world: World): void {
  const { committed } = world.observer.ghost;
  for (const { change, entry } of world.accepted) {
    if (committed[entry.ordinal - 1]?.chain === entry.chain) continue;
    const holder = survivors(world).find(({ view }) => holdsPrefix(view.disk.written, entry, committed));
    check(
      'L-R4',
      holder === undefined,
      () => `node ${holder?.view.id} still has an uncommitted ${change.type} of a voter`,
    );
  }
}

/** L-R1, second half: it is committed, and everybody has the same epoch, high watermark and log. */
export function endRun(world: World): void {
  const { probe } = world;
  const property = convergence(world);
  if (probe === undefined) throw new Violation(property, 'no append was made');
  const leader = (world.nodes[probe.node] as SimNode).view;
  check(property, leader.role === 'leader', () => `leader ${leader.id} did not last`);
  check(
    property,
    leader.highWatermark > probe.lastOffset,
    () => `append at ${probe.lastOffset} is not committed after 2 s`,
  );
  const whole = wholeOf(leader.disk.synced);
  for (const { view } of survivors(world)) {
    const own = wholeOf(view.disk.synced);
    const same =
      view.alive &&
      view.epoch === leader.epoch &&
      view.leaderId === leader.id &&
      view.highWatermark === leader.highWatermark &&
      own.endOffset === whole.endOffset &&
      own.chain === whole.chain;
    check(property, same, () => {
      const mine = `${view.role}(${view.epoch}) of ${view.leaderId}, high watermark ${view.highWatermark}, end ${own.endOffset}`;
      return `node ${view.id} is ${mine}; leader ${leader.id}(${leader.epoch}) has ${leader.highWatermark}`;
    });
  }
  checkChangesSettled(world);
  checkResources(world);
}

/** S-X3: nothing piles up: answers owed, answers waited for, messages held, fetches parked, timers. */
function checkResources(world: World): void {
  const limit = 4 * world.nodes.length;
  for (const { inbound, outbound, held, raft, timers, view } of survivors(world)) {
    const parked = raft?.role.name === 'leader' ? raft.role.parked.length : 0;
    const sizes = [inbound.size, outbound.size, held.length, raft?.calls.size ?? 0, parked, timers.size];
    check(
      'S-X3',
      sizes.every((size) => size <= limit),
      () => `node ${view.id} holds ${sizes.join(', ')} calls, messages, fetches and timers`,
    );
  }
}

/** L-R3: a minority in trouble changes neither leader nor epoch, nor does its return. Looked at after every event. */
export function checkStable(world: World): void {
  const { steady } = world;
  if (steady === undefined) return;
  const view = (world.nodes[steady.leader] as SimNode).view;
  const same = view.alive && view.role === 'leader' && view.epoch === steady.epoch;
  check('L-R3', same, () => `leader ${steady.leader} of ${steady.epoch} is ${view.role}(${view.epoch})`);
}

/** L-R3: at the end of the fault phase the leader of the bootstrap has been replaced, and does not lead on beside it. */
export function checkDeposed(world: World): void {
  const { steady } = world;
  const leader = currentLeader(world);
  const epoch = leader === undefined ? -1 : (world.nodes[leader] as SimNode).view.epoch;
  const replaced = steady !== undefined && leader !== undefined && epoch > steady.epoch;
  check(
    'L-R3',
    replaced,
    () => `leader ${leader ?? 'none'} of ${epoch}, at first ${steady?.leader} of ${steady?.epoch}`,
  );
  // it has noticed by itself, if it can notice anything.
  const former = world.nodes[steady?.leader ?? 0] as SimNode;
  const believes = former.view.alive && !former.paused && former.view.claimEpoch === steady?.epoch;
  check('L-R3', !believes, () => `node ${former.view.id} still takes itself for the leader of ${steady?.epoch}`);
}
