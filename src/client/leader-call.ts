// One request to whoever leads a partition, repeated after metadata refreshes until it succeeds or time is up.
import type { Ms, Offset } from '../base/ids.ts';
import { sleep } from '../env/clock.ts';
import { listOffsetsApi } from '../protocol/apis/list-offsets.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { backoffMs } from './backoff.ts';
import { brokerError, ClientError } from './client-error.ts';
import type { ClusterClient } from './cluster.ts';
import type { KafkaConnection } from './connection.ts';
import type { PartitionMetadata } from './metadata-cache.ts';

/**
 * Calls `attempt` with the leader's connection. A retriable ClientError from it leads to a refresh, a pause and another
 * attempt; the last error is thrown once `timeoutMs` has passed.
 */
async function withLeader<T>(
  cluster: ClusterClient,
  topic: string,
  partition: number,
  timeoutMs: Ms,
  attempt: (connection: KafkaConnection, leader: PartitionMetadata) => Promise<T>,
): Promise<T> {
  const { clock, random } = cluster.deps;
  const deadline = clock.now() + timeoutMs;
  for (let count = 1; ; count++) {
    try {
      const { partitions } = await cluster.topic(topic, Math.max(0, deadline - clock.now()));
      if (partition >= partitions.length || partition < 0) {
        throw new ClientError(
          'BROKER_ERROR',
          `topic ${topic} has partitions 0 to ${partitions.length - 1}, not ${partition}`,
          {
            kafkaError: 'UNKNOWN_TOPIC_OR_PARTITION',
          },
        );
      }
      const leader = cluster.leaderOf(topic, partition);
      if (leader === undefined) throw brokerError(ErrorCode.LEADER_NOT_AVAILABLE, `${topic}-${partition}`);
      return await attempt(await cluster.connectionTo(leader.leaderId), leader);
    } catch (error) {
      if (!(error instanceof ClientError) || !error.retriable || clock.now() >= deadline) throw error;
      await sleep(clock, Math.min(backoffMs(random, 'client.leader', count), Math.max(1, deadline - clock.now())));
      await cluster.refresh([topic]).catch(ignoreUnreachable);
    }
  }
}

/** A refresh that found no broker: the attempt that follows says so itself. */
export function ignoreUnreachable(error: unknown): void {
  if (!(error instanceof ClientError)) throw error;
}

/** Special timestamps of ListOffsets. */
export const LATEST_TIMESTAMP = -1;
export const EARLIEST_TIMESTAMP = -2;

export interface FoundOffset {
  /** -1 if no record is as late as the timestamp asked for. */
  readonly offset: Offset;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

/** The end (-1), the start (-2), or the first record at or after a timestamp. */
export function listOffset(
  cluster: ClusterClient,
  topic: string,
  partition: number,
  timestamp: number,
  timeoutMs: Ms = cluster.requestTimeoutMs,
): Promise<FoundOffset> {
  return withLeader(cluster, topic, partition, timeoutMs, async (connection, leader) => {
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: leader.leaderEpoch, timestamp }];
    const response = await connection.request(listOffsetsApi, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: topic, partitions }],
    });
    const found = response.topics.find(({ name }) => name === topic)?.partitions[0];
    if (found === undefined || found.partitionIndex !== partition) {
      throw new ClientError('BAD_RESPONSE', `no answer about offsets of ${topic}-${partition}`);
    }
    if (found.errorCode !== ErrorCode.NONE) throw brokerError(found.errorCode, `offsets of ${topic}-${partition}`);
    return { offset: found.offset, timestamp: found.timestamp, leaderEpoch: found.leaderEpoch };
  });
}
