// The one place where the high watermark moves: up only, along batch boundaries, never beyond the log.
import type { Offset } from '../base/ids.ts';
import { nextHighWatermark } from './commit.ts';
import type { Leader } from './roles.ts';
import type { RaftState } from './state.ts';
import { isSelf } from './state.ts';
import type { RaftEffect } from './types.ts';

/** Commits everything below `offset`, as far as the log reaches. Whether anything new is committed. */
export function raiseHighWatermark(state: RaftState, effects: RaftEffect[], offset: Offset): boolean {
  const target = state.log.boundaryAtOrBelow(offset);
  if (target <= state.highWatermark) return false;
  const from = Math.max(state.highWatermark, state.log.startOffset);
  state.highWatermark = target;
  effects.push({ type: 'commit', highWatermark: target, batches: state.log.slice(from, target) });
  return true;
}

/** looks again at what a majority of the voters in force holds, the leader, if it is one, with its flushed end. */
export function advanceCommit(state: RaftState, effects: RaftEffect[], leader: Leader): boolean {
  for (let i = 0; i < leader.voters.length; i++) {
    const voter = leader.voters[i];
    if (voter === undefined) continue;
    leader.endOffsets[i] = isSelf(state, voter.key) ? state.log.flushedEndOffset : voter.endOffset;
  }
  const next = nextHighWatermark(state.highWatermark, leader.endOffsets, leader.epochStartOffset);
  return next > state.highWatermark && raiseHighWatermark(state, effects, next);
}

/** What a leader tells followers: unknown until a record of its own epoch is committed. */
export function announcedHighWatermark(state: RaftState, leader: Leader): Offset {
  return state.highWatermark > leader.epochStartOffset ? state.highWatermark : -1;
}
