// One Fetch request to one broker for several partitions, without a session, and what its answer means for each.
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { FetchPartitionData, FetchResponse } from '../protocol/apis/fetch.ts';
import { fetchApi } from '../protocol/apis/fetch.ts';
import { ErrorCode, errorInfo } from '../protocol/error-codes.ts';
import type { BatchHeader } from '../record/batch.ts';
import { brokerError, ClientError } from './client-error.ts';
import type { ClusterClient } from './cluster.ts';
import type { KafkaConnection } from './connection.ts';
import { wholeBatches } from './fetched.ts';

/** Where a reader stands. */
export interface FetchTarget {
  readonly topic: string;
  readonly partition: number;
  topicId: Uuid | undefined;
  position: Offset | undefined;
  /** Leader epoch of the last batch read, -1 if none was. */
  lastFetchedEpoch: Epoch;
}

export interface FetchLimits {
  readonly maxWaitMs: Ms;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionMaxBytes: number;
}

/** `retry`: the metadata is outdated, or the broker not ready. */
export type PartitionAnswer =
  | { readonly kind: 'records'; readonly batches: readonly BatchHeader[] }
  | { readonly kind: 'retry' }
  | { readonly kind: 'out-of-range'; readonly error: ClientError };

interface RequestedPartition {
  readonly partition: number;
  readonly currentLeaderEpoch: Epoch;
  readonly fetchOffset: Offset;
  readonly lastFetchedEpoch: Epoch;
  readonly partitionMaxBytes: number;
}

/** Topics go by id from this version on. */
const TOPIC_ID_VERSION = 13;

/** Time beyond `maxWaitMs` for the answer to come. */
const ANSWER_SLACK_MS = 5000;

/** Fetches for all targets, which have positions. ClientError for what concerns the whole request or cannot be mended. */
export async function fetchFrom(
  cluster: ClusterClient,
  connection: KafkaConnection,
  targets: readonly FetchTarget[],
  limits: FetchLimits,
): Promise<Map<FetchTarget, PartitionAnswer>> {
  const byId = targets.every(({ topicId = ZERO_UUID }) => topicId !== ZERO_UUID);
  const timeoutMs = limits.maxWaitMs + ANSWER_SLACK_MS;
  const { maxWaitMs, minBytes, maxBytes } = limits;
  const topics = topicsOf(cluster, targets, limits.partitionMaxBytes);
  const response = await connection.request(
    fetchApi,
    { maxWaitMs, minBytes, maxBytes, topics },
    byId ? { timeoutMs } : { timeoutMs, maxVersion: TOPIC_ID_VERSION - 1 },
  );
  if (response.errorCode !== ErrorCode.NONE) throw brokerError(response.errorCode, 'fetch');
  const answers = new Map<FetchTarget, PartitionAnswer>();
  for (const target of targets) {
    const answer = answerFor(target, response);
    if (answer !== undefined) answers.set(target, judge(target, answer));
  }
  return answers;
}

function topicsOf(cluster: ClusterClient, targets: readonly FetchTarget[], partitionMaxBytes: number) {
  const topics = new Map<string, { topic: string; topicId: Uuid; partitions: RequestedPartition[] }>();
  for (const { topic, topicId = ZERO_UUID, partition, position = 0, lastFetchedEpoch } of targets) {
    let entry = topics.get(topic);
    if (entry === undefined) {
      entry = { topic, topicId, partitions: [] };
      topics.set(topic, entry);
    }
    const currentLeaderEpoch = cluster.leaderOf(topic, partition)?.leaderEpoch ?? -1;
    entry.partitions.push({
      partition,
      currentLeaderEpoch,
      fetchOffset: position,
      lastFetchedEpoch,
      partitionMaxBytes,
    });
  }
  return [...topics.values()];
}

function answerFor(target: FetchTarget, response: FetchResponse): FetchPartitionData | undefined {
  const { topic, topicId, partition } = target;
  return response.responses
    .find((entry) => (entry.topicId === ZERO_UUID ? entry.topic === topic : entry.topicId === topicId))
    ?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
}

function judge(target: FetchTarget, answer: FetchPartitionData): PartitionAnswer {
  const { topic, partition, position } = target;
  const what = `${topic}-${partition} at offset ${position}`;
  const { errorCode, divergingEpoch, records } = answer;
  if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) {
    return { kind: 'out-of-range', error: brokerError(errorCode, what) };
  }
  if (errorInfo(errorCode)?.retriable) return { kind: 'retry' };
  if (errorCode !== ErrorCode.NONE) throw brokerError(errorCode, what);
  if (divergingEpoch.endOffset >= 0) {
    const { epoch, endOffset } = divergingEpoch;
    const lost = `epoch ${epoch} ends at offset ${endOffset} now, records after it were read and are gone`;
    throw new ClientError('LOG_TRUNCATED', `${what}: ${lost}`);
  }
  const batches = records === null ? [] : wholeBatches(records);
  if (batches.length === 0 && records !== null && records.length > 0) {
    throw new ClientError('BAD_RESPONSE', `${what}: ${records.length} bytes without a whole batch`);
  }
  return { kind: 'records', batches };
}
