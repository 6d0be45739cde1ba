// Whether what was loaded at start is all that this replica ever acknowledged: compared with the durable-end
// note. A replica that lost synced records or its vote must not take part under the old identity.
import type { Epoch, Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import { batchEndOffset } from '../raft/log.ts';
import type { Batch, QuorumState, ReplicaKey, Snapshot } from '../raft/types.ts';
import { sameReplica } from '../raft/vote-grant.ts';
import type { DurableEnd } from './durable-end.ts';

/** What the database holds, as far as the note speaks of it. */
export interface LoadedLog {
  /** End of the oldest snapshot, 0 if there is none. */
  readonly logStartOffset: Offset;
  readonly logEndOffset: Offset;
  /** Epoch of the record before `offset`, logStartOffset <= offset <= logEndOffset; undefined inside no batch, or at 0. */
  epochBefore(offset: Offset): Epoch | undefined;
  readonly quorumState: QuorumState | undefined;
}

/** Snapshots and batches as they were loaded, oldest first. */
export function loadedLogOf({
  snapshots,
  batches,
  quorumState,
}: {
  readonly snapshots: readonly Pick<Snapshot, 'id'>[];
  readonly batches: readonly Batch[];
  readonly quorumState: QuorumState | undefined;
}): LoadedLog {
  const first = snapshots[0]?.id;
  const last = batches.at(-1);
  const logStartOffset = first?.endOffset ?? 0;
  return {
    logStartOffset,
    logEndOffset: last === undefined ? logStartOffset : batchEndOffset(last),
    epochBefore: (offset) =>
      offset === logStartOffset
        ? first?.epoch
        : batches.findLast((batch) => batch.baseOffset < offset && offset <= batchEndOffset(batch))?.epoch,
    quorumState,
  };
}

/** What is missing or other than the note says, in a sentence; undefined if nothing is. */
export function whatWasLost(note: DurableEnd, log: LoadedLog): string | undefined {
  const { logEndOffset, lastEpoch, leaderEpoch, votedKey } = note;
  if (log.logEndOffset < logEndOffset) {
    return log.logEndOffset === 0
      ? `the metadata log is empty, though it was durable up to offset ${logEndOffset} once: the database was wiped`
      : `the metadata log ends at offset ${log.logEndOffset}, though it was durable up to offset ${logEndOffset} once: it lost records that were synced, or an older copy of it was restored`;
  }
  // Below the log start only the leader can tell, and does when this node fetches.
  if (logEndOffset > 0 && logEndOffset >= log.logStartOffset && log.epochBefore(logEndOffset) !== lastEpoch) {
    return `the metadata log has a record of epoch ${log.epochBefore(logEndOffset)} before offset ${logEndOffset}, where one of epoch ${lastEpoch} was durable: it is another log`;
  }
  const epoch = log.quorumState?.leaderEpoch ?? 0;
  if (epoch < leaderEpoch) {
    return `the quorum state is of epoch ${epoch}, though epoch ${leaderEpoch} was durable once: it was lost or rolled back`;
  }
  if (epoch === leaderEpoch && votedKey !== undefined && !hasVoted(log.quorumState, votedKey)) {
    return `the quorum state does not have the vote for node ${votedKey.id} in epoch ${epoch}, which was durable once: it was rolled back`;
  }
  return undefined;
}

function hasVoted(state: QuorumState | undefined, key: ReplicaKey): boolean {
  return state?.votedKey !== undefined && sameReplica(state.votedKey, key);
}

/** EnvError CORRUPT if the database in `directory` lost something that was durable once. */
export function verifyNothingLost(directory: string, note: DurableEnd, log: LoadedLog): void {
  const lost = whatWasLost(note, log);
  if (lost === undefined) return;
  throw new EnvError(
    'CORRUPT',
    `${lost}. This replica must not take part with less than it acknowledged (${directory}/durable-end)`,
  );
}
