// Metadata records as bytes and back. A kind that this version does not know stops the node, unless its writer marked it
// as skippable: an image that lacks a record is a wrong image (C-0.4).
import { AssertionError, assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';

/** What a record says: the `kind` of a {@link MetadataRecord}, `{ $case: 'topic', topic: … }` and so on. */
export type RecordKind = NonNullable<MetadataRecord['kind']>;

/** The metadata levels that this version can read and write. */
export const MIN_METADATA_LEVEL = 1;
export const LATEST_METADATA_LEVEL = 3;

/** Wraps a kind into a record that every node must know. */
export function metadataRecord(kind: RecordKind): MetadataRecord {
  return { skippable: false, kind };
}

type Writer = ReturnType<typeof MetadataRecord.encode>;

/** One whose buffer has grown already; the bytes that it finishes are copies. */
let spare: Writer | undefined;

/** A writer that has written more than this is not kept. */
const MAX_SPARE_BYTES = 1_048_576;

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = spare ?? MetadataRecord.encode({ skippable: false });
  // What fails leaves it half written.
  spare = undefined;
  write(writer);
  const bytes = writer.finish();
  if (bytes.length <= MAX_SPARE_BYTES) spare = writer;
  return bytes;
}

function encode(record: MetadataRecord, writer: Writer): void {
  assert(record.kind !== undefined, 'a metadata record without a kind cannot be written');
  MetadataRecord.encode(record, writer);
}

export function encodeRecord(record: MetadataRecord): Uint8Array {
  return written((writer) => encode(record, writer));
}

/** The same of each, as views of one piece of memory: the log keeps whole batches, and memory of its own costs more than a record. */
export function encodeRecords(records: readonly MetadataRecord[]): Uint8Array[] {
  const all = written((writer) => {
    for (const record of records) {
      encode(record, writer.fork());
      writer.join();
    }
  });
  let at = 0;
  return records.map(() => {
    // The length that `join` wrote before the record: seven bits a byte, the lowest first.
    let length = 0;
    let byte = 0x80;
    for (let shift = 0; byte >= 0x80; shift += 7) {
      byte = all[at++] ?? 0;
      length |= (byte & 0x7f) << shift;
    }
    at += length;
    return all.subarray(at - length, at);
  });
}

/**
 * The record at `offset` of the metadata log. AssertionError, which ends the node (C-0.4), if the bytes are no record or
 * its kind is neither known nor skippable; a skipped record has `kind` undefined.
 */
export function decodeRecord(bytes: Uint8Array, offset: Offset): MetadataRecord {
  let record: MetadataRecord;
  try {
    record = MetadataRecord.decode(bytes);
  } catch (cause) {
    const error = new AssertionError(`the metadata record at offset ${offset} cannot be decoded`);
    error.cause = cause;
    throw error;
  }
  assert(
    record.kind !== undefined || record.skippable,
    () =>
      `the metadata record at offset ${offset} is of a kind that this version does not know: ` +
      'the cluster was upgraded beyond it; run this node with the version that the other nodes run',
  );
  return record;
}

/** All records of a batch that starts at `baseOffset`. */
export function decodeRecords(records: readonly Uint8Array[], baseOffset: Offset): MetadataRecord[] {
  return records.map((bytes, index) => decodeRecord(bytes, baseOffset + index));
}
