// What the simulated database of one replica holds durably, read beside the product's own loading: the quorum state and the log
// as the synced batches of the store made them. Checkers compare it with what the core asked for (M-5, R-1.7).
import type { Offset } from '../../base/ids.ts';
import type { StoreOperation } from '../../env/store.ts';
import { decodeBatch, decodeState, LOG_PREFIX, STATE_KEY } from '../../quorum/storage.ts';
import type { Batch, QuorumState } from '../../raft/types.ts';
import type { SimDisk as ModelDisk } from '../raft/disk.ts';
import { batchHash } from '../raft/hash.ts';
import type { StoreWatch } from '../store/state.ts';

/** Ends of the log are compared over so many batches, beside its length. */
const COMPARED_BATCHES = 8;

export class DurableMetadata implements StoreWatch {
  /** Told when something became durable. */
  onDurable: () => void = () => {};
  #state: QuorumState | undefined;
  readonly #batches = new Map<Offset, Batch>();
  /** Base offsets in the log, ascending. */
  #offsets: Offset[] = [];
  /** Applied, not synced: a power cut may take the end of it. */
  #unsynced: (readonly StoreOperation[])[] = [];

  applied(operations: readonly StoreOperation[], synced: boolean): void {
    this.#unsynced.push(operations);
    if (synced) this.settled(this.#unsynced.length);
  }

  /** The first `kept` unsynced batches are durable; the others are gone. */
  settled(kept: number): void {
    const durable = this.#unsynced.slice(0, kept);
    this.#unsynced = [];
    for (const operations of durable) for (const operation of operations) this.#take(operation);
    if (durable.length > 0) this.onDurable();
  }

  /** Whether it is exactly what the model says is synced. */
  equals(disk: ModelDisk): boolean {
    const { synced, syncedState } = disk;
    if (!sameState(this.#state, syncedState) || this.#offsets.length !== synced.length) return false;
    const from = Math.max(0, synced.length - COMPARED_BATCHES);
    return synced.slice(from).every(({ batch }, i) => {
      const stored = this.#batches.get(this.#offsets[from + i] as Offset);
      return stored !== undefined && stored.baseOffset === batch.baseOffset && batchHash(stored) === batchHash(batch);
    });
  }

  /** For messages. */
  describe(): string {
    const last = this.#batches.get(this.#offsets.at(-1) ?? -1);
    const end = last === undefined ? 0 : last.baseOffset + last.records.length;
    return `epoch ${this.#state?.leaderEpoch ?? 0}, ${this.#offsets.length} batches up to ${end}`;
  }

  #take(operation: StoreOperation): void {
    const key = operation.key as Buffer;
    if (key.equals(STATE_KEY)) {
      this.#state = operation.type === 'put' ? decodeState(operation.value as Buffer) : undefined;
    } else if (key.subarray(0, LOG_PREFIX.length).equals(LOG_PREFIX)) {
      if (operation.type === 'put') this.#put(decodeBatch(key, operation.value as Buffer));
      else this.#delete(Number(key.readBigInt64BE(LOG_PREFIX.length)));
    }
  }

  #put(batch: Batch): void {
    if (!this.#batches.has(batch.baseOffset)) {
      const sorted = (this.#offsets.at(-1) ?? -1) < batch.baseOffset;
      this.#offsets.push(batch.baseOffset);
      if (!sorted) this.#offsets.sort((a, b) => a - b);
    }
    this.#batches.set(batch.baseOffset, batch);
  }

  #delete(baseOffset: Offset): void {
    if (!this.#batches.delete(baseOffset)) return;
    if (this.#offsets.at(-1) === baseOffset) this.#offsets.pop();
    else this.#offsets.splice(this.#offsets.indexOf(baseOffset), 1);
  }
}

function sameState(a: QuorumState | undefined, b: QuorumState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.leaderId === b.leaderId &&
    a.leaderEpoch === b.leaderEpoch &&
    a.votedKey?.id === b.votedKey?.id &&
    a.votedKey?.directoryId === b.votedKey?.directoryId
  );
}
