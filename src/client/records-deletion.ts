// DeleteRecords over the Kafka protocol: each leader gets one request for all of its partitions. What moved in between, or could
// not be reached, is asked for again: to delete twice what lies below an offset is to delete it once. "Up to the end" is made an
// offset by the leader, so a repetition may take more along; what it takes was asked for as well.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import { sleep } from '../env/clock.ts';
import { deleteRecordsApi } from '../protocol/apis/delete-records.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { backoffMs } from './backoff.ts';
import { brokerError, ClientError } from './client-error.ts';
import type { ClusterClient } from './cluster.ts';
import { ignoreUnreachable } from './leader-call.ts';

export interface RecordsToDelete {
  readonly topic: string;
  readonly partition: number;
  /** What lies below goes; -1: all that is committed. */
  readonly beforeOffset: Offset;
}

/** One outcome each, in order: the first offset that is left, or why nothing is known of it. Throws no ClientError. */
export async function deleteRecords(
  cluster: ClusterClient,
  wanted: readonly RecordsToDelete[],
  timeoutMs: Ms = cluster.requestTimeoutMs,
): Promise<(Offset | ClientError)[]> {
  const { clock, random } = cluster.deps;
  const deadline = clock.now() + timeoutMs;
  const results = new Map<RecordsToDelete, Offset | ClientError>();
  const isOpen = (item: RecordsToDelete): boolean => {
    const result = results.get(item);
    return result === undefined || (result instanceof ClientError && result.retriable);
  };
  for (let count = 1; ; count++) {
    const open = wanted.filter(isOpen);
    await cluster.refresh(new Set(open.map(({ topic }) => topic))).catch(ignoreUnreachable);
    await attempt(cluster, open, Math.max(1, Math.round(deadline - clock.now())), results);
    if (!open.some(isOpen)) break;
    await sleep(clock, Math.max(0, Math.min(backoffMs(random, 'client.records', count), deadline - clock.now())));
    if (clock.now() >= deadline) break;
  }
  return wanted.map((item) => results.get(item) as Offset | ClientError);
}

async function attempt(
  cluster: ClusterClient,
  items: readonly RecordsToDelete[],
  timeoutMs: Ms,
  results: Map<RecordsToDelete, Offset | ClientError>,
): Promise<void> {
  const byLeader = new Map<NodeId, RecordsToDelete[]>();
  for (const item of items) {
    const leader = leaderOf(cluster, item);
    if (leader instanceof ClientError) {
      results.set(item, leader);
      continue;
    }
    const theirs = byLeader.get(leader) ?? [];
    byLeader.set(leader, theirs);
    theirs.push(item);
  }
  await Promise.all(
    [...byLeader].map(async ([leader, theirs]) => {
      try {
        for (const [item, result] of await ask(cluster, leader, theirs, timeoutMs)) results.set(item, result);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        for (const item of theirs) results.set(item, error);
      }
    }),
  );
}

/** As the metadata has it that was just fetched. */
function leaderOf(cluster: ClusterClient, { topic, partition }: RecordsToDelete): NodeId | ClientError {
  const what = `${topic}-${partition}`;
  const { metadata } = cluster;
  const known = metadata.topic(topic);
  if (known === undefined) {
    return brokerError(metadata.topicError(topic) || ErrorCode.LEADER_NOT_AVAILABLE, what);
  }
  if (known.partitions[partition] === undefined) return brokerError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, what);
  return cluster.leaderOf(topic, partition)?.leaderId ?? brokerError(ErrorCode.LEADER_NOT_AVAILABLE, what);
}

async function ask(
  cluster: ClusterClient,
  leader: NodeId,
  items: readonly RecordsToDelete[],
  timeoutMs: Ms,
): Promise<Map<RecordsToDelete, Offset | ClientError>> {
  const connection = await cluster.connectionTo(leader);
  const topics = new Map<string, { partitionIndex: number; offset: Offset }[]>();
  for (const { topic, partition, beforeOffset } of items) {
    const partitions = topics.get(topic) ?? [];
    topics.set(topic, partitions);
    partitions.push({ partitionIndex: partition, offset: beforeOffset });
  }
  const request = { timeoutMs, topics: [...topics].map(([name, partitions]) => ({ name, partitions })) };
  const response = await connection.request(deleteRecordsApi, request, { timeoutMs });
  const answers = new Map(
    response.topics.flatMap(({ name, partitions }) => partitions.map((it) => [`${name}-${it.partitionIndex}`, it])),
  );
  return new Map(
    items.map((item) => {
      const what = `${item.topic}-${item.partition}`;
      const answer = answers.get(what);
      if (answer === undefined) return [item, new ClientError('BAD_RESPONSE', `no answer about ${what}`)];
      const { errorCode, lowWatermark } = answer;
      return [item, errorCode === ErrorCode.NONE ? lowWatermark : brokerError(errorCode, what)];
    }),
  );
}
