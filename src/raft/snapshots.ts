// The catalogue of snapshots: two are kept, and the log begins at the end of the older one, so that a
// follower that lags a little needs none.
import { fatal, trimLog } from './outbox.ts';
import type { RaftState } from './state.ts';
import type { RaftEffect, Snapshot, Voter } from './types.ts';
import { sameReplica } from './vote-grant.ts';

/** the state machine's own; outdated where a snapshot fetched from the leader has overtaken it. */
export function onSnapshotTaken(state: RaftState, effects: RaftEffect[], snapshot: Snapshot): void {
  const { endOffset, epoch } = snapshot.id;
  const newest = state.snapshots.at(-1);
  if (newest !== undefined && endOffset <= newest.id.endOffset) return;
  if (endOffset < 1 || endOffset > state.highWatermark) {
    fatal(`a snapshot ends at ${endOffset}, the high watermark is ${state.highWatermark}`);
  }
  const problem = whyNotOfLog(state, snapshot);
  if (problem !== undefined) fatal(`the snapshot ${endOffset} of epoch ${epoch} ${problem}`);
  trimLog(state, effects, newest === undefined ? [snapshot] : [newest, snapshot]);
}

/** why this cannot be a snapshot of this log. */
export function whyNotOfLog(state: RaftState, { id, voters }: Snapshot): string | undefined {
  const { log } = state;
  if (!log.contains(id)) return 'does not end at a batch of that epoch';
  return sameVoters(voters, log.votersAsOf(id.endOffset) ?? []) ? undefined : 'names other voters than the log';
}

function sameVoters(a: readonly Voter[], b: readonly Voter[]): boolean {
  return a.length === b.length && a.every((voter, i) => isSameVoter(voter, b[i]));
}

function isSameVoter(a: Voter, b: Voter | undefined): boolean {
  return b !== undefined && sameReplica(a, b) && a.endpoint === b.endpoint;
}
