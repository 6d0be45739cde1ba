// C-0.6: what one command may create, so that its batch fits into the metadata log, and neither the controller nor those who follow
// are held up for long by it.
import type { ItemError } from '../../gen/kvorum/v1/admin.ts';
import { itemError } from '../../metadata/errors.ts';

export const MAX_PARTITIONS_PER_REQUEST = 10_000;
export const MAX_REPLICAS_PER_REQUEST = 100_000;

/** What is left of both, while the items of a command are decided on one after the other. */
export class Budget {
  #partitions = MAX_PARTITIONS_PER_REQUEST;
  #replicas = MAX_REPLICAS_PER_REQUEST;

  /** Takes what an item needs, or nothing at all: then why not. */
  take(partitions: number, replicationFactor: number): ItemError | undefined {
    const replicas = partitions * replicationFactor;
    if (partitions > this.#partitions) {
      const message = `a request can create at most ${MAX_PARTITIONS_PER_REQUEST} partitions: use several requests`;
      return itemError('POLICY_VIOLATION', message);
    }
    if (replicas > this.#replicas) {
      const message = `a request can create at most ${MAX_REPLICAS_PER_REQUEST} replicas: use several requests`;
      return itemError('POLICY_VIOLATION', message);
    }
    this.#partitions -= partitions;
    this.#replicas -= replicas;
    return undefined;
  }
}
