// What `quorum describe` shows, read off the state; changes nothing.

import { ZERO_UUID } from '../base/uuid.ts';
import type { Progress } from './roles.ts';
import type { RaftState } from './state.ts';
import { isVoter, knownLeader } from './state.ts';
import type { QuorumDescription, ReplicaProgress } from './types.ts';
import { sameReplica } from './vote-grant.ts';

export function describeQuorum(state: RaftState): QuorumDescription {
  const { role, log, config } = state;
  const leads = role.name === 'leader';
  const voters = leads
    ? role.voters.map((voter) => progressOf(state, voter))
    : (log.voters ?? config.voterIds.map((id) => ({ id, directoryId: ZERO_UUID }))).map((replica) => ({
        replica,
        endpoint: config.endpoints.get(replica.id) ?? '',
        logEndOffset: sameReplica(replica, config.replica) ? log.endOffset : -1,
        lastFetchMs: -1,
        lastCaughtUpMs: -1,
      }));
  return {
    role: role.name,
    leaderId: knownLeader(state),
    epoch: state.epoch,
    highWatermark: state.highWatermark,
    logEndOffset: log.endOffset,
    logStartOffset: log.startOffset,
    latestSnapshot: undefined,
    isVoter: isVoter(state),
    voters,
    observers: leads ? [...role.observers.values()].map((observer) => progressOf(state, observer)) : [],
  };
}

/** The leader itself has everything, now. */
function progressOf(state: RaftState, progress: Progress): ReplicaProgress {
  const endpoint = state.config.endpoints.get(progress.key.id) ?? '';
  const { key: replica, endOffset, lastFetchMs, lastCaughtUpMs } = progress;
  if (sameReplica(replica, state.config.replica)) {
    return { replica, endpoint, logEndOffset: state.log.endOffset, lastFetchMs: state.now, lastCaughtUpMs: state.now };
  }
  return { replica, endpoint, logEndOffset: endOffset, lastFetchMs, lastCaughtUpMs };
}
