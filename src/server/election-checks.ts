// A check of an unclean election (C-5.7) tells what it may cost: the node that is asked first asks the replicas, whoever decides.
import type { RequestOf, ResponseOf } from '../client/admin-writes.ts';
import { timeToTry } from '../client/admin-writes.ts';
import type { Clock } from '../env/clock.ts';
import type { RpcHandler } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type { DescribeReplicasResponse, ElectedLeader, ReplicaDescription } from '../gen/kvorum/v1/admin.ts';
import { ElectionType } from '../gen/kvorum/v1/admin.ts';
import { partitionOf, topicByName } from '../metadata/image.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import { possibleLoss } from './possible-loss.ts';
import type { ReplicasAdmin } from './replicas-admin.ts';

/** The handler of ElectLeaders. */
export type Elect = RpcHandler<RequestOf<'electLeaders'>, ResponseOf<'electLeaders'>>;

export interface ElectionChecksDeps extends ReplicasAdmin {
  readonly clock: Clock;
  readonly publisher: Pick<MetadataPublisher, 'image'>;
}

/** `elect` with `possible_loss` in the answers to checks of unclean elections; not set where the replicas cannot be asked at all. */
export function withPossibleLosses(deps: ElectionChecksDeps, elect: Elect): Elect {
  return async (request, context) => {
    const { clock } = deps;
    const deadline = clock.now() + context.remainingMs;
    const answer = await elect(request, context);
    const { type, validateOnly, forwarded } = request;
    if (type !== ElectionType.UNCLEAN || !validateOnly || forwarded) return answer;
    const topics = [...new Set(answer.partitions.flatMap(({ topic, error }) => (error === undefined ? [topic] : [])))];
    if (topics.length === 0) return answer;
    const remainingMs = timeToTry(deadline - clock.now());
    const told = await describe(deps, topics, { ...context, remainingMs });
    if (told === undefined) return answer;
    const of = byPartition(told.replicas);
    return { ...answer, partitions: answer.partitions.map((it) => withLoss(deps, it, of)) };
  };
}

async function describe(
  { describeReplicas }: ElectionChecksDeps,
  topics: string[],
  context: Parameters<Elect>[1],
): Promise<DescribeReplicasResponse | undefined> {
  try {
    return await describeReplicas({ topics, forwarded: false }, context);
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  }
}

type ByPartition = ReadonlyMap<string, readonly ReplicaDescription[]>;

function byPartition(replicas: readonly ReplicaDescription[]): ByPartition {
  const groups = new Map<string, ReplicaDescription[]>();
  for (const replica of replicas) {
    const name = `${replica.topic}/${replica.partition}`;
    const group = groups.get(name) ?? [];
    groups.set(name, group);
    group.push(replica);
  }
  return groups;
}

function withLoss({ publisher }: ElectionChecksDeps, elected: ElectedLeader, told: ByPartition): ElectedLeader {
  const { topic: name, partition, leader, error } = elected;
  const topic = topicByName(publisher.image, name);
  const state = topic && partitionOf(publisher.image, topic.topicId, partition);
  if (error !== undefined || state === undefined) return elected;
  return { ...elected, possibleLoss: possibleLoss(leader, state.replicas, told.get(`${name}/${partition}`) ?? []) };
}
