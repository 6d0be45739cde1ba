// Bytes of a snapshot file: one header frame, frames of records, one footer frame, nothing after it. A frame is
// uint8 kind, uint32 length of its body, uint32 CRC-32C of kind, length and body, then the body. The footer counts the records
// and has a CRC over the CRCs of all frames before it, so that a lost, doubled or moved frame shows as well as a damaged one.
import { assert } from '../base/assert.ts';
import { ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import { crc32c } from '../base/crc32c.ts';
import type { Uuid } from '../base/uuid.ts';
import { uuidFromBytes, uuidToBytes } from '../base/uuid.ts';
import type { SnapshotId, Voter } from '../raft/types.ts';

export interface SnapshotHeader {
  readonly clusterId: Uuid;
  readonly id: SnapshotId;
  /** As of the end of the snapshot. */
  readonly voters: readonly Voter[];
  /** Milliseconds since 1970 by the writer's wall clock: for people. */
  readonly takenAtMs: number;
}

export interface SnapshotFooter {
  readonly recordCount: number;
  /** {@link chainCrc} over all frames before it. */
  readonly crc: number;
}

export type FrameKind = 'header' | 'records' | 'footer';

const FORMAT = 1;
const MAGIC = Buffer.from('KvSn');
const KINDS: readonly FrameKind[] = ['header', 'records', 'footer'];

/** Kind, length, CRC. */
export const FRAME_HEAD_BYTES = 9;
/** A frame of records is closed once it has so many bytes: one read, one write, one pause of the event loop. */
export const CHUNK_BYTES = 64 * 1024;
/** No body is longer: the largest batch that the quorum appends (see limits.ts) has room in it, and damage allocates no more. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** The bytes are not (or no longer) what a snapshot has there. `newer`: a newer version wrote them. */
export class SnapshotDamage extends Error {
  override name = 'SnapshotDamage';
  readonly newer: boolean;

  constructor(message: string, newer = false) {
    super(message);
    this.newer = newer;
  }
}

/** A frame, head and body. */
export function encodeFrame(kind: FrameKind, body: Uint8Array): Buffer {
  assert(body.length <= MAX_BODY_BYTES, 'a frame of a snapshot can be read again');
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + body.length);
  frame.writeUInt8(KINDS.indexOf(kind), 0);
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, FRAME_HEAD_BYTES);
  frame.writeUInt32BE(crcOf(frame, body), 5);
  return frame;
}

function crcOf(head: Buffer, body: Uint8Array): number {
  return crc32c(body, 0, body.length, crc32c(head, 0, 5));
}

/** The CRC of a frame, from its head. */
export function frameCrc(head: Buffer): number {
  return head.readUInt32BE(5);
}

/** Continues the CRC over frames with one more; 0 for none before. */
export function chainCrc(crc: number, ofFrame: number): number {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(ofFrame);
  return crc32c(bytes, 0, 4, crc);
}

/** What a head announces. SnapshotDamage if it cannot be one. */
export function decodeHead(head: Buffer): { readonly kind: FrameKind; readonly bodyBytes: number } {
  const kind = KINDS[head.readUInt8(0)];
  const bodyBytes = head.readUInt32BE(1);
  if (kind === undefined || bodyBytes > MAX_BODY_BYTES) throw new SnapshotDamage('a frame has a damaged head');
  return { kind, bodyBytes };
}

/** SnapshotDamage unless head and body belong together. */
export function verifyFrame(head: Buffer, body: Buffer): void {
  if (crcOf(head, body) !== frameCrc(head)) throw new SnapshotDamage('a frame has a wrong CRC');
}

export function encodeHeader(header: SnapshotHeader): Buffer {
  const writer = new ByteWriter();
  writer.bytes(MAGIC);
  writer.uint8(FORMAT);
  writer.bytes(uuidToBytes(header.clusterId));
  writer.int64(header.id.endOffset);
  writer.int32(header.id.epoch);
  writer.int64(header.takenAtMs);
  writer.uint16(header.voters.length);
  for (const { id, directoryId, endpoint } of header.voters) {
    writer.int32(id);
    writer.bytes(uuidToBytes(directoryId));
    const text = Buffer.from(endpoint);
    writer.uint16(text.length);
    writer.bytes(text);
  }
  return writer.finish();
}

export function decodeHeader(body: Buffer): SnapshotHeader {
  return decoded('header', body, (reader) => {
    if (!reader.bytes(MAGIC.length).equals(MAGIC)) throw new SnapshotDamage('it is no snapshot');
    const format = reader.uint8();
    if (format > FORMAT) throw new SnapshotDamage(`it has format ${format}, this version reads ${FORMAT}`, true);
    if (format !== FORMAT) throw new SnapshotDamage(`it has format ${format}`);
    const clusterId = uuidFromBytes(reader.bytes(16));
    const endOffset = reader.int64();
    const epoch = reader.int32();
    const takenAtMs = reader.int64();
    const voters = Array.from({ length: reader.uint16() }, () => ({
      id: reader.int32(),
      directoryId: uuidFromBytes(reader.bytes(16)),
      endpoint: reader.utf8(reader.uint16()),
    }));
    return { clusterId, id: { endOffset, epoch }, voters, takenAtMs };
  });
}

/** Adds a record to the body of a frame of records. */
export function writeRecord(body: ByteWriter, record: Uint8Array): void {
  body.uvarint(record.length);
  body.bytes(record);
}

/** The records of a frame; they are views of `body`. */
export function decodeRecords(body: Buffer): Uint8Array[] {
  return decoded('frame of records', body, (reader) => {
    const records: Uint8Array[] = [];
    while (reader.remaining > 0) records.push(reader.bytes(reader.uvarint()));
    return records;
  });
}

export function encodeFooter({ recordCount, crc }: SnapshotFooter): Buffer {
  const writer = new ByteWriter(12);
  writer.int64(recordCount);
  writer.uint32(crc);
  return writer.finish();
}

export function decodeFooter(body: Buffer): SnapshotFooter {
  return decoded('footer', body, (reader) => ({ recordCount: reader.int64(), crc: reader.uint32() }));
}

function decoded<T>(what: string, body: Buffer, decode: (reader: ByteReader) => T): T {
  const reader = new ByteReader(body);
  try {
    const value = decode(reader);
    if (reader.remaining === 0) return value;
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
  }
  throw new SnapshotDamage(`its ${what} does not make sense`);
}
