// Metadata records as bytes and back. A kind that this version does not know stops the node, unless its writer marked it
// as skippable: an image that lacks a record is a wrong image (C-0.4).
import { AssertionError, assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';

/** What a record says: the `kind` of a {@link MetadataRecord}, `{ $case: 'topic', topic: … }` and so on. */
export type RecordKind = NonNullable<MetadataRecord['kind']>;

/** The metadata levels that this version can read and write. */
export const MIN_METADATA_LEVEL = 1;
export const LATEST_METADATA_LEVEL = 2;

/** Wraps a kind into a record that every node must know. */
export function metadataRecord(kind: RecordKind): MetadataRecord {
  return { skippable: false, kind };
}

export function encodeRecord(record: MetadataRecord): Uint8Array {
  assert(record.kind !== undefined, 'a metadata record without a kind cannot be written');
  return MetadataRecord.encode(record).finish();
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
