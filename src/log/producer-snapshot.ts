// Producer state on disk: `<20-digit offset>.snapshot` holds the state after all batches below that offset (T-3.1).
// Our own layout, since Kafka's keeps one batch per producer and five are needed: int16 version, uint32 CRC-32C of
// what follows, int64 offset, int32 count, then per producer the fields in the order of `encode`. A file that does not
// check out counts as absent.
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import type { Offset } from '../base/ids.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { Disk } from '../env/disk.ts';
import { writeFileDurably } from '../env/disk.ts';
import { snapshotPath } from './file-names.ts';
import type { ProducerBatch } from './producer-states.ts';
import { BATCHES_TO_RETAIN, ProducerStates } from './producer-states.ts';

/** Out of the range of Kafka's own versions, whose tools then say that they do not know it. */
const VERSION = 0x4b01;
const CRC_FROM = 6;

export function encodeProducerSnapshot(producers: ProducerStates, offset: Offset): Buffer {
  const writer = new ByteWriter(64 + producers.size * 96);
  writer.int16(VERSION);
  writer.uint32(0);
  writer.int64(offset);
  writer.int32(producers.size);
  for (const state of producers.values()) {
    writer.int64(state.producerId);
    writer.int16(state.epoch);
    writer.int64(state.lastTimestamp);
    writer.uint8(state.batches.length);
    for (const batch of state.batches) {
      writer.int32(batch.firstSequence);
      writer.int32(batch.lastSequence);
      writer.int64(batch.firstOffset);
      writer.int64(batch.lastOffset);
      writer.int64(batch.timestamp);
    }
  }
  const bytes = writer.finish();
  bytes.writeUInt32BE(crc32c(bytes, CRC_FROM), 2);
  return bytes;
}

/** Undefined if the bytes are not an intact snapshot for this offset. */
export function decodeProducerSnapshot(bytes: Buffer, offset: Offset): ProducerStates | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.int16() !== VERSION || reader.uint32() !== crc32c(bytes, CRC_FROM)) return undefined;
    if (reader.int64() !== offset) return undefined;
    const producers = new ProducerStates();
    for (let left = reader.int32(); left > 0; left--) {
      const [producerId, epoch, lastTimestamp] = [reader.int64(), reader.int16(), reader.int64()];
      const count = reader.uint8();
      if (count > BATCHES_TO_RETAIN) return undefined;
      const batches = Array.from({ length: count }, () => readBatch(reader));
      producers.restore({ producerId, epoch, lastTimestamp, batches });
    }
    return reader.remaining === 0 ? producers : undefined;
  } catch (error) {
    if (error instanceof BytesError) return undefined;
    throw error;
  }
}

function readBatch(reader: ByteReader): ProducerBatch {
  return {
    firstSequence: reader.int32(),
    lastSequence: reader.int32(),
    firstOffset: reader.int64(),
    lastOffset: reader.int64(),
    timestamp: reader.int64(),
  };
}

export async function writeProducerSnapshot(
  disk: Disk,
  directory: string,
  offset: Offset,
  bytes: Uint8Array,
): Promise<void> {
  await writeFileDurably(disk, snapshotPath(directory, offset), bytes);
}

/** The newest intact one of `offsets` (ascending) that is not above `upTo`; an empty state at `start` if there is none. */
export async function readNewestSnapshot(
  disk: Disk,
  directory: string,
  offsets: readonly Offset[],
  start: Offset,
  upTo: Offset,
): Promise<{ producers: ProducerStates; offset: Offset }> {
  for (const offset of offsets.toReversed()) {
    if (offset > upTo || offset < start) continue;
    const producers = decodeProducerSnapshot(await disk.readFile(snapshotPath(directory, offset)), offset);
    if (producers !== undefined) return { producers, offset };
  }
  return { producers: new ProducerStates(), offset: start };
}
