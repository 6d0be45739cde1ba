// Where new partitions go: round robin over the active brokers, beginning with those that hold the fewest replicas, so that
// leaders spread evenly within a topic and among topics. Deterministic given the image. With one replica racks do not matter.
import { must } from '../../base/assert.ts';
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { brokersInOrder, isActive } from '../../metadata/image.ts';

export class Placement {
  /** Replicas per active broker, those placed so far included. */
  readonly #load = new Map<NodeId, number>();

  constructor(image: MetadataImage) {
    for (const broker of brokersInOrder(image)) if (isActive(broker)) this.#load.set(broker.brokerId, 0);
    for (const topic of image.topics.values()) {
      for (const { replicas } of topic.partitions) for (const id of replicas) this.add(id);
    }
  }

  get brokerCount(): number {
    return this.#load.size;
  }

  /** One more replica on this broker. */
  add(brokerId: NodeId): void {
    const load = this.#load.get(brokerId);
    if (load !== undefined) this.#load.set(brokerId, load + 1);
  }

  /** The broker of each of `count` new partitions. There must be a broker. Nothing is added yet. */
  place(count: number): NodeId[] {
    const byLoad = [...this.#load].toSorted(([a, loadA], [b, loadB]) => loadA - loadB || a - b);
    const order = byLoad.map(([brokerId]) => brokerId);
    return Array.from({ length: count }, (_, partition) => must(order[partition % order.length], 'an active broker'));
  }
}

/** The directory of a new replica: the broker's only one, else left to the broker. */
export function directoryFor(broker: BrokerRegistration | undefined): Uuid {
  const [only, ...others] = broker?.logDirs ?? [];
  return only === undefined || others.length > 0 ? ZERO_UUID : only;
}
