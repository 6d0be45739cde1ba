// The content of one simulated database. Batches apply in order; those since the last synced one can be undone, so a power
// cut keeps a prefix of them and never half of one.
import type { KeyedRandom } from '../../base/keyed-random.ts';
import type { StoreOperation } from '../../env/store.ts';
import type { Incarnation } from '../world/incarnation.ts';
import { SortedMap } from './sorted-map.ts';

/** A checker that follows what a database holds. */
export interface StoreWatch {
  /** A batch applied; with `synced` it and all before it are durable. */
  applied(operations: readonly StoreOperation[], synced: boolean): void;
  /** Of the batches that were not synced, the first `kept` are durable now and the others never happened. */
  settled(kept: number): void;
}

/** What the keys of one batch held before it, in the order of its operations. */
type Undo = readonly (readonly [key: Buffer, before: Buffer | undefined])[];

export class StoreState {
  readonly content = new SortedMap();
  /** Who has it open. The death of the holder releases it. */
  holder: Incarnation | undefined;
  /** The next open fails with CORRUPT. */
  corrupt = false;
  /** When the last batch issued so far applies: batches never overtake. */
  busyUntilUs = 0;
  watch: StoreWatch | undefined;
  #unsynced: Undo[] = [];
  #sizeBytes = 0;

  /** Sum of all keys and values. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get isLocked(): boolean {
    return this.holder !== undefined && !this.holder.isDead;
  }

  /** Applies a batch; it is durable only with `sync`, which makes all earlier ones durable too. */
  apply(operations: readonly StoreOperation[], sync: boolean): void {
    const undo = operations.map((operation) => {
      const key = operation.key as Buffer;
      const value = operation.type === 'put' ? (operation.value as Buffer) : undefined;
      return [key, this.#set(key, value)] as const;
    });
    if (sync) this.#unsynced = [];
    else this.#unsynced.push(undo);
    this.watch?.applied(operations, sync);
  }

  /** What an open finds is durable: a database writes what it recovers to a new, synced place. */
  settle(): void {
    this.watch?.settled(this.#unsynced.length);
    this.#unsynced = [];
  }

  powerCut(random: KeyedRandom, key: string): void {
    this.holder = undefined;
    this.busyUntilUs = 0;
    const kept = random.below(key, this.#unsynced.length + 1);
    for (const undo of this.#unsynced.splice(kept).toReversed()) {
      for (const [entryKey, before] of undo.toReversed()) this.#set(entryKey, before);
    }
    this.#unsynced = [];
    this.watch?.settled(kept);
  }

  #set(key: Buffer, value: Buffer | undefined): Buffer | undefined {
    const before = this.content.set(key, value);
    if (before !== undefined) this.#sizeBytes -= key.length + before.length;
    if (value !== undefined) this.#sizeBytes += key.length + value.length;
    return before;
  }
}
