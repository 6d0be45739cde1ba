// The metadata log in memory: batches from the log start on, epoch cache, voter sets, log end and flushed end. What
// the disk will hold once every issued op is done. Invariants: startOffset <= endOffset, flushedEndOffset <= endOffset;
// batches contiguous, epochs never go down.
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import { decodeControlRecord } from './control-record.ts';
import { EpochCache } from './epoch-cache.ts';
import type { Batch, OpId, Snapshot, SnapshotId, Voter } from './types.ts';
import { VoterHistory } from './voter-history.ts';

/** First offset after the batch. */
export function batchEndOffset(batch: Batch): Offset {
  return batch.baseOffset + batch.records.length;
}

/** The voters that a batch sets, undefined if it sets none or is no intact control batch. */
export function votersOf(batch: Batch): readonly Voter[] | undefined {
  if (!batch.control) return undefined;
  let voters: readonly Voter[] | undefined;
  for (const bytes of batch.records) {
    const record = decodeControlRecord(bytes);
    if (record?.type === 'voters') voters = record.voters;
  }
  return voters;
}

/** Why a batch cannot lie at `endOffset`, after one of `lastEpoch` (0: as the first of the log). */
function whyNotNext(batch: Batch, endOffset: Offset, lastEpoch: Epoch, maxEpoch: Epoch): string | undefined {
  if (batch.baseOffset !== endOffset) return `base offset ${batch.baseOffset}, log end ${endOffset}`;
  if (batch.records.length === 0) return 'no records';
  if (batch.epoch < 1 || batch.epoch < lastEpoch) return `epoch ${batch.epoch} after ${lastEpoch}`;
  // KAFKA-18723: a late response must not bring records of an epoch that its sender did not lead.
  if (batch.epoch > maxEpoch) return `epoch ${batch.epoch} above the leader's ${maxEpoch}`;
  if (batch.control && batch.records.some((record) => decodeControlRecord(record) === undefined)) {
    return 'unknown control record';
  }
  // R-0.3a: the first batch pins the voters, so a log that is not empty always has a voter set.
  if (lastEpoch === 0 && votersOf(batch) === undefined) return 'the first batch does not name the voters';
  return undefined;
}

export class RaftLog {
  readonly #batches: Batch[] = [];
  /** Bytes of records, by batch. */
  readonly #bytes: number[] = [];
  readonly #epochs = new EpochCache();
  readonly #voters = new VoterHistory();
  /** Appends that are not durable yet, oldest first. */
  readonly #unflushed: { op: OpId; endOffset: Offset }[] = [];
  #startOffset: Offset = 0;
  #endOffset: Offset = 0;
  #flushedEndOffset: Offset = 0;

  /** Nothing was ever written, nor loaded from a snapshot. */
  get isEmpty(): boolean {
    return this.#endOffset === 0;
  }

  /** Batches from here on are there; 0, or the end of a snapshot. */
  get startOffset(): Offset {
    return this.#startOffset;
  }

  /** LEO: offset of the next record. */
  get endOffset(): Offset {
    return this.#endOffset;
  }

  /** What is known durable of it (M-7). */
  get flushedEndOffset(): Offset {
    return this.#flushedEndOffset;
  }

  /** Epoch of the last record, also if only a snapshot holds it; 0 if the log is empty. */
  get lastEpoch(): Epoch {
    return this.#epochs.lastEpoch;
  }

  /** The pinned voter set in force; undefined while the log is empty (R-0.3a). */
  get voters(): readonly Voter[] | undefined {
    return this.#voters.latest;
  }

  /** The set that the one in force has replaced; undefined where this log does not reach back so far. */
  get previousVoters(): readonly Voter[] | undefined {
    return this.#voters.previous;
  }

  /** Offset of the record of the set in force, -1 if it lies before the log. */
  get votersOffset(): Offset {
    return this.#voters.latestOffset;
  }

  /** The voter set in force before the record at `offset`, which lies in [startOffset, endOffset]. */
  votersAsOf(offset: Offset): readonly Voter[] | undefined {
    assert(offset >= this.#startOffset && offset <= this.#endOffset, 'voters are asked for within the log');
    return this.#voters.asOf(offset);
  }

  /** Adds batches that {@link appendablePrefix} has passed, or own ones; durable once `op` is done. */
  append(batches: readonly Batch[], op: OpId): void {
    for (const batch of batches) this.#push(batch);
    this.#unflushed.push({ op, endOffset: this.#endOffset });
  }

  /** At start: what the disk held, flushed as it is. The reason if it is no log. */
  load(snapshots: readonly Snapshot[], batches: readonly Batch[]): string | undefined {
    const [first] = snapshots;
    if (first !== undefined) this.#begin(first);
    const problem = this.appendablePrefix(batches, Number.MAX_SAFE_INTEGER);
    if (problem !== undefined) return problem.reason;
    for (const batch of batches) this.#push(batch);
    this.#flushedEndOffset = this.#endOffset;
    return undefined;
  }

  /** the snapshot stands for all the log, whatever was in it; durable once `op` is done. */
  reset(snapshot: Snapshot, op: OpId): void {
    this.#batches.length = 0;
    this.#bytes.length = 0;
    this.#unflushed.length = 0;
    this.#begin(snapshot);
    // What is durable until then is another log.
    this.#flushedEndOffset = 0;
    this.#unflushed.push({ op, endOffset: this.#endOffset });
  }

  #begin({ id: { endOffset, epoch }, voters }: Snapshot): void {
    this.#startOffset = endOffset;
    this.#endOffset = endOffset;
    this.#epochs.reset(endOffset, epoch);
    this.#voters.reset(voters);
  }

  /** forgets what lies below the end of a snapshot. Costs as much as there are batches, once for each snapshot. */
  trim({ endOffset, epoch }: SnapshotId): void {
    assert(this.contains({ endOffset, epoch }), 'the log starts at a place of its own');
    if (endOffset === this.#startOffset) return;
    const count = this.#indexOf(endOffset);
    this.#batches.splice(0, count);
    this.#bytes.splice(0, count);
    this.#startOffset = endOffset;
    this.#epochs.trim(endOffset, epoch);
    this.#voters.trim(endOffset);
  }

  /** whether `endOffset` is a batch boundary of this log, and `epoch` that of the record before it. */
  contains({ endOffset, epoch }: SnapshotId): boolean {
    return (
      endOffset >= this.#startOffset &&
      endOffset <= this.#endOffset &&
      this.boundaryAtOrBelow(endOffset) === endOffset &&
      this.#epochs.epochBefore(endOffset) === epoch
    );
  }

  #push(batch: Batch): void {
    assert(batch.baseOffset === this.#endOffset, 'appended batches are contiguous');
    this.#epochs.assign(batch.epoch, batch.baseOffset);
    const voters = votersOf(batch);
    if (voters !== undefined) this.#voters.push(batch.baseOffset, voters);
    let bytes = 0;
    for (const record of batch.records) bytes += record.length;
    this.#batches.push(batch);
    this.#bytes.push(bytes);
    this.#endOffset = batchEndOffset(batch);
  }

  /**
   * which of these batches is the first that cannot follow the log's end and the batches before it, and why;
   * undefined if all can. `maxEpoch`: the epoch of the leader who sent them.
   */
  appendablePrefix(batches: readonly Batch[], maxEpoch: Epoch): { index: number; reason: string } | undefined {
    let endOffset = this.#endOffset;
    let lastEpoch = this.lastEpoch;
    let index = 0;
    for (const batch of batches) {
      const reason = whyNotNext(batch, endOffset, lastEpoch, maxEpoch);
      if (reason !== undefined) return { index, reason };
      endOffset = batchEndOffset(batch);
      lastEpoch = batch.epoch;
      index++;
    }
    return undefined;
  }

  /** Cuts every batch that ends above `endOffset`, with the voter sets and epochs they brought. */
  truncate(endOffset: Offset): void {
    const count = this.#indexOf(endOffset);
    this.#batches.length = count;
    this.#bytes.length = count;
    const last = this.#batches.at(-1);
    this.#endOffset = last === undefined ? this.#startOffset : batchEndOffset(last);
    this.#epochs.truncate(this.#endOffset);
    this.#voters.truncate(this.#endOffset);
    // M-7: an append under way proves durable only what this leaves of it.
    this.#flushedEndOffset = Math.min(this.#flushedEndOffset, this.#endOffset);
    for (const append of this.#unflushed) append.endOffset = Math.min(append.endOffset, this.#endOffset);
  }

  /** All disk effects up to `doneOp` are durable. Whether the flushed end moved. */
  flushed(doneOp: OpId): boolean {
    let done = 0;
    let end = this.#flushedEndOffset;
    for (const append of this.#unflushed) {
      if (append.op > doneOp) break;
      end = Math.max(end, append.endOffset);
      done++;
    }
    if (done === 0) return false;
    this.#unflushed.splice(0, done);
    const moved = end > this.#flushedEndOffset;
    this.#flushedEndOffset = end;
    return moved;
  }

  /** the largest epoch <= `epoch` that this log has, and where it ends. */
  endOffsetFor(epoch: Epoch): { epoch: Epoch; endOffset: Offset } {
    return this.#epochs.endOffsetFor(epoch, this.#endOffset);
  }

  /** The largest batch boundary <= `offset`, the log start where that lies above it. */
  boundaryAtOrBelow(offset: Offset): Offset {
    return this.#batches[this.#indexOf(offset)]?.baseOffset ?? this.#endOffset;
  }

  /** Whole batches of [from, to), two batch boundaries. */
  slice(from: Offset, to: Offset): Batch[] {
    return this.#batches.slice(this.#indexOf(from), this.#indexOf(to));
  }

  /** Batches from the boundary `from` to the log end: at least one if there is one, else at most `maxBytes` of records. */
  read(from: Offset, maxBytes: number): Batch[] {
    const first = this.#indexOf(from);
    let end = first;
    let bytes = 0;
    while (end < this.#batches.length) {
      bytes += this.#bytes[end] ?? 0;
      if (end > first && bytes > maxBytes) break;
      end++;
    }
    return this.#batches.slice(first, end);
  }

  /** How many batches end at or below `offset`. */
  #indexOf(offset: Offset): number {
    if (offset >= this.#endOffset) return this.#batches.length;
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const batch = this.#batches[middle];
      if (batch !== undefined && batchEndOffset(batch) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
