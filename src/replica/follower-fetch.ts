// A follower's fetch at the leader (D-2): the checks in their order, then what it says of the follower's log (D-2.4), the ISR (D-4.1) and
// the high watermark (D-6). A follower reads up to the log end, also what is not flushed here: a leader's own end counts only when it is.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { Leadership } from './leadership.ts';
import type { Partition } from './partition.ts';
import type { FoundOffset, PartitionFetch, PartitionRead } from './read.ts';
import { divergence, onDisk, refusal, unreadable } from './read.ts';

/** What tells a follower from a consumer. */
export interface FetchingReplica {
  readonly brokerId: NodeId;
  /** Of the registration that it fetches under (KIP-903). */
  readonly brokerEpoch: Offset;
}

/** Where a follower stands. */
export type FollowerFetch = Pick<PartitionFetch, 'fetchOffset' | 'currentLeaderEpoch' | 'lastFetchedEpoch'> & {
  readonly logStartOffset: Offset;
};

/**
 * Takes what a follower says of its log. Undefined: the fetch is valid, and there may be records for it; else the answer, and nothing
 * has changed (D-2.3).
 */
export function followerFetched(
  partition: Partition,
  replica: FetchingReplica,
  fetch: FollowerFetch,
): PartitionRead | undefined {
  const checked = check(partition, replica, fetch);
  if ('error' in checked) return checked;
  const { logStartOffset } = fetch;
  const known = checked.followers.get(replica.brokerId)?.logStartOffset ?? 0;
  checked.fetched({ ...replica, logEndOffset: Number(fetch.fetchOffset), logStartOffset });
  partition.advance(); // D-6.8
  if (known < logStartOffset) partition.logStartMoved(); // D-9.1: somebody may wait for that
  return undefined;
}

/** Reads for a follower, up to the log end. Checks again what `followerFetched` has: a fetch that waited may be another's now (D-2.6). */
export async function readForFollower(
  partition: Partition,
  replica: FetchingReplica,
  fetch: FollowerFetch & Pick<PartitionFetch, 'maxBytes' | 'atLeastOne' | 'allocate'>,
): Promise<PartitionRead> {
  const checked = check(partition, replica, fetch);
  if ('error' in checked) return checked;
  // What it said of a log that it lost is forgotten: it says how far it is now by asking again (D-10.2).
  if (!checked.followers.has(replica.brokerId)) return unreadable('REPLICA_NOT_AVAILABLE');
  const { log } = partition;
  const fetchOffset = Number(fetch.fetchOffset);
  const answer = answerOf(partition);
  if (fetchOffset >= log.logEndOffset) return answer;
  const records = await onDisk(partition, () =>
    log.read(fetchOffset, fetch.maxBytes, log.logEndOffset, fetch.atLeastOne, fetch.allocate),
  );
  if (typeof records === 'string') return unreadable(records);
  // D-9.1: deleted while it was read.
  if (fetchOffset < log.logStartOffset) return { ...answerOf(partition), error: 'OFFSET_OUT_OF_RANGE' };
  return { ...answer, records };
}

/** D-2.2, in its order. */
function check(partition: Partition, replica: FetchingReplica, fetch: FollowerFetch): Leadership | PartitionRead {
  const refused = whyRefused(partition, replica, fetch);
  if (typeof refused === 'string') return unreadable(refused);
  const { log } = partition;
  const outOfRange = { ...answerOf(partition), error: 'OFFSET_OUT_OF_RANGE' as const };
  if (fetch.fetchOffset < log.logStartOffset) return outOfRange; // KAFKA-12996
  const fetchOffset = Number(fetch.fetchOffset);
  if (fetch.lastFetchedEpoch >= 0) {
    const diverging = divergence(partition, fetch.lastFetchedEpoch, fetchOffset);
    if (diverging === 'unknown') return outOfRange;
    if (diverging !== undefined) return { ...answerOf(partition), diverging };
  }
  return fetchOffset > log.logEndOffset ? outOfRange : refused;
}

/** Of the replica and its epochs; KAFKA-14078: the leader epoch first. The leadership if it may fetch. */
function whyRefused(partition: Partition, replica: FetchingReplica, fetch: FollowerFetch): Leadership | ErrorName {
  const { currentLeaderEpoch } = fetch;
  // A follower always names its epoch: one that does not is of no epoch that is known.
  const error = currentLeaderEpoch < 0 ? 'FENCED_LEADER_EPOCH' : refusal(partition, currentLeaderEpoch);
  const role = partition.leader;
  if (role === undefined) return error ?? 'NOT_LEADER_OR_FOLLOWER';
  const { brokerId, brokerEpoch } = replica;
  const refuse = (level: 'info' | 'warn', answer: ErrorName, reason: string): ErrorName => {
    const fetchOffset = Number(fetch.fetchOffset);
    role.tellOnce(`${answer} ${brokerId}`, level, {
      event: 'follower-refused',
      ...{ brokerId, brokerEpoch, fetchOffset, reason, error: answer },
    });
    return answer;
  };
  // One that is ahead knows what this broker is about to hear.
  if (error === 'FENCED_LEADER_EPOCH') return refuse('info', error, `its leader epoch is ${currentLeaderEpoch}`);
  if (error !== undefined) return error;
  if (!role.state.replicas.includes(brokerId)) return refuse('warn', 'UNKNOWN_LEADER_EPOCH', 'it has no replica');
  const newest = role.newestEpoch(brokerId);
  if (brokerEpoch >= 0 && brokerEpoch >= newest) return role;
  return refuse('warn', 'NOT_LEADER_OR_FOLLOWER', `an earlier incarnation: broker epoch ${newest} is known`); // KIP-903
}

/** Without records. */
function answerOf({ highWatermark, log }: Partition): PartitionRead {
  return { ...unreadable('NONE'), highWatermark, logStartOffset: log.logStartOffset };
}

/** D-3.8: for a follower, where the log of the leader ends, whatever of it is committed. */
export function findLogEnd(partition: Partition, currentLeaderEpoch: Epoch): FoundOffset {
  const error = refusal(partition, currentLeaderEpoch) ?? 'NONE';
  const { log, leaderEpoch } = partition;
  return { error, offset: error === 'NONE' ? log.logEndOffset : -1, timestamp: -1, leaderEpoch };
}
