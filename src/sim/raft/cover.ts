// Where coverage is counted: reads what is about to happen, before the observer takes it in.
import type { Batch, RaftEvent, RaftRequest, RaftResponse, RoleName } from '../../raft/types.ts';
import type { RolePoint } from './checker.ts';
import { sameReplica } from './ghost.ts';
import { endOffsetOf, prefixAt, wholeOf } from './log-entry.ts';
import type { SimNode, World } from './world.ts';

export function coverRole(world: World, node: SimNode, to: RolePoint, cause: RaftEvent): void {
  const { coverage, observer } = world;
  const { role, epoch, disk, highWatermark } = node.view;
  if (role === undefined) {
    if (node.view.incarnation > 1) coverRestart(world, to.role);
    return;
  }
  if (role === to.role && epoch === to.epoch) return;
  const voted = disk.writtenState?.votedKey;
  if (epoch === to.epoch && voted !== undefined && !sameReplica(voted, disk.replica)) coverage.votesKept++;
  if (to.role === 'candidate') coverCandidate(world, to.epoch);
  if (role === 'candidate' && to.role !== 'leader') coverage.electionsLost++;
  if (role === 'leader' && to.epoch > epoch) coverage.leadersReplaced++;
  if (to.role === 'resigned') {
    if (cause.type === 'resign') coverage.requestedResigns++;
    else coverage.checkQuorumResigns++;
  }
  if (to.role !== 'leader') return;
  coverage.electionsWon++;
  if (endOffsetOf(disk.written) === 0) coverage.bootstraps++;
  const committed = observer.ghost.committed;
  const end = committed[committed.length - 1]?.endOffset ?? 0;
  if (Math.max(highWatermark, 0) < end) coverage.leadersBehindCommit++;
}

function coverCandidate(world: World, epoch: number): void {
  const key = `candidate ${epoch}`;
  if (world.occurrences.has(key)) world.coverage.splitVotes++;
  world.occurrences.set(key, 1);
}

function coverRestart({ coverage }: World, role: RoleName): void {
  if (role === 'unattached') coverage.restartsAsUnattached++;
  else if (role === 'resigned') coverage.restartsAsResigned++;
  else if (role === 'candidate') coverage.restartsAsCandidate++;
  else if (role === 'follower') coverage.restartsAsFollower++;
}

export function coverCrash(world: World, node: SimNode, lostOps: number, lostTail: boolean): void {
  const { coverage } = world;
  coverage.lostDiskOps += lostOps;
  switch (node.view.role) {
    case 'leader':
      coverage.leaderCrashes++;
      if (lostTail) coverage.leaderCrashesWithLostTail++;
      return;
    case 'unattached':
      coverage.crashesOfUnattached++;
      return;
    case 'prospective':
      coverage.crashesOfProspective++;
      return;
    case 'candidate':
      coverage.crashesOfCandidate++;
      return;
    case 'resigned':
      coverage.crashesOfResigned++;
      return;
    case 'follower':
      coverage.crashesOfFollower++;
      if (lostTail) coverage.followerCrashesWithLostTail++;
      return;
    case undefined:
  }
}

export function coverTruncation({ coverage }: World, node: SimNode, endOffset: number): void {
  const { written } = node.view.disk;
  const whole = wholeOf(written);
  const kept = prefixAt(written, endOffset);
  coverage.truncations++;
  if (kept !== undefined && kept.ordinal > 0 && kept.voterRecords < whole.voterRecords)
    coverage.voterChangesTruncated++;
  const firstCut = written.entries[written.entries.length - (whole.ordinal - (kept?.ordinal ?? 0))];
  if (firstCut !== undefined && firstCut.epoch !== whole.epoch) coverage.truncationsOverEpochs++;
}

export function coverCommit(world: World, node: SimNode, batches: readonly Batch[]): void {
  const { coverage, observer } = world;
  coverage.commits++;
  if (!node.view.controller) coverage.observerCommits++;
  const known = observer.ghost.committed.length;
  const first = batches[known - node.view.committed.ordinal];
  if (node.view.role === 'leader' && first !== undefined && first.epoch < node.view.epoch) coverage.priorEpochCommits++;
}

/** A response that leaves. */
export function coverMessage(world: World, node: SimNode, request: RaftRequest, response: RaftResponse): void {
  const { coverage } = world;
  if (response.error === 'FENCED_LEADER_EPOCH') coverage.fencedResponses++;
  if (response.type === 'vote' && request.type === 'vote' && response.error === 'NONE') {
    if (request.preVote) {
      if (response.granted) coverage.preVotesGranted++;
      else coverage.preVotesRefused++;
    } else if (!response.granted) {
      coverage.votesRefused++;
    } else {
      coverage.votesGranted++;
      const key = `grant ${node.view.disk.replica.directoryId} ${response.epoch}`;
      if (world.occurrences.has(key)) coverage.regrants++;
      world.occurrences.set(key, 1);
    }
    return;
  }
  if (response.error === 'SNAPSHOT_NOT_FOUND') coverage.snapshotsNotFound++;
  if (response.type !== 'fetch' || request.type !== 'fetch') return;
  if (response.error === 'NOT_LEADER_OR_FOLLOWER' && request.maxWaitMs > 0) coverage.fetchesFailed++;
  if (response.snapshotId !== undefined) coverage.snapshotsOffered++;
  if (response.diverging === undefined) return;
  coverage.divergingFetches++;
  const fetcher = world.nodes[request.replicaKey.id];
  if (fetcher !== undefined && fetcher.divergences++ > 0) coverage.multiRoundDivergences++;
}
