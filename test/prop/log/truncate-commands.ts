// Truncations (D-3.6): to an offset, and to the end of an epoch as the leader says it.
import fc from 'fast-check';
import { must } from './broken.ts';
import { checkDerived } from './checks.ts';
import type { Weighted } from './command.ts';
import { command } from './command.ts';
import type { Subject } from './subject.ts';

function truncate(subject: Subject, offset: number, wait: boolean): Promise<void> {
  const { log, model } = subject;
  const end = model.endAfterTruncation(offset);
  // Ends of epochs are ends of batches; nobody asks for the middle of the one in which the log starts. What compaction
  // has taken for the sake of a later value was committed with it.
  if (end < model.logStart.most || end < model.cleanedBelow) return Promise.resolve();
  Object.assign(model, { busy: true, truncatingTo: { offset, end } });
  model.promiseNoMoreThan(end);
  subject.count('truncations');
  return subject.run(wait, log.truncateTo(offset), (outcome) => {
    // Of one that failed nobody knows how much was done until the log is opened again.
    if (outcome.kind === 'failed') return subject.promise('a failed truncation fences', log.failure !== undefined);
    Object.assign(model, { busy: false, truncatingTo: undefined });
    model.truncateTo(offset);
    must('S-D7', log.logEndOffset === end, () => `the log ends at ${log.logEndOffset} after a truncation to ${offset}`);
    must(
      'S-D1',
      log.flushedEndOffset <= end,
      () => `${log.flushedEndOffset} is called durable, the log ends at ${end}`,
    );
    checkDerived(model, log);
  });
}

const toOffset = command(
  'truncate',
  { back: fc.nat(12), wait: fc.boolean() },
  ({ busy }) => !busy,
  (subject, { back, wait }) => truncate(subject, Math.max(subject.model.logStart.most, subject.model.end - back), wait),
);

const toEpochEnd = command(
  'truncateToEpochEnd',
  { back: fc.nat(2), wait: fc.boolean() },
  ({ busy }) => !busy,
  async (subject, { back, wait }) => {
    const { model } = subject;
    const epoch = model.epochs.at(-1 - back)?.epoch;
    const found = epoch === undefined ? undefined : subject.log.endOffsetFor(epoch);
    if (found === undefined) return;
    subject.count('truncations to the end of an epoch');
    await truncate(subject, Math.max(model.logStart.most, found.endOffset), wait);
  },
);

export const cuts: readonly Weighted[] = [
  { weight: 1, arbitrary: toOffset },
  { weight: 1, arbitrary: toEpochEnd },
];
