// How many partitions each broker has a part in, kept as they change: whoever places replicas, or asks whether a broker leads, does not
// go through all partitions.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { BrokerLoad, PartitionState } from './image.ts';

type Counts = { -readonly [K in keyof BrokerLoad]: BrokerLoad[K] };

export class LoadCounter {
  readonly #before: ReadonlyMap<NodeId, BrokerLoad>;
  /** Of brokers whose counts have changed, perhaps. */
  readonly #touched = new Map<NodeId, Counts>();

  constructor(before: ReadonlyMap<NodeId, BrokerLoad>) {
    this.#before = before;
  }

  /** A partition is this now; undefined: it is not there, or was not. */
  changed(from: PartitionState | undefined, to: PartitionState | undefined): void {
    // Most changes leave the replicas; lists that are the same are mostly one.
    if (from?.replicas !== to?.replicas) {
      this.#countReplicas(from?.replicas, -1);
      this.#countReplicas(to?.replicas, 1);
    }
    if (from?.isr !== to?.isr) {
      for (const id of from?.isr ?? []) this.#of(id).inSync--;
      for (const id of to?.isr ?? []) this.#of(id).inSync++;
    }
    if (from?.leader === to?.leader) return;
    if (from !== undefined && from.leader !== NO_NODE) this.#of(from.leader).leaders--;
    if (to !== undefined && to.leader !== NO_NODE) this.#of(to.leader).leaders++;
  }

  #countReplicas(replicas: readonly NodeId[] | undefined, by: 1 | -1): void {
    if (replicas === undefined) return;
    for (const id of replicas) this.#of(id).replicas += by;
    const [preferred] = replicas;
    if (preferred !== undefined) this.#of(preferred).preferred += by;
  }

  #of(id: NodeId): Counts {
    let counts = this.#touched.get(id);
    if (counts === undefined) {
      counts = { ...(this.#before.get(id) ?? { replicas: 0, preferred: 0, leaders: 0, inSync: 0 }) };
      this.#touched.set(id, counts);
    }
    return counts;
  }

  /** The counts as they are now; once. */
  finish(): ReadonlyMap<NodeId, BrokerLoad> {
    if (this.#touched.size === 0) return this.#before;
    const loads = new Map(this.#before);
    for (const [id, counts] of this.#touched) {
      // In sync and leading are replicas only.
      if (counts.replicas === 0) loads.delete(id);
      else loads.set(id, counts);
    }
    return loads;
  }
}
