// What `quorum describe` shows, read off the state; changes nothing.

import { ZERO_UUID } from '../base/uuid.ts';
import type { Progress } from './roles.ts';
import type { RaftState } from './state.ts';
import { endpointOf, isSelf, isVoter, knownLeader } from './state.ts';
import type { QuorumDescription, ReplicaKey, ReplicaProgress } from './types.ts';

export function describeQuorum(state: RaftState): QuorumDescription {
  const { role, log, config } = state;
  const leads = role.name === 'leader';
  const voters = log.voters ?? config.voterIds.map((id) => ({ id, directoryId: ZERO_UUID }));
  const observers = leads ? [...role.observers.values()].map((progress) => progressOf(state, progress)) : [];
  // it leads on without being a voter.
  if (leads && !isVoter(state)) observers.push(describeReplica(state, config.replica));
  return {
    role: role.name,
    leaderId: knownLeader(state),
    epoch: state.epoch,
    highWatermark: state.highWatermark,
    logEndOffset: log.endOffset,
    logStartOffset: log.startOffset,
    latestSnapshot: state.snapshots.at(-1)?.id,
    isVoter: isVoter(state),
    voters: leads
      ? role.voters.map((voter) => progressOf(state, voter))
      : voters.map((voter) => describeReplica(state, voter)),
    observers,
  };
}

/** The leader itself has everything, now. */
function progressOf(state: RaftState, progress: Progress): ReplicaProgress {
  const { key, endOffset: logEndOffset, lastFetchMs, lastCaughtUpMs } = progress;
  const replica = describeReplica(state, key);
  return isSelf(state, key) ? replica : { ...replica, logEndOffset, lastFetchMs, lastCaughtUpMs };
}

/** What is known without asking: of itself its log end, and as the leader that it is caught up. */
function describeReplica(state: RaftState, { id, directoryId }: ReplicaKey): ReplicaProgress {
  const { log, now } = state;
  const self = isSelf(state, { id, directoryId });
  const at = self && state.role.name === 'leader' ? now : -1;
  return {
    replica: { id, directoryId },
    endpoint: endpointOf(state, id),
    logEndOffset: self ? log.endOffset : -1,
    lastFetchMs: at,
    lastCaughtUpMs: at,
  };
}
