// AdminService.DeleteRecords, the same on controllers and brokers: each partition is checked against the node's own committed
// image, then its leader is asked over its Kafka listener (D-9.1). What goes wrong is told per partition, in a sentence.
import { printable } from '../base/printable.ts';
import { MAX_ITEMS_PER_CALL, timeToTry } from '../client/admin-writes.ts';
import { ClientError } from '../client/client-error.ts';
import type { ClientDeps } from '../client/cluster.ts';
import { ClusterClient } from '../client/cluster.ts';
import type { RecordsToDelete } from '../client/records-deletion.ts';
import { deleteRecords } from '../client/records-deletion.ts';
import type { RpcContext, RpcHandlers } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type {
  AdminServiceDefinition,
  DeletedRecords,
  DeleteRecordsRequest,
  DeleteRecordsResponse,
  ItemError,
  RecordsToDelete as Selected,
} from '../gen/kvorum/v1/admin.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { topicByName } from '../metadata/image.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export type RecordsAdmin = Pick<RpcHandlers<AdminServiceDefinition>, 'deleteRecords'>;

export interface RecordsAdminDeps extends ClientDeps {
  /** The node's committed image. */
  readonly publisher: Pick<MetadataPublisher, 'image'>;
  readonly requestTimeoutMs: number;
}

/** The handler, to be spread into AdminService. */
export function recordsAdmin(deps: RecordsAdminDeps): RecordsAdmin {
  return { deleteRecords: (request, context) => answer(deps, request, context) };
}

async function answer(
  deps: RecordsAdminDeps,
  request: DeleteRecordsRequest,
  context: RpcContext,
): Promise<DeleteRecordsResponse> {
  check(request);
  const { image } = deps.publisher;
  const limitMs = request.timeoutMs === 0 ? deps.requestTimeoutMs : request.timeoutMs;
  const counts = countNames(request.partitions);
  const refusals = request.partitions.map((item) => refusal(image, item, counts));
  const wanted = request.partitions.filter((_, i) => refusals[i] === undefined);
  const outcomes = await ask(deps, image, wanted, timeToTry(context.remainingMs, limitMs));
  return {
    partitions: request.partitions.map(({ topic, partition, beforeOffset }, i): DeletedRecords => {
      const refused = refusals[i];
      const outcome = refused === undefined ? outcomes.shift() : refused;
      if (typeof outcome === 'number') return { topic, partition, error: undefined, lowWatermark: outcome };
      const error = outcome instanceof ClientError ? explained(outcome, { topic, partition, beforeOffset }) : outcome;
      return { topic, partition, error, lowWatermark: -1 };
    }),
  };
}

function check({ partitions, timeoutMs }: DeleteRecordsRequest): void {
  if (timeoutMs < 0) throw invalidArgument('timeout_ms', `timeout_ms must not be below 0, it is ${timeoutMs}`);
  if (partitions.length <= MAX_ITEMS_PER_CALL) return;
  const message = `the call has ${partitions.length} items in partitions, of ${MAX_ITEMS_PER_CALL} possible: use several calls`;
  throw invalidArgument('partitions', message);
}

async function ask(
  deps: RecordsAdminDeps,
  image: MetadataImage,
  wanted: readonly RecordsToDelete[],
  timeoutMs: number,
): Promise<(number | ClientError)[]> {
  if (wanted.length === 0) return [];
  const { clock, random, network } = deps;
  // A broker names its Kafka listeners first.
  const bootstrap = [...image.brokers.values()].flatMap(({ fenced, endpoints }) =>
    fenced ? [] : endpoints.slice(0, 1).map(({ host, port }) => ({ host, port })),
  );
  const cluster = new ClusterClient({ clock, random, network }, { bootstrap, clientId: 'kvorum-admin' });
  try {
    return await deleteRecords(cluster, wanted, timeoutMs);
  } finally {
    cluster.close();
  }
}

function nameOf({ topic, partition }: Pick<Selected, 'topic' | 'partition'>): string {
  return `${topic}-${partition}`;
}

function countNames(items: readonly Selected[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return counts;
}

/** What can be told without asking the leader. */
function refusal(image: MetadataImage, item: Selected, counts: ReadonlyMap<string, number>): ItemError | undefined {
  const { topic, partition, beforeOffset } = item;
  const found = topicByName(image, topic);
  if (found === undefined) return itemError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${topic}'`);
  const state = found.partitions.get(partition);
  if (state === undefined) {
    const last = found.partitions.size - 1;
    return itemError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${topic} has partitions 0 to ${last}, not ${partition}`);
  }
  if ((counts.get(nameOf(item)) ?? 0) > 1) {
    return itemError('INVALID_REQUEST', `partition ${nameOf(item)} is named more than once: give it once`);
  }
  if (beforeOffset < -1) {
    return itemError('OFFSET_OUT_OF_RANGE', `before_offset is an offset, or -1 for the end; it is ${beforeOffset}`);
  }
  return state.leader < 0 ? leaderless(nameOf(item)) : undefined;
}

function leaderless(name: string): ItemError {
  return itemError(
    'LEADER_NOT_AVAILABLE',
    `partition ${name} has no leader at present: kvorum partition explain ${name} tells why`,
  );
}

/** As the leader's error means it here. */
function explained(error: ClientError, item: Selected): ItemError {
  const name = nameOf(item);
  switch (error.kafkaError) {
    case 'OFFSET_OUT_OF_RANGE':
      return itemError(
        'OFFSET_OUT_OF_RANGE',
        `offset ${item.beforeOffset} lies above the high watermark of ${name}: only what is committed can be deleted; -1 deletes all of that`,
      );
    case 'POLICY_VIOLATION':
      return itemError(
        'POLICY_VIOLATION',
        `topic ${item.topic} is only compacted: records can be deleted where cleanup.policy has delete`,
      );
    case 'LEADER_NOT_AVAILABLE':
      return leaderless(name);
    case 'KAFKA_STORAGE_ERROR':
      return itemError(
        'KAFKA_STORAGE_ERROR',
        `the disk of the leader of ${name} failed: the log of that broker says how`,
      );
    default:
      return itemError(asErrorName(error.kafkaError), error.message);
  }
}

/** Where no broker's answer says more: nothing is known of the outcome. */
function asErrorName(name: string | undefined): ErrorName {
  return name !== undefined && Object.hasOwn(ErrorCode, name) ? (name as ErrorName) : 'REQUEST_TIMED_OUT';
}

function itemError(name: ErrorName, message: string): ItemError {
  return { code: ErrorCode[name], name, message: printable(message) };
}
