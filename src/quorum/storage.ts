// The quorum's part of the Store: one key for the quorum state, one for the catalogue of snapshots, and one per batch of
// the log, each with a CRC. Invariant: the log begins where the catalogue's oldest snapshot ends, or at 0; batches are
// contiguous, epochs do not fall; the newest snapshot ends on a batch boundary. Damage is CORRUPT, never skipped.
import { assert } from '../base/assert.ts';
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import { isUuid } from '../base/uuid.ts';
import { EnvError } from '../env/error.ts';
import type { Store, StoreOperation } from '../env/store.ts';
import { batchEndOffset } from '../raft/log.ts';
import type { Batch, QuorumState, SnapshotId } from '../raft/types.ts';
import type { CatalogueEntry } from './snapshot-folder.ts';

const FORMAT = 1;
export const STATE_KEY = Buffer.from('quorum-state');
export const CATALOGUE_KEY = Buffer.from('snapshots');
export const LOG_PREFIX = Buffer.from('log/');
const LOG_END = Buffer.from('log0'); // '0' follows '/'
const CONTROL = 1;

/** Keys sort in offset order. */
function logKey(baseOffset: Offset): Buffer {
  const writer = new ByteWriter(LOG_PREFIX.length + 8);
  writer.bytes(LOG_PREFIX);
  writer.int64(baseOffset);
  return writer.finish();
}

/** CRC-32C, format version, then what `body` writes. */
function sealed(body: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter();
  writer.uint32(0);
  writer.uint8(FORMAT);
  body(writer);
  const value = writer.finish();
  value.writeUInt32BE(crc32c(value, 4), 0);
  return value;
}

function corrupt(what: string, cause?: unknown): EnvError {
  return new EnvError('CORRUPT', `${what} is damaged`, cause);
}

function unseal<T>(what: string, value: Buffer, body: (reader: ByteReader) => T): T {
  if (value.length < 5 || value.readUInt32BE(0) !== crc32c(value, 4)) throw corrupt(what);
  if (value[4] !== FORMAT) {
    throw new EnvError('NEWER_FORMAT', `${what} has format ${value[4]}, this release reads ${FORMAT}`);
  }
  try {
    return body(new ByteReader(value, 5));
  } catch (error) {
    if (error instanceof BytesError) throw corrupt(what, error);
    throw error;
  }
}

function encodeState(state: QuorumState): Buffer {
  return sealed((writer) => {
    writer.int32(state.leaderId);
    writer.int32(state.leaderEpoch);
    writer.int32(state.votedKey?.id ?? -1);
    writer.utf8(state.votedKey?.directoryId ?? '');
  });
}

/** The value of `STATE_KEY`. EnvError CORRUPT. */
export function decodeState(value: Buffer): QuorumState {
  return unseal('the quorum state', value, (reader) => {
    const leaderId = reader.int32();
    const leaderEpoch = reader.int32();
    const id = reader.int32();
    const directoryId = reader.utf8(reader.remaining);
    if (id >= 0 && !isUuid(directoryId)) throw new BytesError('voted directory id');
    return { leaderId, leaderEpoch, votedKey: id < 0 ? undefined : { id, directoryId } };
  });
}

function encodeBatch(batch: Batch): Buffer {
  return sealed((writer) => {
    writer.uint8(batch.control ? CONTROL : 0);
    writer.int64(batch.baseOffset);
    writer.int32(batch.epoch);
    writer.uvarint(batch.records.length);
    for (const record of batch.records) {
      writer.uvarint(record.length);
      writer.bytes(record);
    }
  });
}

/** An entry between `LOG_PREFIX` and `LOG_END`. EnvError CORRUPT. */
export function decodeBatch(key: Buffer, value: Buffer): Batch {
  if (key.length !== LOG_PREFIX.length + 8) throw corrupt(`the metadata log at key ${key.toString('hex')}`);
  const at = Number(key.readBigInt64BE(LOG_PREFIX.length));
  return unseal(`the metadata log at offset ${at}`, value, (reader) => {
    const control = (reader.uint8() & CONTROL) !== 0;
    const baseOffset = reader.int64();
    const epoch = reader.int32();
    const records = Array.from({ length: reader.uvarint() }, () => reader.bytes(reader.uvarint()));
    if (baseOffset !== at || records.length === 0 || reader.remaining > 0) throw new BytesError('batch shape');
    return { baseOffset, epoch, control, records };
  });
}

function encodeCatalogue(snapshots: readonly CatalogueEntry[]): Buffer {
  return sealed((writer) => {
    writer.uvarint(snapshots.length);
    for (const { id, sizeBytes } of snapshots) {
      writer.int64(id.endOffset);
      writer.int32(id.epoch);
      writer.int64(sizeBytes);
    }
  });
}

/** Oldest first. EnvError CORRUPT. */
export function decodeCatalogue(value: Buffer): CatalogueEntry[] {
  return unseal('the catalogue of snapshots', value, (reader) => {
    const entries = Array.from({ length: reader.uvarint() }, () => ({
      id: { endOffset: reader.int64(), epoch: reader.int32() },
      sizeBytes: reader.int64(),
    }));
    if (reader.remaining > 0) throw new BytesError('catalogue shape');
    return entries;
  });
}

/** What the database holds. */
export interface StoredQuorum {
  readonly quorumState: QuorumState | undefined;
  /** The catalogue, oldest first. */
  readonly snapshots: readonly CatalogueEntry[];
  /** The log from the end of the first snapshot on. */
  readonly batches: readonly Batch[];
}

/** At most so many keys are deleted in one batch of the store: some thousands at once would hold up the event loop. */
const MAX_DELETES = 1000;

function deletes(baseOffsets: readonly Offset[]): StoreOperation[] {
  return baseOffsets.map((baseOffset) => ({ type: 'delete', key: logKey(baseOffset) }));
}

/** Turns the core's disk effects into store operations, knowing which keys a truncation or a snapshot must delete. */
export class QuorumStorage {
  readonly #store: Store;
  /** Base offset of every batch in the log, ascending, as of the operations handed out. */
  readonly #baseOffsets: Offset[] = [];
  /** The epochs of those batches. */
  readonly #epochs: Epoch[] = [];
  #start: SnapshotId = { endOffset: 0, epoch: 0 };
  #endOffset: Offset = 0;
  /** Keys below the log start that are still to be deleted: nothing reads them. */
  readonly #garbage: Buffer[] = [];
  #collecting: Promise<void> | undefined;
  #closing = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The log's end, and the epoch of the record before it, as of the operations handed out. */
  get end(): { readonly logEndOffset: Offset; readonly lastEpoch: Epoch } {
    return { logEndOffset: this.#endOffset, lastEpoch: this.#epochs.at(-1) ?? this.#start.epoch };
  }

  /** Everything durable, verified. EnvError CORRUPT with the place. */
  async load(): Promise<StoredQuorum> {
    const stateValue = await this.#store.get(STATE_KEY);
    const catalogueValue = await this.#store.get(CATALOGUE_KEY);
    const snapshots = catalogueValue === undefined ? [] : decodeCatalogue(catalogueValue);
    const start: SnapshotId = snapshots[0]?.id ?? { endOffset: 0, epoch: 0 };
    // A crash can come between a new log start and the removal of all that lies below.
    for await (const [key] of this.#store.entries({ from: LOG_PREFIX, to: logKey(start.endOffset) })) {
      this.#garbage.push(key);
    }
    const batches: Batch[] = [];
    let next = start;
    const ends = new Map([[start.endOffset, start.epoch]]);
    for await (const [key, value] of this.#store.entries({ from: logKey(start.endOffset), to: LOG_END })) {
      const batch = decodeBatch(key, value);
      if (batch.baseOffset !== next.endOffset || batch.epoch < next.epoch) {
        throw corrupt(`the metadata log before ${batch.baseOffset}`);
      }
      next = { endOffset: next.endOffset + batch.records.length, epoch: batch.epoch };
      ends.set(next.endOffset, next.epoch);
      batches.push(batch);
      this.#track(batch);
    }
    this.#start = start;
    this.#endOffset = next.endOffset;
    for (const { id } of snapshots) {
      if (ends.get(id.endOffset) !== id.epoch) throw corrupt(`the metadata log at the end of snapshot ${id.endOffset}`);
    }
    return { quorumState: stateValue === undefined ? undefined : decodeState(stateValue), snapshots, batches };
  }

  state(state: QuorumState): StoreOperation[] {
    return [{ type: 'put', key: STATE_KEY, value: encodeState(state) }];
  }

  append(batches: readonly Batch[]): StoreOperation[] {
    return batches.map((batch) => {
      this.#track(batch);
      return { type: 'put', key: logKey(batch.baseOffset), value: encodeBatch(batch) };
    });
  }

  truncate(endOffset: Offset): StoreOperation[] {
    const from = this.#indexOf(endOffset);
    const removed = this.#baseOffsets.splice(from);
    this.#epochs.length = from;
    this.#endOffset = removed[0] ?? this.#endOffset;
    return deletes(removed);
  }

  /**
   * The catalogue is now `snapshots`, at least one; the log begins at the end of the first, and is empty with `clearLog`. What no
   * longer belongs to the log goes in the same operations, but for keys below the new start that are too many: those are nobody's
   * once the operations are durable, and are then to be given to {@link discard}.
   */
  catalogue(
    snapshots: readonly CatalogueEntry[],
    clearLog: boolean,
  ): { readonly operations: StoreOperation[]; readonly garbage: readonly Buffer[] } {
    const [first] = snapshots;
    assert(first !== undefined, 'a catalogue lists at least one snapshot');
    this.#start = first.id;
    const { endOffset } = first.id;
    const count = clearLog ? this.#baseOffsets.length : this.#indexOf(endOffset);
    const removed = this.#baseOffsets.splice(0, count);
    this.#epochs.splice(0, count);
    if (clearLog) this.#endOffset = endOffset;
    const above = removed.splice(removed.findLastIndex((baseOffset) => baseOffset < endOffset) + 1);
    const below = removed.splice(0, Math.max(0, MAX_DELETES - above.length));
    const put: StoreOperation = { type: 'put', key: CATALOGUE_KEY, value: encodeCatalogue(snapshots) };
    return { operations: [put, ...deletes(above), ...deletes(below)], garbage: removed.map(logKey) };
  }

  write(operations: readonly StoreOperation[]): Promise<void> {
    return this.#store.batch(operations, { sync: true });
  }

  /** Deletes these keys, and those that a crash left behind, in the background. Rejects as {@link write} does. */
  discard(garbage: readonly Buffer[]): Promise<void> {
    for (const key of garbage) this.#garbage.push(key);
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#collecting?.catch(() => undefined);
    await this.#store.close();
  }

  async #collect(): Promise<void> {
    while (this.#garbage.length > 0 && !this.#closing) {
      const keys = this.#garbage.splice(-MAX_DELETES);
      await this.#store.batch(
        keys.map((key) => ({ type: 'delete', key })),
        { sync: false },
      );
    }
  }

  #track(batch: Batch): void {
    this.#baseOffsets.push(batch.baseOffset);
    this.#epochs.push(batch.epoch);
    this.#endOffset = batchEndOffset(batch);
  }

  /** How many batches begin below `offset`. */
  #indexOf(offset: Offset): number {
    let low = 0;
    let high = this.#baseOffsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#baseOffsets[middle] as Offset) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
