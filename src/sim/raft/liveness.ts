// What must happen in the end, or must not. L-R1: thirty seconds after the heal there is one leader, everybody agrees with
// it, and an append commits within two seconds. L-R2, L-R3 beside it. S-X3 at the end.
import { currentLeader } from './faults.ts';
import type { LogEntry } from './log-entry.ts';
import { endOffsetOf } from './log-entry.ts';
import { check, Violation } from './violation.ts';
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

/** L-R2: nobody is still asking for votes when all have been able to talk for 30 s, ten election timeouts and more. */
function checkNobodyCampaigns(world: World): void {
  for (const { view } of world.nodes) {
    const campaigns = view.role === 'prospective' || view.role === 'candidate';
    check('L-R2', !campaigns, () => `node ${view.id} is still ${view.role} in epoch ${view.epoch}`);
  }
}

/** L-R1, first half; then an append is proposed. */
export function startProbe(world: World): void {
  const leaders = world.nodes.filter(({ view }) => view.role === 'leader');
  check(
    'L-R1',
    leaders.length === 1,
    () => `leaders 30 s after the heal: ${leaders.map(({ view }) => view.id).join()}`,
  );
  const leader = leaders[0] as SimNode;
  checkNobodyCampaigns(world);
  const { claimEpoch, epoch, id } = leader.view;
  check('L-R1', claimEpoch === epoch, () => `leader ${id} of epoch ${epoch} has not claimed it`);
  const before = endOffsetOf(leader.view.disk.written);
  propose(world, leader, claimEpoch);
  const lastOffset = endOffsetOf(leader.view.disk.written) - 1;
  check('L-R1', lastOffset >= before, () => `leader ${id} refuses an append`);
  world.probe = { node: id, lastOffset };
}

/** L-R1, second half: it is committed, and everybody has the same epoch, high watermark and log. */
export function endRun(world: World): void {
  const { probe } = world;
  if (probe === undefined) throw new Violation('L-R1', 'no append was made');
  const leader = (world.nodes[probe.node] as SimNode).view;
  check('L-R1', leader.role === 'leader', () => `leader ${leader.id} did not last`);
  check(
    'L-R1',
    leader.highWatermark > probe.lastOffset,
    () => `append at ${probe.lastOffset} is not committed after 2 s`,
  );
  for (const { view } of world.nodes) {
    const last = view.disk.synced[view.disk.synced.length - 1];
    const same =
      view.alive &&
      view.epoch === leader.epoch &&
      view.leaderId === leader.id &&
      view.highWatermark === leader.highWatermark &&
      sameEnd(last, leader.disk.synced[leader.disk.synced.length - 1]);
    check('L-R1', same, () => {
      const mine = `${view.role}(${view.epoch}) of ${view.leaderId}, high watermark ${view.highWatermark}, end ${last?.endOffset}`;
      return `node ${view.id} is ${mine}; leader ${leader.id}(${leader.epoch}) has ${leader.highWatermark}`;
    });
  }
  checkResources(world);
}

function sameEnd(a: LogEntry | undefined, b: LogEntry | undefined): boolean {
  return a?.endOffset === b?.endOffset && a?.chain === b?.chain;
}

/** S-X3: nothing piles up: answers owed, answers waited for, messages held. */
function checkResources(world: World): void {
  const limit = 4 * world.nodes.length;
  for (const { inbound, outbound, held, view } of world.nodes) {
    const sizes = [inbound.size, outbound.size, held.length];
    check(
      'S-X3',
      sizes.every((size) => size <= limit),
      () => `node ${view.id} holds ${sizes.join(', ')} calls and messages`,
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

/** L-R3: at the end of the fault phase the leader of the bootstrap has been replaced. */
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
}
