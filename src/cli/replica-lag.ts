// How far the followers of partitions are behind, from what brokers tell of their replicas: the leader's word, else the replica's own.
import type { NodeId, Offset } from '../base/ids.ts';
import type { FollowerDescription, PartitionDescription, ReplicaDescription } from '../gen/kvorum/v1/admin.ts';
import type { Cell } from './output.ts';

/** What is told of the replicas of one partition. */
export class ToldReplicas {
  readonly #byBroker: ReadonlyMap<NodeId, ReplicaDescription>;
  readonly #leader: ReplicaDescription | undefined;

  constructor(told: readonly ReplicaDescription[], leader: NodeId) {
    this.#byBroker = new Map(told.map((it) => [it.brokerId, it]));
    const leading = this.#byBroker.get(leader);
    this.#leader = leading?.role === 'leader' ? leading : undefined;
  }

  of(brokerId: NodeId): ReplicaDescription | undefined {
    return this.#byBroker.get(brokerId);
  }

  /** What the leader knows of that follower. */
  follower(brokerId: NodeId): FollowerDescription | undefined {
    return this.#leader?.followers.find((it) => it.brokerId === brokerId);
  }

  /** Records that it lacks; undefined: not known. */
  lagOf(brokerId: NodeId): number | undefined {
    const end = this.#endOf(brokerId);
    return this.#leader === undefined || end === undefined ? undefined : Math.max(0, this.#leader.logEndOffset - end);
  }

  #endOf(brokerId: NodeId): Offset | undefined {
    const fetched = this.follower(brokerId)?.logEndOffset ?? -1;
    const own = this.#byBroker.get(brokerId)?.logEndOffset ?? -1;
    // Its own word may tell of records that the leader does not have, and is older or newer; the leader's counts.
    if (fetched >= 0) return fetched;
    return own >= 0 ? own : undefined;
  }
}

/** By `topic/partition`. */
export type Told = ReadonlyMap<string, ToldReplicas>;

export function toldOf(
  topics: readonly { readonly name: string; readonly partitions: readonly PartitionDescription[] }[],
  replicas: readonly ReplicaDescription[],
): Told {
  const groups = new Map<string, ReplicaDescription[]>();
  for (const replica of replicas) {
    const key = `${replica.topic}/${replica.partition}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(replica);
  }
  return new Map(
    topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partition, leader }): [string, ToldReplicas] => {
        const key = `${name}/${partition}`;
        return [key, new ToldReplicas(groups.get(key) ?? [], leader)];
      }),
    ),
  );
}

/** The largest of its followers; `-` where there are none, or nobody leads; `?` where one is not known. */
export function largestLag({ leader, replicas }: PartitionDescription, told: ToldReplicas | undefined): Cell {
  const lags = replicas.filter((id) => id !== leader).map((id) => told?.lagOf(id));
  if (leader < 0 || lags.length === 0) return '-';
  return lags.reduce<number | '?'>((max, lag) => (max === '?' || lag === undefined ? '?' : Math.max(max, lag)), 0);
}

/** `5:0 6:12`, of each follower. */
export function lagOfEach({ leader, replicas }: PartitionDescription, told: ToldReplicas | undefined): Cell {
  const followers = replicas.filter((id) => id !== leader);
  if (leader < 0 || followers.length === 0) return '-';
  return followers.map((id) => `${id}:${told?.lagOf(id) ?? '?'}`).join(' ');
}
