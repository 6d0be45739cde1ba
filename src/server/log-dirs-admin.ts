// AdminService.DescribeLogDirs, the same on controllers and brokers: every broker that is asked about is asked over its Kafka listener,
// all at once. One that cannot be asked is an item with an error, and the others are told of all the same.
import type { Ms, NodeId } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { timeToTry } from '../client/admin-writes.ts';
import { ClientError } from '../client/client-error.ts';
import { KafkaConnection } from '../client/connection.ts';
import type { Clock } from '../env/clock.ts';
import type { Network, RpcContext, RpcHandlers } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type {
  AdminServiceDefinition,
  BrokerLogDirs,
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
  ItemError,
  LogDirDescription,
} from '../gen/kvorum/v1/admin.ts';
import type { BrokerRegistration, MetadataImage } from '../metadata/image.ts';
import { brokersInOrder, topicByName } from '../metadata/image.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { DescribeLogDirsResponse as KafkaResponse } from '../protocol/apis/describe-log-dirs.ts';
import { describeLogDirsApi } from '../protocol/apis/describe-log-dirs.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';

export type LogDirsAdmin = Pick<RpcHandlers<AdminServiceDefinition>, 'describeLogDirs'>;

export interface LogDirsAdminDeps {
  readonly network: Network;
  readonly clock: Clock;
  /** The node's committed image. */
  readonly publisher: Pick<MetadataPublisher, 'image'>;
  readonly requestTimeoutMs: Ms;
}

type Topics = { topic: string; partitions: number[] }[] | null;

/** A broker that does not answer keeps the answers of the others no longer than this. */
const MAX_WAIT_MS: Ms = 5000;
const MAX_NAMES = 10_000;

/** The handler, to be spread into AdminService. */
export function logDirsAdmin(deps: LogDirsAdminDeps): LogDirsAdmin {
  return { describeLogDirs: (request, context) => answer(deps, request, context) };
}

async function answer(
  deps: LogDirsAdminDeps,
  request: DescribeLogDirsRequest,
  context: RpcContext,
): Promise<DescribeLogDirsResponse> {
  const { image } = deps.publisher;
  const topics = topicsOf(image, request);
  const ids =
    request.brokerIds.length === 0 ? brokersInOrder(image).map(({ brokerId }) => brokerId) : request.brokerIds;
  const timeoutMs = timeToTry(context.remainingMs, Math.min(deps.requestTimeoutMs, MAX_WAIT_MS));
  const brokers = await Promise.all([...new Set(ids)].map((id) => one(deps, id, topics, timeoutMs)));
  return { brokers };
}

/** As brokers are asked. RpcError INVALID_ARGUMENT. */
function topicsOf(image: MetadataImage, { topics, brokerIds }: DescribeLogDirsRequest): Topics {
  for (const [field, names] of Object.entries({ topics, broker_ids: brokerIds })) {
    if (names.length <= MAX_NAMES) continue;
    throw invalidArgument(field, `the call names ${names.length} ${field}, of ${MAX_NAMES} possible`);
  }
  if (topics.length === 0) return null;
  return [...new Set(topics)].map((name) => {
    const topic = topicByName(image, name);
    if (topic === undefined) throw invalidArgument('topics', printable(`there is no topic '${name}'`));
    return { topic: name, partitions: [...topic.partitions.keys()] };
  });
}

async function one(deps: LogDirsAdminDeps, brokerId: NodeId, topics: Topics, timeoutMs: Ms): Promise<BrokerLogDirs> {
  const broker = deps.publisher.image.brokers.get(brokerId);
  // A broker names its Kafka listeners first.
  const [endpoint] = broker?.endpoints ?? [];
  if (broker === undefined || endpoint === undefined || broker.fenced)
    return failed(brokerId, absent(brokerId, broker));
  const { clock, network } = deps;
  const options = { clientId: 'kvorum-admin', connectTimeoutMs: timeoutMs, requestTimeoutMs: timeoutMs };
  let connection: KafkaConnection | undefined;
  try {
    connection = await KafkaConnection.open({ network, clock }, { host: endpoint.host, port: endpoint.port }, options);
    return described(brokerId, await connection.request(describeLogDirsApi, { topics }));
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return failed(brokerId, itemError('BROKER_NOT_AVAILABLE', error.message));
  } finally {
    connection?.close();
  }
}

function absent(brokerId: NodeId, broker: BrokerRegistration | undefined): ItemError {
  if (broker === undefined) return itemError('BROKER_ID_NOT_REGISTERED', `broker ${brokerId} is not registered`);
  return itemError(
    'BROKER_NOT_AVAILABLE',
    `broker ${brokerId} is fenced: kvorum broker describe ${brokerId} tells why`,
  );
}

function failed(brokerId: NodeId, error: ItemError): BrokerLogDirs {
  return { brokerId, error, logDirs: [] };
}

function described(brokerId: NodeId, { errorCode, results }: KafkaResponse): BrokerLogDirs {
  if (errorCode !== ErrorCode.NONE) {
    const name = errorName(errorCode);
    return failed(brokerId, { code: errorCode, name, message: `broker ${brokerId} answers ${name}` });
  }
  return { brokerId, error: undefined, logDirs: results.map((result) => logDir(brokerId, result)) };
}

function logDir(brokerId: NodeId, result: KafkaResponse['results'][number]): LogDirDescription {
  const { errorCode, logDir: path, topics, totalBytes, usableBytes } = result;
  const name = errorName(errorCode);
  const message = `the disk of ${path} failed: the log of broker ${brokerId} says how, at log-dir-offline`;
  const replicas = topics.flatMap(({ name: topic, partitions }) =>
    partitions.map(({ partitionIndex, partitionSize, offsetLag }) => {
      return { topic, partition: partitionIndex, sizeBytes: partitionSize, offsetLag };
    }),
  );
  return {
    path,
    error: errorCode === ErrorCode.NONE ? undefined : { code: errorCode, name, message },
    totalBytes,
    usableBytes,
    replicas: replicas.sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition)),
  };
}

function itemError(name: ErrorName, message: string): ItemError {
  return { code: ErrorCode[name], name, message: printable(message) };
}
