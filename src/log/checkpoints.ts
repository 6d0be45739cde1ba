// What a log directory remembers of its partitions in its Store, `<log dir>/checkpoints`: recovery point, log start,
// high watermark (a hint, D-6.7) in one value per partition, keyed by topic id, so that a topic created anew under an old
// name inherits nothing; the partitions that no clean stop has vouched for since a crash, and those that lack records which they once
// had; the boot counter (C-2.2a); and the note of a life (C-2.4).
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { EnvError } from '../env/error.ts';
import type { Store, StoreOperation } from '../env/store.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';

export interface PartitionCheckpoint {
  /** Everything below was durable when this was written. */
  readonly recoveryPoint: Offset;
  readonly logStartOffset: Offset;
  readonly highWatermark: Offset;
  /** Of a leader that had written nothing when this was noted. */
  readonly leaderEpoch?: EpochEntry | undefined;
}

/** `<topic id>/<partition>`. */
export type PartitionKey = string;

export function partitionKey(topicId: Uuid, partition: number): PartitionKey {
  return `${topicId}/${partition}`;
}

export function parsePartitionKey(key: PartitionKey): { topicId: Uuid; partition: number } {
  const slash = key.indexOf('/');
  return { topicId: key.slice(0, slash), partition: Number(key.slice(slash + 1)) };
}

const VERSION = 0;
const CHECKPOINT_BYTES = 25;
const EPOCH_BYTES = 12;
const CHECKPOINT = 'partition/';
const UNVERIFIED = 'unverified/';
/** How far a log is compacted, in decimal digits. */
const FIRST_DIRTY = 'first-dirty/';
const SUMMARY = 'summary/';
const SUMMARIES_PER_BATCH = 2000;
const INCOMPLETE = 'incomplete/';
/** The folder is about to be renamed: without it there is nothing to remember. */
const REMOVING = 'removing/';
const BOOT_COUNTER = Buffer.from('boot-counter');
const LIFE = Buffer.from('life');

function encodeCheckpoint(checkpoint: PartitionCheckpoint): Buffer {
  const writer = new ByteWriter(32);
  writer.int8(VERSION);
  writer.int64(checkpoint.recoveryPoint);
  writer.int64(checkpoint.logStartOffset);
  writer.int64(checkpoint.highWatermark);
  const { leaderEpoch } = checkpoint;
  if (leaderEpoch !== undefined) {
    writer.int32(leaderEpoch.epoch);
    writer.int64(leaderEpoch.startOffset);
  }
  return writer.finish();
}

function decodeCheckpoint(key: string, bytes: Buffer): PartitionCheckpoint {
  const reader = new ByteReader(bytes);
  const isWhole = bytes.length === CHECKPOINT_BYTES || bytes.length === CHECKPOINT_BYTES + EPOCH_BYTES;
  if (!isWhole || reader.int8() !== VERSION) throw new EnvError('CORRUPT', `checkpoint ${key} is malformed`);
  const [recoveryPoint, logStartOffset, highWatermark] = [reader.int64(), reader.int64(), reader.int64()];
  if (reader.remaining === 0) return { recoveryPoint, logStartOffset, highWatermark };
  const leaderEpoch = { epoch: reader.int32(), startOffset: reader.int64() };
  return { recoveryPoint, logStartOffset, highWatermark, leaderEpoch };
}

function decodeOffset(key: string, bytes: Buffer): Offset {
  const offset = Number(bytes.toString('utf8'));
  if (!Number.isSafeInteger(offset)) throw new EnvError('CORRUPT', `checkpoint ${key} is malformed`);
  return offset;
}

export class Checkpoints {
  readonly #store: Store;
  readonly #partitions = new Map<PartitionKey, PartitionCheckpoint>();
  readonly #unverified = new Set<PartitionKey>();
  readonly #incomplete = new Set<PartitionKey>();
  readonly #removing = new Set<PartitionKey>();
  /** Batches on their way to the disk. */
  readonly #writing = new Set<Promise<void>>();
  readonly #firstDirty = new Map<PartitionKey, Offset>();
  /** As they were stored. */
  readonly #summaries = new Map<PartitionKey, Buffer>();

  private constructor(store: Store) {
    this.#store = store;
  }

  static async load(store: Store): Promise<Checkpoints> {
    const checkpoints = new Checkpoints(store);
    for await (const [key, value] of store.entries()) {
      const name = key.toString('utf8');
      if (name.startsWith(CHECKPOINT)) {
        checkpoints.#partitions.set(name.slice(CHECKPOINT.length), decodeCheckpoint(name, value));
      } else if (name.startsWith(UNVERIFIED)) checkpoints.#unverified.add(name.slice(UNVERIFIED.length));
      else if (name.startsWith(INCOMPLETE)) checkpoints.#incomplete.add(name.slice(INCOMPLETE.length));
      else if (name.startsWith(REMOVING)) checkpoints.#removing.add(name.slice(REMOVING.length));
      else if (name.startsWith(FIRST_DIRTY)) {
        checkpoints.#firstDirty.set(name.slice(FIRST_DIRTY.length), decodeOffset(name, value));
      } else if (name.startsWith(SUMMARY)) checkpoints.#summaries.set(name.slice(SUMMARY.length), value);
    }
    return checkpoints;
  }

  /** Of the start that was counted last; 0 if there was none. */
  async boot(): Promise<number> {
    const stored = await this.#store.get(BOOT_COUNTER);
    const counter = stored === undefined ? 0 : Number(stored.toString('utf8'));
    if (!Number.isSafeInteger(counter)) throw new EnvError('CORRUPT', 'the boot counter is malformed');
    return counter;
  }

  /** This start has that number, durably. */
  async setBoot(counter: number): Promise<void> {
    await this.#store.batch([{ type: 'put', key: BOOT_COUNTER, value: Buffer.from(String(counter)) }], { sync: true });
  }

  /** The note of a life, as it was stored. */
  life(): Promise<Buffer | undefined> {
    return this.#store.get(LIFE);
  }

  /** Undefined: there is none any more. Durable when it resolves. */
  async setLife(value: Buffer | undefined): Promise<void> {
    const operation: StoreOperation =
      value === undefined ? { type: 'delete', key: LIFE } : { type: 'put', key: LIFE, value };
    await this.#store.batch([operation], { sync: true });
  }

  get(key: PartitionKey): PartitionCheckpoint | undefined {
    return this.#partitions.get(key);
  }

  /** No clean stop covers it: check its batches, whatever the marker says. */
  isUnverified(key: PartitionKey): boolean {
    return this.#unverified.has(key);
  }

  /** Durable when it resolves. */
  async put(entries: readonly (readonly [PartitionKey, PartitionCheckpoint])[]): Promise<void> {
    if (entries.length === 0) return;
    const operations = entries.map(
      ([key, checkpoint]): StoreOperation => ({
        type: 'put',
        key: Buffer.from(CHECKPOINT + key),
        value: encodeCheckpoint(checkpoint),
      }),
    );
    for (const [key, checkpoint] of entries) this.#partitions.set(key, checkpoint);
    await this.#write(operations);
  }

  /** Resolves when all that is being put is durable: `get` knows it before. Rejects if some of it is not. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing);
  }

  async #write(operations: readonly StoreOperation[]): Promise<void> {
    const writing = this.#store.batch(operations, { sync: true });
    this.#writing.add(writing);
    try {
      await writing;
    } finally {
      this.#writing.delete(writing);
    }
  }

  /** How far the log was compacted; 0 if it never was. */
  firstDirtyOffset(key: PartitionKey): Offset {
    return this.#firstDirty.get(key) ?? 0;
  }

  /** Durable when it resolves. */
  async putFirstDirty(key: PartitionKey, offset: Offset): Promise<void> {
    if (this.firstDirtyOffset(key) === offset) return this.settled();
    this.#firstDirty.set(key, offset);
    const operation: StoreOperation = {
      type: 'put',
      key: Buffer.from(FIRST_DIRTY + key),
      value: Buffer.from(String(offset)),
    };
    await this.#write([operation]);
  }

  /** The summaries that are stored, whatever they are worth. Handed out once. */
  takeSummaries(): Iterable<readonly [PartitionKey, Buffer]> {
    const summaries = [...this.#summaries];
    this.#summaries.clear();
    return summaries;
  }

  /** Durable when it resolves. */
  async putSummaries(entries: readonly (readonly [PartitionKey, Buffer])[]): Promise<void> {
    for (let at = 0; at < entries.length; at += SUMMARIES_PER_BATCH) {
      const operations = entries
        .slice(at, at + SUMMARIES_PER_BATCH)
        .map(([key, value]): StoreOperation => ({ type: 'put', key: Buffer.from(SUMMARY + key), value }));
      await this.#store.batch(operations, { sync: true });
    }
  }

  /** After an unclean stop, before anything is loaded. Durable when it resolves. */
  async markUnverified(keys: readonly PartitionKey[]): Promise<void> {
    if (keys.length === 0) return;
    for (const key of keys) this.#unverified.add(key);
    const operations = keys.map(
      (key): StoreOperation => ({ type: 'put', key: Buffer.from(UNVERIFIED + key), value: Buffer.alloc(0) }),
    );
    await this.#store.batch(operations, { sync: true });
  }

  /** The log was checked and what is in it made durable. Losing this note costs one more check. */
  async markVerified(key: PartitionKey): Promise<void> {
    if (!this.#unverified.delete(key)) return;
    await this.#store.batch([{ type: 'delete', key: Buffer.from(UNVERIFIED + key) }], { sync: false });
  }

  /** D-10.2: its log ends below what was known to be committed in it, and the cluster has not been told. */
  isIncomplete(key: PartitionKey): boolean {
    return this.#incomplete.has(key);
  }

  /** Durable when it resolves. */
  async markIncomplete(key: PartitionKey): Promise<void> {
    this.#incomplete.add(key);
    await this.#store.batch([{ type: 'put', key: Buffer.from(INCOMPLETE + key), value: Buffer.alloc(0) }], {
      sync: true,
    });
  }

  /** The cluster has been told. Losing this costs telling it again. */
  async forgetIncomplete(key: PartitionKey): Promise<void> {
    if (!this.#incomplete.delete(key)) return;
    await this.#store.batch([{ type: 'delete', key: Buffer.from(INCOMPLETE + key) }], { sync: false });
  }

  /**
   * The folder of the partition is about to be renamed, out of the way or to be deleted; {@link remove} is to follow. Should a crash come
   * between, the partition would be missed when it comes back. Durable when it resolves.
   */
  async beginRemoval(key: PartitionKey): Promise<void> {
    this.#removing.add(key);
    await this.#store.batch([{ type: 'put', key: Buffer.from(REMOVING + key), value: Buffer.alloc(0) }], {
      sync: true,
    });
  }

  /** Forgets what was renamed by a life that could not do so; `present`: the partitions that have a folder. */
  async finishRemovals(present: ReadonlySet<PartitionKey>): Promise<void> {
    for (const key of this.#removing) {
      if (!present.has(key)) await this.remove(key);
      else await this.#store.batch([{ type: 'delete', key: Buffer.from(REMOVING + key) }], { sync: true });
    }
    this.#removing.clear();
  }

  /** The partition is gone. Durable when it resolves. */
  async remove(key: PartitionKey): Promise<void> {
    this.#partitions.delete(key);
    this.#unverified.delete(key);
    this.#incomplete.delete(key);
    this.#removing.delete(key);
    this.#firstDirty.delete(key);
    const keys = [CHECKPOINT, UNVERIFIED, INCOMPLETE, REMOVING, FIRST_DIRTY, SUMMARY].map((kind) => kind + key);
    await this.#store.batch(
      keys.map((name): StoreOperation => ({ type: 'delete', key: Buffer.from(name) })),
      { sync: true },
    );
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
