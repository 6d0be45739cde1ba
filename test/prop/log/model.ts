// What a partition log must hold, as plain lists: every batch that was ever appended and not cut off again, epochs,
// producers, log start and durable end. It shares no code with src/log, so that no defect hides in both.
// Invariants: logStart.least <= logStart.most <= end; durableEnd <= writtenEnd <= end; history has no holes.
import type { BatchHeader } from '../../../src/record/batch.ts';
import { addToSequence } from '../../../src/record/batch.ts';

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/** What the entries say of offsets from `start` on. */
export function fromStart(entries: readonly EpochStart[], start: number): EpochStart[] {
  return entries
    .filter((_, i) => (entries[i + 1]?.startOffset ?? Number.POSITIVE_INFINITY) > start)
    .map(({ epoch, startOffset }) => ({ epoch, startOffset: Math.max(start, startOffset) }));
}

export interface ProducerNote {
  readonly epoch: number;
  /** The last five, oldest first: sequences and offsets, both ends inclusive. */
  readonly batches: readonly {
    readonly firstSequence: number;
    readonly lastSequence: number;
    readonly firstOffset: number;
    readonly lastOffset: number;
  }[];
}

/** What may happen besides appends, truncations and crashes. */
export type Profile = '' | 'retain' | 'compact' | 'retain compact';

export class LogModel {
  readonly profile: Profile;
  /** All batches, also those that retention has removed since; compaction leaves them as they were written. */
  history: BatchHeader[] = [];
  /** Batches of an append that failed half-way. */
  halfWritten: readonly BatchHeader[] = [];
  /** Where the history begins: 0, or where a full truncation let the log start. */
  base = 0;
  /** Everything below was said to be durable, and not cut off since. */
  durableEnd = 0;
  /** Everything below was written, and not cut off since: the page cache has it, whatever becomes of the process. */
  writtenEnd = 0;
  /** The log starts between these: what was promised, and what was asked for. */
  logStart = { least: 0, most: 0 };
  /** D-1, as `assign` and the truncations left it. */
  epochs: EpochStart[] = [];
  /** Of those, the last one that was said to be durable. */
  durableEpoch: EpochStart | undefined;
  /** The leader's epoch, which grows. */
  leaderEpoch = 0;
  highWatermark = 0;
  /** Records below may have been compacted away. */
  cleanedBelow = 0;
  /** When the first compaction began, the time of the last one, and how many are under way. */
  compactions: { begun: number | undefined; now: number; underWay: number } = {
    begun: undefined,
    now: 1000,
    underWay: 0,
  };
  /** A truncation is under way, and where the log will end: nobody may append. */
  truncatingTo: { readonly offset: number; readonly end: number } | undefined;
  /** An operation that has the log to itself is under way or waits for its turn. */
  busy = false;

  constructor(profile: Profile) {
    this.profile = profile;
  }

  get end(): number {
    return this.history.at(-1)?.nextOffset ?? this.base;
  }

  /** Whether all that was ever written is still there to be replayed. */
  get isWhole(): boolean {
    return this.cleanedBelow === 0 && this.logStart.most === this.base;
  }

  /** Batches that readers must find, but for what compaction removed. */
  get visible(): BatchHeader[] {
    return this.history.filter((batch) => batch.nextOffset > this.logStart.most);
  }

  append(batch: BatchHeader): void {
    this.assignEpoch(batch.partitionLeaderEpoch, batch.baseOffset);
    this.leaderEpoch = Math.max(this.leaderEpoch, batch.partitionLeaderEpoch);
    this.history.push(batch);
  }

  /** D-1.1 */
  assignEpoch(epoch: number, startOffset: number): void {
    const covering = this.epochs.findLast((entry) => entry.startOffset <= startOffset);
    if (covering?.epoch === epoch) return;
    this.epochs = this.epochs.filter((entry) => entry.epoch < epoch && entry.startOffset < startOffset);
    this.epochs.push({ epoch, startOffset });
  }

  /** D-1.2 */
  endOffsetFor(epoch: number): { epoch: number; endOffset: number } | undefined {
    const last = this.epochs.at(-1);
    if (last === undefined || last.epoch < epoch) return undefined;
    if (last.epoch === epoch) return { epoch, endOffset: this.end };
    const after = this.epochs.findIndex((entry) => entry.epoch > epoch);
    const floor = this.epochs[after - 1]?.epoch ?? epoch;
    return { epoch: floor, endOffset: this.epochs[after]?.startOffset ?? this.end };
  }

  /** Where the log ends after a truncation to `offset`: never in the middle of a batch. */
  endAfterTruncation(offset: number): number {
    return this.history.findLast((batch) => batch.nextOffset <= offset)?.nextOffset ?? this.base;
  }

  /** A truncation to `offset`: no batch that reaches to it is left, and no epoch that starts where nothing is (D-1.3). */
  truncateTo(offset: number): void {
    const end = this.endAfterTruncation(offset);
    const epochsBelow = offset < this.end ? end : offset;
    this.history = this.history.filter((batch) => batch.nextOffset <= end);
    this.epochs = this.epochs.filter((entry) => entry.startOffset < epochsBelow);
    this.durableEpoch = undefined;
    this.promiseNoMoreThan(end);
  }

  /** After a crash the log ends at `end`: of an append that failed half-way, whole batches may have been found. */
  endsAt(end: number): void {
    for (const batch of this.halfWritten)
      if (batch.nextOffset <= end && batch.baseOffset === this.end) this.append(batch);
    this.halfWritten = [];
    this.loseFrom(end);
  }

  /** The log is seen to start there (D-1.3). */
  startsAt(offset: number): void {
    if (offset === this.logStart.least) return;
    this.logStart.least = offset;
    this.epochs = fromStart(this.epochs, offset);
  }

  /** A crash lost what lies above `end`; of the epochs that is known which has batches, or starts right there. */
  loseFrom(end: number): void {
    this.history = this.history.filter((batch) => batch.nextOffset <= end);
    this.epochs = this.epochs.filter((entry) => entry.startOffset <= end);
    this.promiseNoMoreThan(end);
  }

  /** A truncation to `end` begins: nothing above it is promised any more. */
  promiseNoMoreThan(end: number): void {
    this.durableEnd = Math.min(this.durableEnd, end);
    this.writtenEnd = Math.min(this.writtenEnd, end);
    this.highWatermark = Math.min(this.highWatermark, end);
    this.cleanedBelow = Math.min(this.cleanedBelow, end);
    if (this.durableEpoch !== undefined && this.durableEpoch.startOffset >= end) this.durableEpoch = undefined;
  }

  /** T-1.2, of the batches up to the end. */
  producers(): Map<number, ProducerNote> {
    const notes = new Map<number, ProducerNote>();
    for (const batch of this.history) {
      if (batch.producerId < 0) continue;
      const before = notes.get(batch.producerId);
      const batches = before?.epoch === batch.producerEpoch ? before.batches : [];
      const { baseSequence: firstSequence, lastSequence, baseOffset: firstOffset, lastOffset } = batch;
      const note = { firstSequence, lastSequence, firstOffset, lastOffset };
      notes.set(batch.producerId, { epoch: batch.producerEpoch, batches: [...batches, note].slice(-5) });
    }
    return notes;
  }

  /** What the producer's next batch must begin with. */
  nextSequence(producerId: number): { epoch: number; sequence: number } {
    const note = this.producers().get(producerId);
    const last = note?.batches.at(-1);
    if (note === undefined || last === undefined) return { epoch: note?.epoch ?? 0, sequence: 0 };
    return { epoch: note.epoch, sequence: addToSequence(last.lastSequence, 1) };
  }
}
