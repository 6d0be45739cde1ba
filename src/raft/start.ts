// The first role after a start, from what the disk held.
import { NO_NODE } from '../base/ids.ts';
import { isVoterSet } from './control-record.ts';
import { becomeProspective, beginCandidacy, isLowestVoter, onElectionTimeout } from './election.ts';
import { beginFollowing, newFollower } from './following.ts';
import { announceVoters } from './identity.ts';
import { fatal, noticeOnce, persistQuorumState, retryLater } from './outbox.ts';
import { beginResigned } from './resigned.ts';
import type { Role } from './roles.ts';
import { whyNotOfLog } from './snapshots.ts';
import type { RaftState } from './state.ts';
import { isElectable, isOnlyVoter, isOwnId, isReachable, isVoter } from './state.ts';
import { newTally } from './tally.ts';
import { announce } from './transition.ts';
import type { DurableState, RaftEffect, Snapshot } from './types.ts';
import { waitForElection } from './unattached.ts';
import { sameReplica } from './vote-grant.ts';

export function start(state: RaftState, effects: RaftEffect[], durable: DurableState): void {
  state.started = true;
  loadLog(state, durable);
  if (durable.quorumState !== undefined) {
    state.epoch = durable.quorumState.leaderEpoch;
    state.leaderId = durable.quorumState.leaderId;
    state.votedKey = durable.quorumState.votedKey;
    state.written = durable.quorumState;
  }
  if (state.epoch < state.log.lastEpoch) adoptLogEpoch(state, effects);
  state.role = firstRole(state);
  announce(state, effects);
  // before anything that is committed after it.
  const newest = state.snapshots.at(-1);
  if (newest !== undefined) effects.push({ type: 'loadSnapshot', snapshot: newest });
  if (state.log.voters !== undefined) announceVoters(state, effects);
  begin(state, effects);
}

/** what is in a snapshot is committed; the high watermark begins there. */
function loadLog(state: RaftState, { snapshots, batches }: DurableState): void {
  const problem = whyNotCatalogue(snapshots) ?? state.log.load(snapshots, batches);
  if (problem !== undefined) fatal(`the metadata log is corrupt: ${problem}`);
  state.snapshots = snapshots;
  for (const snapshot of snapshots) {
    const { endOffset, epoch } = snapshot.id;
    const mismatch = whyNotOfLog(state, snapshot);
    if (mismatch !== undefined)
      fatal(`the metadata log is corrupt: its snapshot ${endOffset} of epoch ${epoch} ${mismatch}`);
    state.highWatermark = endOffset;
  }
}

function whyNotCatalogue(snapshots: readonly Snapshot[]): string | undefined {
  let previous = 0;
  for (const { id, voters } of snapshots) {
    if (id.endOffset <= previous || id.epoch < 1) return `a snapshot ends at ${id.endOffset}, after one at ${previous}`;
    if (!isVoterSet(voters)) return `the snapshot ${id.endOffset} names no voters`;
    previous = id.endOffset;
  }
  return undefined;
}

/**
 * H-6: the vote of the log's epoch is forgotten. Written as a vote for itself: with a log of that epoch it keeps
 * this node from voting for anybody else, and from candidacy in it (firstRole), over further restarts too.
 */
function adoptLogEpoch(state: RaftState, effects: RaftEffect[]): void {
  noticeOnce(state, effects, 'error', 'quorum-state-behind-log', {
    quorumStateEpoch: state.epoch,
    logEpoch: state.log.lastEpoch,
    action: 'the quorum state was lost or rolled back: this node does not vote in that epoch; check its disk',
  });
  state.epoch = state.log.lastEpoch;
  state.leaderId = NO_NODE;
  state.votedKey = state.config.replica;
  persistQuorumState(state, effects);
}

function firstRole(state: RaftState): Role {
  // records of that epoch may be lost; it may neither lead nor vote in it again.
  if (isOwnId(state, state.leaderId)) return { name: 'resigned' };
  if (isReachable(state, state.leaderId)) return newFollower();
  const votedForSelf = state.votedKey !== undefined && sameReplica(state.votedKey, state.config.replica);
  // but not with records of that epoch in the log.
  if (votedForSelf && isElectable(state) && state.log.lastEpoch < state.epoch && state.leaderId === NO_NODE) {
    return { name: 'candidate', tally: newTally(state), electedOp: undefined };
  }
  return { name: 'unattached' };
}

function begin(state: RaftState, effects: RaftEffect[]): void {
  switch (state.role.name) {
    case 'candidate':
      beginCandidacy(state, effects);
      return;
    case 'follower':
      beginFollowing(state, effects);
      return;
    case 'resigned':
      // : how far the others are is not known.
      if (isOnlyVoter(state)) onElectionTimeout(state, effects);
      else beginResigned(state, effects, state.log.voters ?? []);
      return;
    default:
      // R-0.3a: a first election begins at once, by one voter.
      if (isVoter(state) && (isOnlyVoter(state) || (state.log.isEmpty && isLowestVoter(state)))) {
        becomeProspective(state, effects);
        return;
      }
      waitForElection(state, effects);
      retryLater(state, effects);
  }
}
