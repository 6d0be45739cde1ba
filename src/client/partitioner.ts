// Which partition a record goes to: as Kafka's Java client decides for records with a key, evenly for those without.
import { murmur2 } from '../base/murmur2.ts';
import type { Random } from '../env/random.ts';

/** The partition of a key among `partitions` >= 1: the same as with the Java client. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

/** Round robin per topic, from a random partition on. */
export class RoundRobin {
  readonly #random: Random;
  readonly #next = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  next(topic: string, partitions: number): number {
    const at = this.#next.get(topic) ?? this.#random.below('client.partition', partitions);
    this.#next.set(topic, at + 1);
    return at % partitions;
  }
}
