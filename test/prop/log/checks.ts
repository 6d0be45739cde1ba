// Comparing a log with its model: what is derived equals a replay of the batches; what readers get are the model's batches,
// but for records that compaction may take.
import { isDeepStrictEqual } from 'node:util';
import type { PartitionLog } from '../../../src/log/partition-log.ts';
import type { ProducerState } from '../../../src/log/producer-states.ts';
import type { BatchHeader } from '../../../src/record/batch.ts';
import type { KafkaRecord } from '../../../src/record/record.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { must } from './broken.ts';
import type { LogModel, ProducerNote } from './model.ts';
import { fromStart } from './model.ts';

/** delete.retention.ms */
export const TOMBSTONES_STAY_MS = 100;

/** After the log was opened, and whenever nothing is under way. Of a cold log, producers are not known. */
export function checkDerived(model: LogModel, log: PartitionLog): void {
  checkEpochs(model, log);
  if (log.isWarm) checkProducers(model, log);
  if (!model.isWhole) return;
  for (let epoch = 0; epoch <= model.leaderEpoch + 1; epoch++) {
    const [found, expected] = [log.endOffsetFor(epoch), model.endOffsetFor(epoch)];
    must('S-D4', isDeepStrictEqual(found, expected), () => {
      return `epoch ${epoch} ends at ${JSON.stringify(found)}, the batches say ${JSON.stringify(expected)}`;
    });
  }
}

/** D-1: leaders of two replicas compare logs by these, so a wrong entry ends in two records at one offset (S-D4). */
function checkEpochs(model: LogModel, log: PartitionLog): void {
  const found = fromStart(log.epochs.entries, log.logStartOffset);
  const expected = fromStart(model.epochs, log.logStartOffset);
  const says = (): string => `epochs are ${JSON.stringify(found)}, the batches say ${JSON.stringify(expected)}`;
  // Of a log without records, the epoch of those that are gone may be known or not.
  if (log.logStartOffset === model.end && found.length + expected.length === 1) return;
  if (model.cleanedBelow === 0) return must('S-D4', isDeepStrictEqual(found, expected), says);
  // The first records of an epoch, or all of them, may be compacted away and its entry rebuilt from what is left.
  const epochs = new Set(found.map(({ epoch }) => epoch));
  for (const { epoch, startOffset } of expected) {
    const entry = found.find((one) => one.epoch === epoch);
    const isCleaned = startOffset < model.cleanedBelow;
    must('S-D4', entry !== undefined || isCleaned, says);
    must('S-D4', entry === undefined || entry.startOffset === startOffset || isCleaned, says);
    must('S-D4', entry === undefined || entry.startOffset >= startOffset, says);
    epochs.delete(epoch);
  }
  must('S-D4', epochs.size === 0, says);
}

/** T-1.2, T-3.1: a producer whose state is lost or wrong writes a record twice, or not at all (S-D10). */
function checkProducers(model: LogModel, log: PartitionLog): void {
  const notes = model.producers();
  const states = new Map([...log.producers.values()].map((state) => [state.producerId, state]));
  const [first] = model.visible;
  const hasGaps = !model.isWhole;
  for (const [producerId, note] of notes) {
    const state = states.get(producerId);
    const lastOffset = note.batches.at(-1)?.lastOffset ?? -1;
    const says = (): string =>
      `producer ${producerId} is ${JSON.stringify(state)}, the batches say ${JSON.stringify(note)}`;
    if (state === undefined) {
      must('S-D10', hasGaps && (first === undefined || lastOffset < first.baseOffset), says);
      continue;
    }
    must('S-D10', hasGaps ? isPart(state, note) : isSame(state, note), says);
  }
  for (const state of states.values()) {
    must('S-D10', notes.has(state.producerId), () => `${JSON.stringify(state)} is of a producer without batches`);
  }
}

function isSame({ epoch, batches }: ProducerState, note: ProducerNote): boolean {
  return epoch === note.epoch && isDeepStrictEqual(batches.map(bare), note.batches);
}

/** Of older batches it may know less, where they are not in the log any more. */
function isPart({ epoch, batches }: ProducerState, note: ProducerNote): boolean {
  const known = batches.map(bare);
  return (
    epoch === note.epoch &&
    isDeepStrictEqual(known.at(-1), note.batches.at(-1)) &&
    known.every((batch) => note.batches.some((one) => isDeepStrictEqual(one, batch)))
  );
}

function bare(batch: ProducerState['batches'][number]): ProducerNote['batches'][number] {
  const { firstSequence, lastSequence, firstOffset, lastOffset } = batch;
  return { firstSequence, lastSequence, firstOffset, lastOffset };
}

/** Whether these batches, in order, can be what lies from the offset of the first to that of the last one. */
export function checkBatches(model: LogModel, found: readonly BatchHeader[], written: readonly BatchHeader[]): void {
  let at = 0;
  for (const batch of found) {
    must('S-D11', batch.computeCrc() === batch.crc, () => `the batch at ${batch.baseOffset} does not match its CRC`);
    while (at < written.length && (written[at] as BatchHeader).lastOffset < batch.lastOffset) {
      const passed = written[at++] as BatchHeader;
      must('S-D1', isGone(model, passed), () => `the batch at ${passed.baseOffset} was not read`);
    }
    const original = written[at++];
    must(
      'S-D11',
      original !== undefined && isFrom(model, batch, original),
      () => `read ${describe(batch)}, written was ${original === undefined ? 'nothing' : describe(original)}`,
    );
  }
}

/** All of the log, from its start to its end. */
export function checkContent(model: LogModel, log: PartitionLog, found: readonly BatchHeader[]): void {
  const written = model.history.filter((batch) => batch.nextOffset > log.logStartOffset);
  checkBatches(model, found, written);
  const lastRead = found.at(-1)?.lastOffset ?? -1;
  for (const batch of written.filter(({ lastOffset }) => lastOffset > lastRead)) {
    must(
      'S-D1',
      isGone(model, batch),
      () => `the batch at ${batch.baseOffset} was not read; the log ends at ${model.end}`,
    );
  }
  if (model.cleanedBelow === 0) return;
  checkLastValues(model, log, found);
  checkLastBatches(model, log, found);
}

/** Compaction may take whole batches, but never the last one of the log. */
function isGone(model: LogModel, batch: BatchHeader): boolean {
  return batch.nextOffset <= model.cleanedBelow && batch.nextOffset < model.end;
}

function isFrom(model: LogModel, batch: BatchHeader, original: BatchHeader): boolean {
  if (batch.bytes.equals(original.bytes)) return true;
  const same =
    batch.lastOffset === original.lastOffset &&
    batch.baseOffset >= original.baseOffset &&
    batch.partitionLeaderEpoch === original.partitionLeaderEpoch &&
    batch.producerId === original.producerId &&
    batch.producerEpoch === original.producerEpoch &&
    batch.lastSequence === original.lastSequence &&
    batch.isControl === original.isControl;
  if (!same || batch.nextOffset > model.cleanedBelow) return false;
  const records = new Map(decodeRecords(original).map((record) => [record.offset, record]));
  return decodeRecords(batch).every((record) => isDeepStrictEqual(plain(record), plain(records.get(record.offset))));
}

function plain(record: KafkaRecord | undefined): unknown {
  if (record === undefined) return undefined;
  const { offset, timestamp, key, value } = record;
  return { offset, timestamp, key: key?.toString('latin1'), value: value?.toString('latin1') ?? null };
}

/** D-9.4: whoever has lost the snapshots must still find where the sequence of a producer goes on. */
function checkLastBatches(model: LogModel, log: PartitionLog, found: readonly BatchHeader[]): void {
  const ends = new Set(found.map(({ lastOffset }) => lastOffset));
  for (const [producerId, { batches }] of model.producers()) {
    const lastOffset = batches.at(-1)?.lastOffset ?? -1;
    const isThere = lastOffset < log.logStartOffset || ends.has(lastOffset);
    must('S-D10', isThere, () => `the last batch of producer ${producerId}, up to ${lastOffset}, is gone`);
  }
}

/** D-9.4: the last value of a key is there; one that was deleted stays so, whether its tombstone is left or not. */
function checkLastValues(model: LogModel, log: PartitionLog, found: readonly BatchHeader[]): void {
  const last = new Map<string, KafkaRecord>();
  for (const batch of model.history) {
    for (const record of decodeRecords(batch)) last.set(record.key?.toString('latin1') ?? '', record);
  }
  const offsets = new Map<string, number>();
  for (const batch of found) {
    for (const { key, offset } of decodeRecords(batch)) offsets.set(key?.toString('latin1') ?? '', offset);
  }
  for (const [key, { offset, value }] of last) {
    if (offset < log.logStartOffset) continue;
    const left = offsets.get(key);
    if (value !== null || offset >= model.cleanedBelow) {
      must('S-D1', left === offset, () => `the last value of ${key} is at ${offset}, but the log has ${left}`);
    } else {
      const { begun, now } = model.compactions;
      const mayGo = begun !== undefined && now >= begun + TOMBSTONES_STAY_MS;
      must('S-D1', mayGo || left === offset, () => `the tombstone of ${key} at ${offset} went before its time`);
      const isDeleted = left === undefined || left === offset;
      must('S-D11', isDeleted, () => `${key} was deleted at ${offset}, but the log has a value at ${left}`);
    }
  }
}

function describe(batch: BatchHeader): string {
  const { baseOffset, lastOffset, partitionLeaderEpoch, producerId, baseSequence, recordsCount } = batch;
  return JSON.stringify({ baseOffset, lastOffset, partitionLeaderEpoch, producerId, baseSequence, recordsCount });
}
