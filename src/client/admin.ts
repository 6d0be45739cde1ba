// Administration over the Kafka protocol: topics and the list of brokers. Any broker takes these requests. They are sent
// once: a request whose answer is lost may have been carried out, and only the caller knows what that means.
import type { Ms, NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Address } from '../env/network.ts';
import { createTopicsApi } from '../protocol/apis/create-topics.ts';
import { deleteTopicsApi } from '../protocol/apis/delete-topics.ts';
import { describeClusterApi } from '../protocol/apis/describe-cluster.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { ClientError } from './client-error.ts';
import { brokerError } from './client-error.ts';
import type { ClusterClient } from './cluster.ts';

export interface TopicToCreate {
  readonly name: string;
  /** The broker's default unless given. */
  readonly partitions?: number;
  /** The broker's default unless given. */
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
  /** Replicas by partition, preferred leader first, instead of the two numbers. */
  readonly assignments?: readonly (readonly NodeId[])[];
}

/** How it went for one topic. */
export interface TopicOutcome {
  readonly name: string;
  /** Where the broker told it. */
  readonly topicId: Uuid;
  readonly error: ClientError | undefined;
}

export interface ClusterDescription {
  readonly clusterId: string;
  readonly controllerId: NodeId;
  readonly brokers: readonly { readonly id: NodeId; readonly address: Address; readonly rack: string | null }[];
}

export interface AdminOptions {
  /** How long brokers may take; default 30 s. */
  readonly timeoutMs?: Ms;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** For the answer to come after the broker gave up. */
const ANSWER_SLACK_MS = 2000;

/** Creates topics, each on its own. ClientError if there is no answer at all. */
export async function createTopics(
  cluster: ClusterClient,
  topics: readonly TopicToCreate[],
  options: AdminOptions & { readonly validateOnly?: boolean } = {},
): Promise<TopicOutcome[]> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, validateOnly = false } = options;
  const connection = await cluster.anyConnection();
  const request = {
    timeoutMs,
    validateOnly,
    topics: topics.map(({ name, partitions = -1, replicationFactor = -1, configs = {}, assignments = [] }) => ({
      name,
      numPartitions: partitions,
      replicationFactor,
      assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds: [...brokerIds] })),
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    })),
  };
  const response = await connection.request(createTopicsApi, request, { timeoutMs: timeoutMs + ANSWER_SLACK_MS });
  return response.topics.map(({ name, topicId, errorCode, errorMessage }) => ({
    name,
    topicId,
    error: errorOf(errorCode, `create topic ${name}`, errorMessage),
  }));
}

/** Deletes topics by name, each on its own. ClientError if there is no answer at all. */
export async function deleteTopics(
  cluster: ClusterClient,
  names: readonly string[],
  options: AdminOptions = {},
): Promise<TopicOutcome[]> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const connection = await cluster.anyConnection();
  // Before version 6 names had a field of their own.
  const byName = (connection.versionOf(deleteTopicsApi) ?? 0) >= 6;
  const request = {
    timeoutMs,
    topics: byName ? names.map((name) => ({ name })) : [],
    topicNames: byName ? [] : [...names],
  };
  const response = await connection.request(deleteTopicsApi, request, { timeoutMs: timeoutMs + ANSWER_SLACK_MS });
  return response.responses.map(({ name, topicId, errorCode, errorMessage }) => ({
    name: name ?? '',
    topicId,
    error: errorOf(errorCode, `delete topic ${name}`, errorMessage),
  }));
}

/** The live brokers as one of them sees them. */
export async function describeCluster(cluster: ClusterClient): Promise<ClusterDescription> {
  const connection = await cluster.anyConnection();
  const response = await connection.request(describeClusterApi, {});
  const error = errorOf(response.errorCode, 'describe cluster', response.errorMessage);
  if (error !== undefined) throw error;
  return {
    clusterId: response.clusterId,
    controllerId: response.controllerId,
    brokers: response.brokers.map(({ brokerId, host, port, rack }) => ({
      id: brokerId,
      address: { host, port },
      rack,
    })),
  };
}

function errorOf(code: number, what: string, message: string | null): ClientError | undefined {
  return code === ErrorCode.NONE ? undefined : brokerError(code, what, message);
}
