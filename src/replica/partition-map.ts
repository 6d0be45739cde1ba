// Things by partition: topic id and number, without a key to make for each look.
import type { Uuid } from '../base/uuid.ts';

export class PartitionMap<V> {
  readonly #topics = new Map<Uuid, Map<number, V>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(topicId: Uuid, partition: number): V | undefined {
    return this.#topics.get(topicId)?.get(partition);
  }

  set(topicId: Uuid, partition: number, value: V): void {
    let partitions = this.#topics.get(topicId);
    if (partitions === undefined) {
      partitions = new Map();
      this.#topics.set(topicId, partitions);
    }
    if (!partitions.has(partition)) this.#size += 1;
    partitions.set(partition, value);
  }

  delete(topicId: Uuid, partition: number): void {
    const partitions = this.#topics.get(topicId);
    if (partitions?.delete(partition) !== true) return;
    this.#size -= 1;
    if (partitions.size === 0) this.#topics.delete(topicId);
  }

  /** Of one topic, as they are now. */
  ofTopic(topicId: Uuid): [number, V][] {
    return [...(this.#topics.get(topicId) ?? [])];
  }

  topicIds(): Iterable<Uuid> {
    return this.#topics.keys();
  }

  *values(): Generator<V> {
    for (const partitions of this.#topics.values()) yield* partitions.values();
  }
}
