// Who is a voter is decided by the log's pinned identities, not by configuration (R-0.3a, R-11.7). Tells the operator where
// the two differ.
import { noticeOnce } from './outbox.ts';
import type { RaftState } from './state.ts';
import { isVoter } from './state.ts';
import type { RaftEffect } from './types.ts';

/** another voter set is in force, or one was loaded. Warns if configuration promises what the log does not. */
export function announceVoters(state: RaftState, effects: RaftEffect[]): void {
  const { replica, voterIds } = state.config;
  const pinned = state.log.voters;
  effects.push({ type: 'voters', voters: pinned ?? [] });
  if (pinned === undefined) return;
  const sameId = pinned.find((voter) => voter.id === replica.id);
  if (!isVoter(state) && (sameId !== undefined || voterIds.includes(replica.id))) {
    noticeOnce(state, effects, 'warn', 'not-a-voter', {
      nodeId: replica.id,
      directoryId: replica.directoryId,
      pinnedDirectoryId: sameId?.directoryId,
      action:
        sameId === undefined
          ? 'this node follows as an observer; add it to the voters to let it vote'
          : 'this disk is new: the node follows as an observer until the old identity is removed from the voters and this one added',
    });
  }
  const pinnedIds = pinned.map((voter) => voter.id);
  if (pinnedIds.length !== voterIds.length || !pinnedIds.every((id) => voterIds.includes(id))) {
    noticeOnce(state, effects, 'warn', 'configured-voters-differ', {
      configured: voterIds,
      inForce: pinnedIds,
      action:
        'the voter set of the log is in force; controller.quorum.voters, where it is set, should name the same nodes',
    });
  }
}
