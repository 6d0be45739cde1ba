// Second pass, batch by batch: what stays of it (D-9.4). A record stays that is the last of its key, or that the map does not cover. A
// tombstone stays until delete.retention.ms after it was first left alone, so that no reader who saw the value misses its end: the
// batch then carries that time (KIP-534). Control batches stay, whole; of a transaction's records only those go that a later record
// outside of one displaces. Some batches stay without any record: the last ones of each producer, whose sequence goes on from
// there (KAFKA-5490, KAFKA-8335, KAFKA-17076), and the last one of a segment, so that segments follow each other without holes.
// Sources: Cleaner.cleanInto, Cleaner.shouldRetainRecord, MemoryRecords.filterTo.
import { ByteWriter } from '../../base/bytes.ts';
import type { Offset } from '../../base/ids.ts';
import type { BatchHeader } from '../../record/batch.ts';
import { RecordCursor } from '../../record/cursor.ts';
import { emptiedBatch, retainRecords } from '../../record/retain.ts';
import { RECORDS_PER_BREATH } from './batch-walk.ts';
import type { Contents } from './contents.ts';
import { openRecords, readable } from './contents.ts';
import type { OffsetMap } from './offset-map.ts';

/** Batches that stay, if without records, so that their producers stay known. */
export interface KeptProducers {
  /** The last offsets of the last ones. */
  readonly lastOffsets: ReadonlySet<Offset>;
  /** Of these producers no batch is known that will not be truncated, as after a new epoch: all of theirs stay. */
  readonly uncertain: ReadonlySet<number>;
}

export interface FilterRules {
  readonly map: OffsetMap;
  /** The map covers the records below. */
  readonly mapEndOffset: Offset;
  readonly producers: KeptProducers;
  /** Wall time. */
  readonly now: number;
  readonly deleteRetentionMs: number;
}

/**
 * What becomes of a batch: `whole`: it stays as it is stored; a buffer: it is replaced by that, which is valid until the next
 * verdict; undefined: it goes.
 */
export type Verdict = 'whole' | Buffer | undefined;

export class BatchFilter {
  readonly #rules: FilterRules;
  readonly #cursor = new RecordCursor();
  #keep = new Uint8Array(1024);
  readonly #writer = new ByteWriter(64 * 1024);
  #batch: BatchHeader | undefined;
  #contents: Contents | undefined;
  #seen = 0;
  #kept = 0;
  #tombstones = 0;
  /** Of all batches so far. */
  recordsRead = 0;
  recordsKept = 0;

  constructor(rules: FilterRules) {
    this.#rules = rules;
  }

  /** Takes a batch. False if its records need not be looked at: ask for the verdict at once. */
  open(batch: BatchHeader): boolean {
    this.#batch = batch;
    this.#seen = 0;
    this.#kept = 0;
    this.#tombstones = 0;
    this.#contents = undefined;
    if (batch.isControl || batch.recordsCount === 0 || batch.baseOffset >= this.#rules.mapEndOffset) return false;
    if (batch.recordsCount > this.#keep.length) this.#keep = new Uint8Array(batch.recordsCount * 2);
    this.#contents = openRecords(batch, this.#cursor);
    return true;
  }

  /** Looks at some more records; returns how many, less than {@link RECORDS_PER_BREATH} at the end of the batch. */
  judge(): number {
    const batch = this.#batch as BatchHeader;
    return readable(batch, () => this.#judge(batch, (this.#contents as Contents).content));
  }

  #judge(batch: BatchHeader, content: Buffer): number {
    const { map, mapEndOffset, now } = this.#rules;
    const cursor = this.#cursor;
    const { isTransactional, deleteHorizonMs } = batch;
    const tombstonesGo = !isTransactional && deleteHorizonMs !== undefined && now >= deleteHorizonMs;
    for (let count = 0; count < RECORDS_PER_BREATH; count++) {
      if (!cursor.next()) return count;
      const { offset, keyStart, hasValue } = cursor;
      let keep = true;
      if (offset < mapEndOffset) {
        keep = keyStart >= 0 && map.get(content, keyStart, cursor.keyEnd) <= offset && !(tombstonesGo && !hasValue);
        if (keep && !hasValue) this.#tombstones += 1;
      }
      this.#keep[this.#seen] = keep ? 1 : 0;
      this.#seen += 1;
      if (keep) this.#kept += 1;
    }
    return RECORDS_PER_BREATH;
  }

  /** `endsSegment`: it is the last batch of the segment that is written. */
  verdict(endsSegment: boolean): Verdict {
    const batch = this.#batch as BatchHeader;
    const { recordsCount } = batch;
    this.recordsRead += recordsCount;
    if (this.#contents === undefined) {
      this.recordsKept += recordsCount;
      return recordsCount > 0 || this.#staysEmpty(batch, endsSegment) ? 'whole' : undefined;
    }
    this.recordsKept += this.#kept;
    if (this.#kept === 0) return this.#staysEmpty(batch, endsSegment) ? emptiedBatch(batch) : undefined;
    const deleteHorizonMs = this.#newHorizon(batch);
    if (this.#kept === recordsCount && deleteHorizonMs === undefined) return 'whole';
    const retained = { ...this.#contents, keep: this.#keep, deleteHorizonMs };
    return readable(batch, () => retainRecords(batch, retained, this.#writer));
  }

  /** Tombstones count as left alone once all that they end has gone: not before the map covers the whole batch. */
  #newHorizon(batch: BatchHeader): number | undefined {
    const { mapEndOffset, now, deleteRetentionMs } = this.#rules;
    if (this.#tombstones === 0 || batch.deleteHorizonMs !== undefined || batch.isTransactional) return undefined;
    if (batch.lastOffset >= mapEndOffset) return undefined;
    return Math.min(now + deleteRetentionMs, Number.MAX_SAFE_INTEGER);
  }

  #staysEmpty(batch: BatchHeader, endsSegment: boolean): boolean {
    if (endsSegment) return true;
    if (!batch.hasProducerId) return false;
    const { lastOffsets, uncertain } = this.#rules.producers;
    return lastOffsets.has(batch.lastOffset) || uncertain.has(batch.producerId);
  }
}
