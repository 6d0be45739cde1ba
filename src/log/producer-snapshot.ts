// Producer state on disk: `<20-digit offset>.snapshot` holds the state after all batches below that offset (T-3.1). First
// Kafka's own layout (version 1), which has one batch per producer; then a trailer with what else we know. Kafka's tools stop
// at the end of the entries; the CRC-32C covers everything after it, for them as for us. A file of Kafka's, without a
// trailer, is read as well. One that does not check out counts as absent.
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import type { Offset } from '../base/ids.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { Disk } from '../env/disk.ts';
import { readIfThere, writeFileDurably } from '../env/disk.ts';
import { addToSequence, NO_SEQUENCE, NO_TIMESTAMP } from '../record/batch.ts';
import { snapshotPath } from './file-names.ts';
import type { LogDeps } from './log-state.ts';
import type { ProducerBatch, ProducerState } from './producer-states.ts';
import { BATCHES_TO_RETAIN, ProducerStates } from './producer-states.ts';

/** Kafka's. */
const VERSION = 1;
/** int16 version, uint32 CRC. */
const CRC_FROM = 6;
const ENTRY_BYTES = 46;
/** `KvPS`, in front of the trailer. */
const TRAILER_MAGIC = 0x4b765053;
const NO_OFFSET = -1;
/** Sequences wrap after so many. */
const SEQUENCES = 2 ** 31;

/** What a snapshot file says. */
export interface ProducerSnapshot {
  /** In the order of the file; with the trailer their last five batches, else the last one. */
  readonly producers: readonly ProducerState[];
  /** Where it was taken; undefined without the trailer: the file's name says it. */
  readonly offset: Offset | undefined;
  /** The log's newest timestamp there; without the trailer, the newest of the producers'. */
  readonly newestTimestamp: number;
}

/** Expired producers are left out, and forgotten (T-1.7). */
export function encodeProducerSnapshot(producers: ProducerStates, offset: Offset): Buffer {
  producers.removeExpired();
  const writer = new ByteWriter(64 + producers.size * 160);
  writer.int16(VERSION);
  writer.uint32(0);
  writer.int32(producers.size);
  for (const state of producers.values()) writeEntry(writer, state);
  writer.uint32(TRAILER_MAGIC);
  writer.int64(offset);
  writer.int64(producers.newestTimestamp);
  for (const { logTime, batches } of producers.values()) {
    writer.int64(logTime);
    writer.uint8(batches.length);
    for (const batch of batches) writeBatch(writer, batch);
  }
  const bytes = writer.finish();
  bytes.writeUInt32BE(crc32c(bytes, CRC_FROM), 2);
  return bytes;
}

function writeEntry(writer: ByteWriter, state: ProducerState): void {
  const last = state.batches.at(-1);
  writer.int64(state.producerId);
  writer.int16(state.epoch);
  writer.int32(last?.lastSequence ?? NO_SEQUENCE);
  writer.int64(last?.lastOffset ?? NO_OFFSET);
  writer.int32(last === undefined ? 0 : last.lastOffset - last.firstOffset);
  writer.int64(state.lastTimestamp);
  writer.int32(state.coordinatorEpoch);
  writer.int64(state.currentTxnFirstOffset);
}

function writeBatch(writer: ByteWriter, batch: ProducerBatch): void {
  writer.int32(batch.lastSequence);
  writer.int64(batch.lastOffset);
  writer.int32(batch.lastOffset - batch.firstOffset);
  writer.int64(batch.timestamp);
}

/** What the bytes say, or in a few words why they are no intact snapshot. */
export function readProducerSnapshot(bytes: Buffer): ProducerSnapshot | string {
  try {
    const reader = new ByteReader(bytes);
    const version = reader.int16();
    if (version !== VERSION) return `version ${version} is not known, only ${VERSION}`;
    const crc = reader.uint32();
    const computed = crc32c(bytes, CRC_FROM);
    if (crc !== computed) return `its CRC is ${computed}, and it says ${crc}`;
    const count = reader.int32();
    if (count < 0 || count * ENTRY_BYTES > reader.remaining) return `it has no room for ${count} producers`;
    const producers = Array.from({ length: count }, () => readEntry(reader));
    if (reader.remaining > 0) return readTrailer(reader, producers);
    const newestTimestamp = producers.reduce((max, { lastTimestamp }) => Math.max(max, lastTimestamp), NO_TIMESTAMP);
    return { producers, offset: undefined, newestTimestamp };
  } catch (error) {
    if (error instanceof BytesError) return error.message;
    throw error;
  }
}

function readEntry(reader: ByteReader): ProducerState {
  const [producerId, epoch] = [reader.int64(), reader.int16()];
  const [lastSequence, lastOffset, offsetDelta, timestamp] = batchFields(reader);
  const [coordinatorEpoch, currentTxnFirstOffset] = [reader.int32(), reader.int64()];
  return {
    producerId,
    epoch,
    lastTimestamp: timestamp,
    logTime: timestamp,
    coordinatorEpoch,
    currentTxnFirstOffset,
    batches: lastOffset < 0 ? [] : [batchOf(lastSequence, lastOffset, offsetDelta, timestamp)],
  };
}

function readTrailer(reader: ByteReader, producers: readonly ProducerState[]): ProducerSnapshot | string {
  if (reader.uint32() !== TRAILER_MAGIC) return 'it has bytes after its producers';
  const [offset, newestTimestamp] = [reader.int64(), reader.int64()];
  for (const state of producers) {
    state.logTime = reader.int64();
    const count = reader.uint8();
    if (count > BATCHES_TO_RETAIN) return `producer ${state.producerId} has ${count} batches`;
    state.batches = Array.from({ length: count }, () => batchOf(...batchFields(reader)));
  }
  return reader.remaining === 0 ? { producers, offset, newestTimestamp } : 'it has bytes after its trailer';
}

type BatchFields = [lastSequence: number, lastOffset: Offset, offsetDelta: number, timestamp: number];

function batchFields(reader: ByteReader): BatchFields {
  return [reader.int32(), reader.int64(), reader.int32(), reader.int64()];
}

function batchOf(...[lastSequence, lastOffset, offsetDelta, timestamp]: BatchFields): ProducerBatch {
  const firstSequence = addToSequence(lastSequence, SEQUENCES - offsetDelta);
  return { firstSequence, lastSequence, firstOffset: lastOffset - offsetDelta, lastOffset, timestamp };
}

/** The state at this offset; undefined if the bytes are not an intact snapshot for it. `expirationMs`: see ProducerStates. */
export function decodeProducerSnapshot(
  bytes: Buffer,
  offset: Offset,
  expirationMs: number = Number.POSITIVE_INFINITY,
): ProducerStates | undefined {
  const snapshot = readProducerSnapshot(bytes);
  if (typeof snapshot === 'string' || (snapshot.offset ?? offset) !== offset) return undefined;
  const producers = new ProducerStates(expirationMs, snapshot.newestTimestamp);
  for (const state of snapshot.producers) producers.restore(state);
  return producers;
}

export async function writeProducerSnapshot(
  disk: Disk,
  directory: string,
  offset: Offset,
  bytes: Uint8Array,
): Promise<void> {
  await writeFileDurably(disk, snapshotPath(directory, offset), bytes);
}

/**
 * The newest intact one of `offsets` (ascending) that is not above `upTo`; an empty state at `start` if there is none. One that is
 * gone counts like one that is damaged: it says nothing that the batches do not.
 */
export async function readNewestSnapshot(
  { disk, shared }: Pick<LogDeps, 'disk' | 'shared'>,
  directory: string,
  offsets: readonly Offset[],
  start: Offset,
  upTo: Offset,
): Promise<{ producers: ProducerStates; offset: Offset }> {
  const { producerIdExpirationMs } = shared;
  for (const offset of offsets.toReversed()) {
    if (offset > upTo || offset < start) continue;
    const bytes = await readIfThere(disk, snapshotPath(directory, offset));
    const producers = bytes && decodeProducerSnapshot(bytes, offset, producerIdExpirationMs);
    if (producers !== undefined) return { producers, offset };
  }
  return { producers: new ProducerStates(producerIdExpirationMs), offset: start };
}

/**
 * Of the snapshots at `offsets`, those that nobody needs: not at the base of a segment, nor above all segments' bases and
 * the newest (left by a clean close). Kafka keeps the same ones.
 */
export function straySnapshots(offsets: readonly Offset[], baseOffsets: readonly Offset[]): Offset[] {
  const bases = new Set(baseOffsets);
  const newest = Math.max(...offsets);
  const lastBase = Math.max(...baseOffsets);
  return offsets.filter((offset) => !bases.has(offset) && !(offset === newest && offset > lastBase));
}
