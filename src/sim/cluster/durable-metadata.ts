// What the simulated database of one replica holds durably, read beside the product's own loading: the quorum state, the
// catalogue and the log as the synced batches of the store made them. Checkers compare it with what the core asked for.
import type { Offset } from '../../base/ids.ts';
import type { StoreOperation } from '../../env/store.ts';
import type { CatalogueEntry } from '../../quorum/snapshot-folder.ts';
import {
  CATALOGUE_KEY,
  decodeBatch,
  decodeCatalogue,
  decodeState,
  LOG_PREFIX,
  STATE_KEY,
} from '../../quorum/storage.ts';
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
  #catalogue: readonly CatalogueEntry[] = [];
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
    const { synced, syncedState, syncedCatalogue } = disk;
    const { entries } = synced;
    // Keys below the log start are nobody's, and are deleted at leisure.
    const start = this.#catalogue[0]?.id.endOffset ?? 0;
    const first = this.#offsets.findIndex((offset) => offset >= start);
    const offsets = first < 0 ? [] : this.#offsets.slice(first);
    if (!sameState(this.#state, syncedState) || offsets.length !== entries.length) return false;
    if (this.#catalogue.map(nameOf).join() !== syncedCatalogue.map(({ snapshot }) => nameOf(snapshot)).join()) {
      return false;
    }
    const from = Math.max(0, entries.length - COMPARED_BATCHES);
    return entries.slice(from).every(({ batch }, i) => {
      const stored = this.#batches.get(offsets[from + i] as Offset);
      return stored !== undefined && stored.baseOffset === batch.baseOffset && batchHash(stored) === batchHash(batch);
    });
  }

  /** For messages. */
  describe(): string {
    const last = this.#batches.get(this.#offsets.at(-1) ?? -1);
    const end = last === undefined ? 0 : last.baseOffset + last.records.length;
    const files = this.#catalogue.map(nameOf).join(' ');
    return `epoch ${this.#state?.leaderEpoch ?? 0}, snapshots [${files}], ${this.#offsets.length} batches up to ${end}`;
  }

  #take(operation: StoreOperation): void {
    const key = operation.key as Buffer;
    const value = operation.type === 'put' ? (operation.value as Buffer) : undefined;
    if (key.equals(STATE_KEY)) {
      this.#state = value === undefined ? undefined : decodeState(value);
    } else if (key.equals(CATALOGUE_KEY)) {
      this.#catalogue = value === undefined ? [] : decodeCatalogue(value);
    } else if (key.subarray(0, LOG_PREFIX.length).equals(LOG_PREFIX)) {
      if (value === undefined) this.#delete(Number(key.readBigInt64BE(LOG_PREFIX.length)));
      else this.#put(decodeBatch(key, value));
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

function nameOf({ id }: Pick<CatalogueEntry, 'id'>): string {
  return `${id.endOffset}-${id.epoch}`;
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
