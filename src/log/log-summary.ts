// What a clean stop leaves of a log in the directory's Store, so that the next start need not touch the log's folder: the log's
// numbers, its epochs, and what its folder holds. It counts only if it is of the same incarnation as the marker of the clean
// stop: once the marker is consumed (C-2.4), no summary written before counts any more.
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import type { Offset } from '../base/ids.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { Disk } from '../env/disk.ts';
import { filePrefix } from './file-names.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';
import type { SegmentFacts } from './segment.ts';

export interface SummarySegment extends SegmentFacts {
  readonly baseOffset: Offset;
}

/** Of a log of which everything is durable. */
export interface LogSummary {
  readonly topic: string;
  readonly logStartOffset: Offset;
  readonly logEndOffset: Offset;
  readonly epochs: readonly EpochEntry[];
  /** Ascending, at least one; the last one is active. */
  readonly segments: readonly SummarySegment[];
  /** Of the producer snapshots in the folder, ascending. */
  readonly snapshots: readonly Offset[];
}

const VERSION = 0;
/** uint32 CRC-32C of all that follows; int8 version; int64 boot counter. */
const BOOT_AT = 5;
const CRC_FROM = 4;

/** `bootCounter`: of the incarnation that closed the log. */
export function encodeLogSummary(summary: LogSummary, bootCounter: number): Buffer {
  const writer = new ByteWriter(128);
  writer.uint32(0);
  writer.int8(VERSION);
  writer.int64(bootCounter);
  writer.uvarint(Buffer.byteLength(summary.topic));
  writer.utf8(summary.topic);
  writer.varlong(summary.logStartOffset);
  writer.varlong(summary.logEndOffset);
  writer.uvarint(summary.epochs.length);
  for (const { epoch, startOffset } of summary.epochs) {
    writer.varint(epoch);
    writer.varlong(startOffset);
  }
  writer.uvarint(summary.segments.length);
  for (const segment of summary.segments) {
    writer.varlong(segment.baseOffset);
    writer.varlong(segment.size);
    writer.uint8(segment.max === undefined ? 0 : 1);
    if (segment.max === undefined) continue;
    writer.varlong(segment.max.timestamp);
    writer.varlong(segment.max.offset);
  }
  writer.uvarint(summary.snapshots.length);
  for (const offset of summary.snapshots) writer.varlong(offset);
  return sealed(writer.finish());
}

/** Whether the folder ends as the summary says: a look that opens nothing. More is compared when the log is warmed. */
export async function fits(disk: Disk, folder: string, { segments }: LogSummary): Promise<boolean> {
  const active = segments.at(-1);
  return active !== undefined && (await disk.fileSize(`${filePrefix(folder, active.baseOffset)}.log`)) === active.size;
}

function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes, CRC_FROM), 0);
  return bytes;
}

/** Undefined if it was not written by that incarnation, or is damaged: the folder tells then. */
export function decodeLogSummary(bytes: Buffer, bootCounter: number): LogSummary | undefined {
  try {
    const reader = new ByteReader(bytes);
    if (reader.uint32() !== crc32c(bytes, CRC_FROM) || reader.int8() !== VERSION) return undefined;
    if (reader.int64() !== bootCounter) return undefined;
    const topic = reader.utf8(reader.uvarint());
    const [logStartOffset, logEndOffset] = [reader.varlong(), reader.varlong()];
    const epochs = list(reader, () => ({ epoch: reader.varint(), startOffset: reader.varlong() }));
    const segments = list(reader, () => segmentFrom(reader));
    const snapshots = list(reader, () => reader.varlong());
    if (reader.remaining > 0 || segments.length === 0) return undefined;
    return { topic, logStartOffset, logEndOffset, epochs, segments, snapshots };
  } catch (error) {
    if (error instanceof BytesError) return undefined;
    throw error;
  }
}

function segmentFrom(reader: ByteReader): SummarySegment {
  const [baseOffset, size] = [reader.varlong(), reader.varlong()];
  if (reader.uint8() === 0) return { baseOffset, size };
  return { baseOffset, size, max: { timestamp: reader.varlong(), offset: reader.varlong() } };
}

/** Each entry takes a byte at least, so that a damaged count cannot ask for more than there is. */
function list<T>(reader: ByteReader, next: () => T): T[] {
  const count = reader.uvarint();
  if (count > reader.remaining) throw new BytesError(`a list of ${count} entries in ${reader.remaining} bytes`);
  return Array.from({ length: count }, next);
}

/** The same, of a log that was not opened since, as of a later incarnation. */
export function carriedOver(bytes: Buffer, bootCounter: number): Buffer {
  const copy = Buffer.from(bytes);
  const boot = new ByteWriter(8);
  boot.int64(bootCounter);
  boot.finish().copy(copy, BOOT_AT);
  return sealed(copy);
}
