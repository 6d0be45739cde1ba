// AdminService.DescribeReplicas, the same on controllers and brokers: every broker that holds a replica is asked, all at once, over its
// gRPC listener. One that cannot be asked is named with the reason, and the others are told of all the same.

import type { Ms, NodeId } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { timeToTry } from '../client/admin-writes.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Network, RpcContext, RpcHandlers } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type {
  DescribeReplicasRequest,
  DescribeReplicasResponse,
  ReplicaDescription,
  SilentBroker,
} from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import type { BrokerEndpoint, BrokerRegistration, MetadataImage, TopicImage } from '../metadata/image.ts';
import { topicByName, topicsInOrder } from '../metadata/image.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export type ReplicasAdmin = Pick<RpcHandlers<AdminServiceDefinition>, 'describeReplicas'>;

export interface ReplicasAdminDeps {
  readonly network: Network;
  readonly config: Pick<NodeConfig, 'nodeId' | 'listeners'>;
  /** The node's committed image. */
  readonly publisher: Pick<MetadataPublisher, 'image'>;
  /** What this node itself holds; nothing where it is no broker. */
  readonly ownReplicas: (topics: readonly string[]) => ReplicaDescription[];
  readonly requestTimeoutMs: Ms;
}

/** A broker that does not answer keeps the answers of the others no longer than this, or than the caller waits. */
const MAX_WAIT_MS: Ms = 2000;
/** With three replicas each they fill a message. */
const MAX_PARTITIONS = 100_000;

/** The handler, to be spread into AdminService. */
export function replicasAdmin(deps: ReplicasAdminDeps): ReplicasAdmin {
  return { describeReplicas: (request, context) => answer(deps, request, context) };
}

async function answer(
  deps: ReplicasAdminDeps,
  { topics, forwarded }: DescribeReplicasRequest,
  { remainingMs }: Pick<RpcContext, 'remainingMs'>,
): Promise<DescribeReplicasResponse> {
  if (forwarded) return { replicas: deps.ownReplicas(topics), silent: [] };
  const wanted = topicsOf(deps.publisher.image, topics);
  const holders = holdersOf(wanted);
  const timeoutMs = timeToTry(remainingMs, Math.min(deps.requestTimeoutMs, MAX_WAIT_MS));
  const answers = await Promise.all([...holders].map((id) => ask(deps, id, topics, timeoutMs)));
  const silent = answers.flatMap((it) => (isSilent(it) ? [it] : []));
  const told = answers.flatMap((it) => (isSilent(it) ? [] : it));
  return { replicas: inOrder(wanted, told, new Set(silent.map(({ brokerId }) => brokerId))), silent };
}

function isSilent(answer: readonly ReplicaDescription[] | SilentBroker): answer is SilentBroker {
  return 'error' in answer;
}

/** RpcError INVALID_ARGUMENT. */
function topicsOf(image: MetadataImage, names: readonly string[]): TopicImage[] {
  const topics =
    names.length === 0
      ? topicsInOrder(image)
      : [...new Set(names)].map((name) => {
          const topic = topicByName(image, name);
          if (topic === undefined) throw invalidArgument('topics', printable(`there is no topic '${name}'`));
          return topic;
        });
  const count = topics.reduce((sum, { partitions }) => sum + partitions.size, 0);
  if (count <= MAX_PARTITIONS) return topics;
  const message = `the answer would describe the replicas of ${count} partitions, of ${MAX_PARTITIONS} possible: name fewer topics`;
  throw invalidArgument('topics', message);
}

function holdersOf(topics: readonly TopicImage[]): Set<NodeId> {
  const holders = new Set<NodeId>();
  for (const { partitions } of topics) {
    for (const { replicas } of partitions) for (const id of replicas) holders.add(id);
  }
  return holders;
}

async function ask(
  { network, config, publisher, ownReplicas }: ReplicasAdminDeps,
  brokerId: NodeId,
  topics: readonly string[],
  timeoutMs: Ms,
): Promise<ReplicaDescription[] | SilentBroker> {
  if (brokerId === config.nodeId) return ownReplicas(topics);
  const at = endpointOf(publisher.image.brokers.get(brokerId), brokerId, config);
  if (typeof at === 'string') return silentBroker(brokerId, at);
  const client = network.client({ host: at.host, port: at.port });
  try {
    const request: DescribeReplicasRequest = { topics: [...topics], forwarded: true };
    const method = AdminServiceDefinition.methods.describeReplicas;
    return (await client.call(AdminServiceDefinition, method, request, timeoutMs)).replicas;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return silentBroker(brokerId, `broker ${brokerId} does not answer: ${error.message}`);
  } finally {
    client.close();
  }
}

/** Where it serves AdminService, or why it cannot be asked. Nodes call their gRPC listeners alike, or GRPC. */
function endpointOf(
  broker: BrokerRegistration | undefined,
  brokerId: NodeId,
  { listeners }: Pick<NodeConfig, 'listeners'>,
): BrokerEndpoint | string {
  if (broker === undefined) return `broker ${brokerId} is not registered`;
  if (broker.fenced) return `broker ${brokerId} is fenced: kvorum broker describe ${brokerId} tells why`;
  const names = new Set(['GRPC', ...listeners.filter(({ kind }) => kind === 'grpc').map(({ name }) => name)]);
  return broker.endpoints.find(({ listener }) => names.has(listener)) ?? `broker ${brokerId} has no gRPC listener`;
}

function silentBroker(brokerId: NodeId, message: string): SilentBroker {
  const name = 'BROKER_NOT_AVAILABLE';
  return { brokerId, error: { code: ErrorCode[name], name, message: printable(message) } };
}

/** By topic and partition, the replicas as they are assigned; one that its broker does not tell of is not left out. */
function inOrder(
  topics: readonly TopicImage[],
  told: readonly ReplicaDescription[],
  silent: ReadonlySet<NodeId>,
): ReplicaDescription[] {
  const keyOf = (topic: string, partition: number, brokerId: NodeId): string => `${topic}/${partition}/${brokerId}`;
  const known = new Map(told.map((it) => [keyOf(it.topic, it.partition, it.brokerId), it]));
  return topics.flatMap(({ name, partitions }) =>
    partitions
      .toArray()
      .flatMap(({ replicas }, partition) =>
        replicas
          .filter((id) => !silent.has(id))
          .map((id) => known.get(keyOf(name, partition, id)) ?? unheardOf(name, partition, id)),
      ),
  );
}

function unheardOf(topic: string, partition: number, brokerId: NodeId): ReplicaDescription {
  const failure = `broker ${brokerId} has not heard of this partition yet`;
  const unknown = { leaderEpoch: -1, logStartOffset: -1, highWatermark: -1, logEndOffset: -1 };
  return {
    topic,
    partition,
    brokerId,
    role: 'offline',
    failure,
    ...unknown,
    epochs: [],
    followers: [],
    pendingIsr: [],
  };
}
