// Stands in for the leaders of replicated partitions, which nothing is written to: changes ISRs in the name of live brokers, going
// by what their own images show, with right and wrong epochs, and with copies that come late (DS-12, C-6). When the run heals it only
// makes ISRs whole.
import type { NodeId, Offset } from '../../base/ids.ts';
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { RpcClient } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import type { AlterPartitionRequest, PartitionAlteration } from '../../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Controllers } from '../../gen/kvorum/v1/controller.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import { isActive, topicsInOrder } from '../../metadata/image.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import type { SimNode } from './node.ts';
import type { Workload } from './scenario.ts';

/** Topics that have several replicas, and to which nothing is written. */
export const REPLICATED = 'replicated-';

const TIMEOUT_MS = 1000;
/** Partitions of one request. */
const MAX_ITEMS = 5;
/** A copy comes so much later at most: over elections and restarts. */
const LATE_MS = 8000;

export interface KeeperStop {
  /** No ISR is made smaller, and nothing is asked wrongly. */
  calm: boolean;
  isOver: boolean;
}

/** Keeps ISRs until it is over; to be run on a host of its own. */
export async function keepIsrs(
  cluster: SimCluster,
  env: Env,
  { keepEveryMs }: Workload,
  stop: KeeperStop,
): Promise<void> {
  const clients = new Map(
    cluster.controllers.map(({ id, process }): [NodeId, RpcClient] => {
      return [id, env.network.client({ host: process.name, port: CONTROLLER_PORT })];
    }),
  );
  const keeper = new Keeper(cluster, env, stop);
  const open = new Set<Promise<void>>();
  while (!stop.isOver) {
    await sleep(env.clock, 1 + keeper.draw('pause', 2 * keepEveryMs));
    const broker = cluster.brokers[keeper.draw('broker', cluster.brokers.length)] as SimNode;
    const request = keeper.requestOf(broker);
    if (request === undefined) continue;
    const leaderId = broker.node?.quorum.describe().leaderId ?? -1;
    const ids = [...clients.keys()];
    const client = clients.get(leaderId) ?? clients.get(ids[keeper.draw('controller', ids.length)] ?? -1);
    if (client === undefined) continue;
    const send = (): void => {
      const sent = keeper.send(client, request).finally(() => open.delete(sent));
      open.add(sent);
    };
    send();
    if (!stop.calm && keeper.draw('copy', 5) === 0) env.clock.schedule(1 + keeper.draw('late', LATE_MS), send);
  }
  await sleep(env.clock, LATE_MS);
  await Promise.all(open);
  for (const client of clients.values()) client.close();
}

class Keeper {
  readonly #cluster: SimCluster;
  readonly #env: Env;
  readonly #stop: KeeperStop;
  /** Registrations that brokers had before. */
  readonly #oldEpochs = new Map<NodeId, Offset>();

  constructor(cluster: SimCluster, env: Env, stop: KeeperStop) {
    this.#cluster = cluster;
    this.#env = env;
    this.#stop = stop;
  }

  draw(what: string, bound: number): number {
    return this.#env.random.below(`keeper.${what}`, bound);
  }

  /** What a broker asks for, by its own image; undefined for nothing. */
  requestOf({ node, id }: SimNode): AlterPartitionRequest | undefined {
    const image = node?.publisher.image;
    const self = image?.brokers.get(id);
    if (image === undefined || self === undefined || !isActive(self)) return undefined;
    const partitions: PartitionAlteration[] = [];
    for (const { name, topicId, partitions: states } of topicsInOrder(image)) {
      if (!name.startsWith(REPLICATED)) continue;
      for (const [partition, state] of states.entries()) {
        if (state.leader !== id || partitions.length === MAX_ITEMS) continue;
        const wanted = this.#wanted(image, state);
        if (wanted !== undefined) partitions.push({ topicId, partition, ...wanted });
      }
    }
    for (const { brokerId, brokerEpoch } of image.brokers.values()) this.#remember(brokerId, brokerEpoch);
    if (partitions.length === 0) return undefined;
    const request = { brokerId: id, brokerEpoch: self.brokerEpoch, partitions };
    for (const item of partitions) {
      this.#cluster.ghost.metadata.alterationAsked({ ...item, senderId: id, senderEpoch: request.brokerEpoch });
    }
    return request;
  }

  readonly #epochs = new Map<NodeId, Offset>();

  #remember(brokerId: NodeId, brokerEpoch: Offset): void {
    const before = this.#epochs.get(brokerId);
    if (before !== undefined && before !== brokerEpoch) this.#oldEpochs.set(brokerId, before);
    this.#epochs.set(brokerId, brokerEpoch);
  }

  #wanted(image: MetadataImage, state: PartitionState): Omit<PartitionAlteration, 'topicId' | 'partition'> | undefined {
    const { leaderEpoch, partitionEpoch, leader } = state;
    const epochOf = (brokerId: NodeId): Offset => image.brokers.get(brokerId)?.brokerEpoch ?? 0;
    const isrOf = (ids: readonly NodeId[]) => ids.map((brokerId) => ({ brokerId, brokerEpoch: epochOf(brokerId) }));
    const present = { leaderEpoch, partitionEpoch, isr: isrOf(state.isr), recovering: state.recovering };
    if (state.recovering) return { ...present, recovering: false };
    const back = state.replicas.filter((id) => !state.isr.includes(id) && isActive(image.brokers.get(id)));
    if (this.#stop.calm) return back.length === 0 ? undefined : { ...present, isr: isrOf([...state.isr, ...back]) };
    switch (this.draw('what', 10)) {
      case 0:
      case 1: {
        // One that is behind goes.
        const others = state.isr.filter((id) => id !== leader);
        const gone = others[this.draw('gone', Math.max(1, others.length))];
        return gone === undefined ? undefined : { ...present, isr: isrOf(state.isr.filter((id) => id !== gone)) };
      }
      case 2:
        return this.#wrong(present, state);
      case 3: {
        // DS-13: who comes back is another life of it than the one that has caught up.
        const id = back[0];
        if (id === undefined) return undefined;
        const brokerEpoch = this.#oldEpochs.get(id) ?? epochOf(id) - 1;
        return { ...present, isr: [...present.isr, { brokerId: id, brokerEpoch }] };
      }
      default:
        return back[0] === undefined ? undefined : { ...present, isr: isrOf([...state.isr, back[0]]) };
    }
  }

  /** What a leader with a bug or an old image would say. */
  #wrong(
    present: Omit<PartitionAlteration, 'topicId' | 'partition'>,
    { replicas, leader }: PartitionState,
  ): Omit<PartitionAlteration, 'topicId' | 'partition'> {
    const fenced = replicas.map((brokerId) => ({ brokerId, brokerEpoch: this.#epochs.get(brokerId) ?? 0 }));
    const wrong = [
      { ...present, leaderEpoch: present.leaderEpoch - 1 },
      { ...present, leaderEpoch: present.leaderEpoch + 1 },
      { ...present, partitionEpoch: present.partitionEpoch - 1 },
      { ...present, partitionEpoch: present.partitionEpoch + 1 },
      { ...present, isr: present.isr.filter(({ brokerId }) => brokerId !== leader) },
      { ...present, isr: [...present.isr, ...present.isr] },
      { ...present, isr: [...present.isr, { brokerId: 99, brokerEpoch: 1 }] },
      { ...present, isr: present.isr.slice(0, 1), recovering: true },
      { ...present, isr: fenced },
    ];
    return wrong[this.draw('wrong', wrong.length)] ?? present;
  }

  async send(client: RpcClient, request: AlterPartitionRequest): Promise<void> {
    const { ghost } = this.#cluster;
    try {
      const { partitions } = await client.call(Controllers, Controllers.methods.alterPartition, request, TIMEOUT_MS);
      for (const { error } of partitions) ghost.count(`AlterPartition ${error?.name ?? 'done'}`);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      ghost.count(`AlterPartition ${error.status}`);
    }
  }
}
