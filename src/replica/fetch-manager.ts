// The fetchers of a broker, one for each leader broker that it follows, and which partition is with which. What a partition's role asks
// for is done at once: a following that is stopped is out of its fetcher before anything else happens (D-0.3).
import type { NodeId } from '../base/ids.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { MetadataImage, PartitionState } from '../metadata/image.ts';
import type { FetcherDeps, LeaderAddress } from './fetcher.ts';
import { Fetcher } from './fetcher.ts';
import type { FollowingDeps } from './following.ts';
import { Following } from './following.ts';
import type { Partition } from './partition.ts';
import type { FollowerHandle } from './role.ts';

export type FetchManagerDeps = FetcherDeps & Omit<FollowingDeps, 'moved' | 'leaderBounds'>;

export class FetchManager {
  readonly #deps: FetchManagerDeps;
  readonly #fetchers = new Map<NodeId, Fetcher>();
  readonly #followingDeps: FollowingDeps;
  #stopped = false;

  constructor(deps: FetchManagerDeps) {
    this.#deps = deps;
    this.#followingDeps = {
      clock: deps.clock,
      random: deps.random,
      logger: deps.logger,
      lossReports: deps.lossReports,
      throttles: deps.throttles,
      backoff: deps.backoff,
      awaited: (partition) => deps.awaited(partition),
      leaderBounds: async (following) => this.#fetchers.get(following.leader)?.boundsOf(following),
      moved: (following) => this.#fetchers.get(following.leader)?.moved(following),
    };
  }

  /** The partition follows the leader that the state names, in its epoch, until it is stopped. */
  follow(partition: Partition, { leader, leaderEpoch }: PartitionState): FollowerHandle {
    const following = new Following(this.#followingDeps, partition, leader, leaderEpoch);
    if (!this.#stopped) {
      this.#fetcherOf(leader).add(following);
      following.start();
    }
    return {
      stop: () => {
        this.#remove(following);
        return following.stop();
      },
    };
  }

  #fetcherOf(leader: NodeId): Fetcher {
    const known = this.#fetchers.get(leader);
    if (known !== undefined) return known;
    const fetcher = new Fetcher(this.#deps, leader);
    this.#fetchers.set(leader, fetcher);
    return fetcher;
  }

  #remove(following: Following): void {
    const fetcher = this.#fetchers.get(following.leader);
    fetcher?.remove(following);
    if (fetcher?.isIdle !== true) return;
    fetcher.stop();
    this.#fetchers.delete(following.leader);
  }

  /** The broker's registration may be another one. */
  brokerChanged(brokerId: NodeId): void {
    this.#fetchers.get(brokerId)?.leaderChanged();
  }

  /** Nothing is fetched any more. Followings are stopped by their partitions. */
  stop(): void {
    this.#stopped = true;
    for (const fetcher of this.#fetchers.values()) fetcher.stop();
    this.#fetchers.clear();
  }
}

/** By the keys of the broker, and the addresses that the newest image has. */
export function createFetchManager(
  deps: Omit<FetchManagerDeps, 'limits' | 'backoff' | 'find'> & {
    readonly values: NodeValues;
    readonly interBrokerListener: string;
    image(): MetadataImage;
  },
): FetchManager {
  const { values, interBrokerListener } = deps;
  const backoffBaseMs = values['replica.fetch.backoff.ms'];
  return new FetchManager({
    ...deps,
    limits: {
      maxWaitMs: values['replica.fetch.wait.max.ms'],
      minBytes: values['replica.fetch.min.bytes'],
      maxBytes: values['replica.fetch.response.max.bytes'],
      partitionMaxBytes: values['replica.fetch.max.bytes'],
      timeoutMs: values['replica.socket.timeout.ms'],
    },
    backoff: { baseMs: backoffBaseMs, maxMs: 10 * backoffBaseMs },
    find: (brokerId) => findLeader(deps.image(), brokerId, interBrokerListener),
  });
}

function findLeader(image: MetadataImage, brokerId: NodeId, listener: string): LeaderAddress | undefined {
  const broker = image.brokers.get(brokerId);
  const address = broker?.endpoints.find((endpoint) => endpoint.listener === listener);
  if (broker === undefined || address === undefined) return undefined;
  return { brokerEpoch: broker.brokerEpoch, address };
}
