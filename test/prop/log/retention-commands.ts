// The head of the log goes: records that were deleted (D-9.1), and what is too old or too much (D-9.2).
import fc from 'fast-check';
import type { BatchHeader } from '../../../src/record/batch.ts';
import { must } from './broken.ts';
import type { Weighted } from './command.ts';
import { command } from './command.ts';
import type { LogModel } from './model.ts';
import type { Subject } from './subject.ts';

const wait = fc.boolean();

function idle({ busy, profile }: Readonly<LogModel>): boolean {
  return !busy && profile.includes('retain');
}

/** The start of the log may move up to `most` until the operation has ended. */
function moveStart<T>(
  subject: Subject,
  most: number,
  waits: boolean,
  operation: Promise<T>,
  done: () => void,
): Promise<void> {
  const { log, model } = subject;
  model.busy = true;
  model.logStart.most = Math.max(model.logStart.most, most);
  return subject.run(waits, operation, (outcome) => {
    if (outcome.kind === 'failed') return subject.promise('a failed removal fences', log.failure !== undefined);
    model.busy = false;
    model.logStart.most = log.logStartOffset;
    done();
  });
}

const deleteRecords = command('deleteRecords', { share: fc.nat(100), wait }, idle, (subject, args) => {
  const { log, model } = subject;
  const { least } = model.logStart;
  const offset = least + Math.floor(((Math.max(least, model.highWatermark) - least) * args.share) / 100);
  subject.count('records deleted');
  return moveStart(subject, offset, args.wait, log.advanceLogStart(offset), () => {
    must('S-D6', log.logStartOffset === Math.max(offset, least), () => {
      return `the log starts at ${log.logStartOffset}, records below ${offset} were deleted`;
    });
  });
});

const retain = command(
  'retain',
  {
    retentionMs: fc.constantFrom(-1, 0, 10, 20),
    retentionBytes: fc.constantFrom(-1, 0, 2000, 5000),
    ready: fc.boolean(),
    wait,
  },
  idle,
  async (subject, args) => {
    const { log, model } = subject;
    if (args.ready) await subject.commit();
    if (log.failure !== undefined) return;
    const { retentionMs, retentionBytes } = args;
    subject.reconfigure({ cleanupPolicy: 'delete', retentionMs, retentionBytes });
    const limits = { highWatermark: model.highWatermark, nowMs: 31 };
    const before = model.visible;
    const start = log.logStartOffset;
    const most = Math.max(start, model.highWatermark);
    await moveStart(subject, most, args.wait, log.retain(limits), () => {
      const gone = before.filter(({ nextOffset }) => nextOffset <= log.logStartOffset);
      if (log.logStartOffset > start) subject.count('retentions');
      const isOld = retentionMs >= 0 && gone.every(({ maxTimestamp }) => limits.nowMs - maxTimestamp > retentionMs);
      const left = sizeOf(model.history.filter(({ nextOffset }) => nextOffset > log.logStartOffset));
      const isMuch = retentionBytes >= 0 && left >= retentionBytes;
      const both = retentionMs >= 0 && retentionBytes >= 0;
      // A segment without the records that compaction took may be older than they were.
      must('S-D1', gone.length === 0 || isOld || isMuch || both || model.cleanedBelow > 0, () => {
        return `retention took ${gone.length} batches, ${left} bytes are left: ${JSON.stringify(args)}`;
      });
    });
  },
);

function sizeOf(batches: readonly BatchHeader[]): number {
  return batches.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0);
}

export const removals: readonly Weighted[] = [
  { weight: 1, arbitrary: deleteRecords },
  { weight: 2, arbitrary: retain },
];
