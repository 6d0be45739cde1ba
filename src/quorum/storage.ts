// The quorum's part of the Store: one synced key for the quorum state and one per batch of the log, each with a CRC.
// Invariant: the batches are contiguous from offset 0, epochs do not fall. Damage is CORRUPT, never skipped.
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import type { Offset } from '../base/ids.ts';
import { isUuid } from '../base/uuid.ts';
import { EnvError } from '../env/error.ts';
import type { Store, StoreOperation } from '../env/store.ts';
import type { Batch, DurableState, QuorumState } from '../raft/types.ts';

const FORMAT = 1;
export const STATE_KEY = Buffer.from('quorum-state');
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
  const advice = 'restore the disk, or wipe this folder and format it again: the node then joins as a new replica';
  return new EnvError('CORRUPT', `${what} is damaged; ${advice}`, cause);
}

function unseal<T>(what: string, value: Buffer, body: (reader: ByteReader) => T): T {
  if (value.length < 5 || value.readUInt32BE(0) !== crc32c(value, 4)) throw corrupt(what);
  if (value[4] !== FORMAT) {
    throw new EnvError('CORRUPT', `${what} has format ${value[4]}, this version reads ${FORMAT}: start a newer Kvorum`);
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

/** Turns the core's disk effects into store operations, knowing which keys a truncation must delete. */
export class QuorumStorage {
  readonly #store: Store;
  /** Base offset of every batch in the log, ascending, as of the operations handed out. */
  readonly #baseOffsets: Offset[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Everything durable, verified. EnvError CORRUPT with the place. */
  async load(): Promise<DurableState> {
    const stateValue = await this.#store.get(STATE_KEY);
    const batches: Batch[] = [];
    let next = 0;
    let epoch = 0;
    for await (const [key, value] of this.#store.entries({ from: LOG_PREFIX, to: LOG_END })) {
      const batch = decodeBatch(key, value);
      if (batch.baseOffset !== next || batch.epoch < epoch)
        throw corrupt(`the metadata log before ${batch.baseOffset}`);
      next += batch.records.length;
      epoch = batch.epoch;
      batches.push(batch);
      this.#baseOffsets.push(batch.baseOffset);
    }
    return { quorumState: stateValue === undefined ? undefined : decodeState(stateValue), snapshots: [], batches };
  }

  state(state: QuorumState): StoreOperation[] {
    return [{ type: 'put', key: STATE_KEY, value: encodeState(state) }];
  }

  append(batches: readonly Batch[]): StoreOperation[] {
    return batches.map((batch) => {
      this.#baseOffsets.push(batch.baseOffset);
      return { type: 'put', key: logKey(batch.baseOffset), value: encodeBatch(batch) };
    });
  }

  truncate(endOffset: Offset): StoreOperation[] {
    const operations: StoreOperation[] = [];
    for (
      let last = this.#baseOffsets.at(-1);
      last !== undefined && last >= endOffset;
      last = this.#baseOffsets.at(-1)
    ) {
      this.#baseOffsets.pop();
      operations.push({ type: 'delete', key: logKey(last) });
    }
    return operations;
  }

  write(operations: readonly StoreOperation[]): Promise<void> {
    return this.#store.batch(operations, { sync: true });
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
