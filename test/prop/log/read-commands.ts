// Reads of the tail and far behind it, while other things are under way: a reader sees the log as it was when it asked or as
// it is when it is answered.
import fc from 'fast-check';
import type { BatchHeader } from '../../../src/record/batch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { Broken, must } from './broken.ts';
import { checkBatches } from './checks.ts';
import type { Weighted } from './command.ts';
import { always, command } from './command.ts';
import type { Subject } from './subject.ts';

const read = command(
  'read',
  { share: fc.nat(100), maxBytes: fc.constantFrom(1, 700, 5000), wait: fc.boolean() },
  always,
  (subject, { share, maxBytes, wait }) => {
    const { log, model } = subject;
    const start = log.logStartOffset;
    const end = model.truncatingTo?.end ?? model.end;
    if (end <= start) return Promise.resolve();
    const offset = Math.max(start, Math.min(end - 1, start + Math.floor(((end - start) * share) / 100)));
    const before = [...model.history];
    subject.count(share > 90 ? 'tail reads' : 'catch-up reads');
    return subject.run(wait, log.read(offset, maxBytes, end, true), (outcome) => {
      if (outcome.kind === 'failed') return;
      checkRead(subject, offset, [...splitBatches(outcome.value)], before);
    });
  },
);

function checkRead(
  subject: Subject,
  offset: number,
  found: readonly BatchHeader[],
  before: readonly BatchHeader[],
): void {
  const { model } = subject;
  const isCut = model.truncatingTo !== undefined || model.end <= offset || model.logStart.most > offset;
  must('S-D1', found.length > 0 || isCut || model.cleanedBelow > offset, () => `nothing was read at ${offset}`);
  const from = (batches: readonly BatchHeader[]): BatchHeader[] =>
    batches.filter(({ lastOffset }) => lastOffset >= offset);
  try {
    checkBatches(model, found, from(before));
  } catch (error) {
    // A truncation came between.
    if (!(error instanceof Broken)) throw error;
    checkBatches(model, found, from(model.history));
  }
}

const readAll = command(
  'readAll',
  { maxBytes: fc.constantFrom(1, 700, 100_000) },
  ({ busy }) => !busy,
  (subject, { maxBytes }) => subject.readAll(maxBytes),
);

/** The first record that is not older. */
const lookUp = command(
  'lookUp',
  { time: fc.nat(31) },
  ({ busy }) => !busy,
  async (subject, { time }) => {
    const { log, model } = subject;
    if (!model.isWhole) return;
    const found = await subject.outcome(log.offsetForTimestamp(time, model.end));
    const expected = model.history.find((batch) => batch.maxTimestamp >= time)?.baseOffset;
    if (found.kind === 'failed') return;
    must(
      'S-D11',
      found.value?.offset === expected,
      () => `time ${time} is at ${found.value?.offset}, not at ${expected}`,
    );
    subject.count('times found');
  },
);

export const reads: readonly Weighted[] = [
  { weight: 4, arbitrary: read },
  { weight: 1, arbitrary: readAll },
  { weight: 1, arbitrary: lookUp },
];
