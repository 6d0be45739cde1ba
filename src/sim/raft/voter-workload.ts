// The operator of a run: adds spare controllers and re-formatted ones, removes voters, the leader among them, corrects
// endpoints; sometimes at a node that does not lead, sometimes what makes no sense, sometimes twice at once.
import type { ReplicaKey, Voter, VoterChange } from '../../raft/types.ts';
import { feed, localNow } from './driver.ts';
import { includesReplica, sameReplica } from './ghost.ts';
import { wholeOf } from './log-entry.ts';
import { endpointOf, replicaKey } from './replica-key.ts';
import { changed, isWithinBudget } from './voter-sets.ts';
import type { SimNode, World } from './world.ts';

export function operatorTick(world: World): void {
  if (world.phase === 'bootstrap') return scheduleOperator(world);
  if (world.phase !== 'faults') return;
  const { strayPermille, twicePermille } = world.scenario.workload.voterChanges;
  const stray = world.operator.chance(strayPermille);
  const twice = world.operator.chance(twicePermille);
  const node = pickNode(world, stray);
  if (node !== undefined) {
    tryChange(world, node, stray);
    if (twice) tryChange(world, node, stray);
  }
  scheduleOperator(world);
}

export function scheduleOperator(world: World): void {
  const { intervalMs } = world.scenario.workload.voterChanges;
  if (intervalMs === 0) return;
  const waitUs = 1 + world.operator.below(Math.round(intervalMs * 2000));
  world.queue.push(world.now + waitUs, { kind: 'changeVoters' });
}

function pickNode(world: World, stray: boolean): SimNode | undefined {
  const { nodes } = world;
  const first = world.operator.below(nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[(first + i) % nodes.length] as SimNode;
    if (node.view.alive && !node.paused && (stray || node.view.role === 'leader')) return node;
  }
  return undefined;
}

function tryChange(world: World, node: SimNode, stray: boolean): void {
  if (!node.view.alive || node.paused) return;
  const { voters } = wholeOf(node.view.disk.written);
  if (voters === undefined) return;
  const change = stray && world.operator.chance(500) ? nonsense(world, voters) : sensible(world, node, voters);
  if (change !== undefined) askForChange(world, node, change);
}

/** Asks that node for the change, unless the quorum could not survive it (M-8): an operator does not do that. */
export function askForChange(world: World, node: SimNode, change: VoterChange): number | undefined {
  const voters = wholeOf(node.view.disk.written).voters ?? [];
  if (!isWithinBudget(world.observer.ghost, changed(voters, change))) return undefined;
  const token = world.nextToken++;
  node.changing.set(token, change);
  feed(world, node, { type: 'changeVoters', now: localNow(world, node), token, change });
  return token;
}

function sensible(world: World, node: SimNode, voters: readonly ReplicaKey[]): VoterChange | undefined {
  const { operator, observer } = world;
  // A voter whose disk is gone goes first, then its successor comes.
  const lost = voters.find((voter) => observer.ghost.lostDisks.has(voter.directoryId));
  const what = operator.below(10);
  const who = operator.below(world.nodes.length);
  if (lost !== undefined && what < 7) return { type: 'remove', replica: keyOf(lost) };
  if (what < 5) return adding(world, voters, who);
  if (what < 9) return removing(world, node, voters, who);
  const voter = voters[who % voters.length];
  if (voter === undefined) return undefined;
  return { type: 'update', voter: { ...keyOf(voter), endpoint: `moved${operator.below(1000)}:9093` } };
}

/** A controller that is no voter, on whatever disk; rather one whose disk is new. */
function adding({ nodes }: World, voters: readonly ReplicaKey[], first: number): VoterChange | undefined {
  let found: SimNode | undefined;
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[(first + i) % nodes.length] as SimNode;
    if (!node.view.controller || voters.some(({ id }) => id === node.view.id)) continue;
    if (found === undefined || node.formats > found.formats) found = node;
  }
  return found === undefined ? undefined : { type: 'add', voter: voterOf(found.view.disk.replica) };
}

function removing(world: World, node: SimNode, voters: readonly ReplicaKey[], who: number): VoterChange | undefined {
  const own = node.view.disk.replica;
  if (world.operator.chance(world.scenario.workload.voterChanges.leaderPermille)) {
    return includesReplica(voters, own) ? { type: 'remove', replica: own } : undefined;
  }
  const others = voters.filter((voter) => !sameReplica(voter, own));
  const voter = others[who % Math.max(1, others.length)];
  return voter === undefined ? undefined : { type: 'remove', replica: keyOf(voter) };
}

/** What a leader refuses: a voter again, a disk that nobody has, a stranger that is to go. */
function nonsense(world: World, voters: readonly ReplicaKey[]): VoterChange {
  const nobody = replicaKey(world.scenario.seed, world.operator.below(world.nodes.length), 1_000_000);
  const voter = voters[world.operator.below(voters.length)] ?? nobody;
  switch (world.operator.below(4)) {
    case 0:
      return { type: 'add', voter: voterOf(keyOf(voter)) };
    case 1:
      return { type: 'add', voter: voterOf(nobody) };
    case 2:
      return { type: 'remove', replica: nobody };
    default:
      return { type: 'update', voter: voterOf(nobody) };
  }
}

function keyOf({ id, directoryId }: ReplicaKey): ReplicaKey {
  return { id, directoryId };
}

function voterOf(replica: ReplicaKey): Voter {
  return { ...replica, endpoint: endpointOf(replica.id) };
}
