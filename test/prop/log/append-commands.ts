// Appends of a leader and of a follower, with and without idempotent producers (T-1).
import fc from 'fast-check';
import { EnvError } from '../../../src/env/error.ts';
import type { AppendResult } from '../../../src/log/append.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import type { BatchOptions } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { must } from './broken.ts';
import type { Weighted } from './command.ts';
import { command, quiet } from './command.ts';
import type { Subject } from './subject.ts';

interface Content {
  readonly count: number;
  readonly bytes: number;
  readonly time: number;
  /** Of the first record; the others have the next ones. */
  readonly key: number;
  readonly isDeletion: boolean;
}

const content = {
  count: fc.integer({ min: 1, max: 3 }),
  bytes: fc.nat(900),
  time: fc.nat(30),
  key: fc.nat(5),
  isDeletion: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
};

function build({ count, bytes, time, key, isDeletion }: Content, options: BatchOptions): Buffer {
  const records = Array.from({ length: count }, (_, i) => ({
    timestamp: time,
    key: Buffer.from(`key-${(key + i) % 6}`),
    value: isDeletion ? null : Buffer.alloc(bytes, 0x61 + ((key + bytes) % 20)),
    headers: [],
  }));
  return buildBatch(records, options);
}

/** What of the model a batch of the producer says; 0 is nobody. */
function producerOptions({ model }: Subject, producer: number, bumped = false): BatchOptions {
  if (producer === 0) return {};
  const { epoch, sequence } = model.nextSequence(producer);
  return bumped
    ? { producerId: producer, producerEpoch: epoch + 1, baseSequence: 0 }
    : { producerId: producer, producerEpoch: epoch, baseSequence: sequence };
}

/** Undefined if the log fenced itself; is checked then. */
function tryAppend(subject: Subject, append: () => AppendResult | undefined, again: Buffer): AppendResult | undefined {
  const { log, model } = subject;
  try {
    return append();
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    subject.count(error.code === 'NO_SPACE' ? 'no space' : 'failed writes');
    must('S-D1', log.failure !== undefined, () => `an append failed (${error.message}), the log goes on`);
    const refused = ((): boolean => {
      try {
        log.append(again, model.leaderEpoch);
        return false;
      } catch (second) {
        return second instanceof EnvError;
      }
    })();
    must('S-D1', refused, () => 'an append after one that failed half-way (R-14.1)');
    return undefined;
  }
}

const lead = command(
  'append',
  { ...content, producer: fc.nat(3), bumped: fc.nat(9) },
  quiet,
  async (subject, { producer, bumped, ...what }) => {
    const { log, model } = subject;
    if (!(await subject.warm())) return;
    const bytes = build(what, producerOptions(subject, producer, bumped === 0));
    const segments = subject.segmentCount;
    const result = tryAppend(subject, () => log.append(bytes, model.leaderEpoch), Buffer.from(bytes));
    if (result === undefined) return;
    const expected = { kind: 'appended', baseOffset: model.end } as const;
    must('S-D10', result.kind === 'appended' && result.baseOffset === model.end, () => {
      return `append gave ${JSON.stringify(result)}, expected ${JSON.stringify(expected)}`;
    });
    model.append(new BatchHeader(Buffer.from(bytes)));
    if (subject.segmentCount > segments) subject.count('rolls');
  },
);

/** T-1.2: one of the last five, sent again, gets the offsets it has. */
const again = command(
  'again',
  { producer: fc.integer({ min: 1, max: 3 }), back: fc.nat(4) },
  quiet,
  async (subject, { producer, back }) => {
    const { log, model } = subject;
    const note = model
      .producers()
      .get(producer)
      ?.batches.at(model.isWhole ? -1 - back : -1);
    const original = model.visible.find((batch) => batch.baseOffset === note?.firstOffset);
    if (original === undefined || !(await subject.warm())) return;
    const bytes = Buffer.from(original.bytes);
    const result = tryAppend(subject, () => log.append(bytes, model.leaderEpoch), bytes);
    if (result === undefined) return;
    const { baseOffset, lastOffset } = original;
    const same = result.kind === 'duplicate' && result.baseOffset === baseOffset && result.lastOffset === lastOffset;
    must('S-D10', same, () => `${baseOffset}..${lastOffset} was sent again, the answer is ${JSON.stringify(result)}`);
    subject.count('duplicates');
  },
);

/** T-1.3 */
const outOfOrder = command(
  'outOfOrder',
  { ...content, producer: fc.integer({ min: 1, max: 3 }) },
  quiet,
  async (subject, args) => {
    const { log, model } = subject;
    if (!model.isWhole || !model.producers().has(args.producer) || !(await subject.warm())) return;
    const next = producerOptions(subject, args.producer);
    const bytes = build(args, { ...next, baseSequence: (next.baseSequence ?? 0) + 7 });
    const result = tryAppend(subject, () => log.append(bytes, model.leaderEpoch), bytes);
    if (result === undefined) return;
    must('S-D10', result.kind === 'refused', () => `a sequence too far ahead: ${JSON.stringify(result)}`);
    subject.count('out of order');
  },
);

/** What a leader sends: several batches in one buffer, maybe of several leaders (D-3.7, T-1.5). */
const follow = command(
  'follow',
  {
    batches: fc.array(fc.record({ ...content, producer: fc.nat(3), later: fc.nat(4) }), { minLength: 1, maxLength: 4 }),
  },
  quiet,
  async (subject, { batches }) => {
    const { log, model } = subject;
    if (!(await subject.warm())) return;
    const built: Buffer[] = [];
    const producers = new Set<number>();
    let [baseOffset, partitionLeaderEpoch] = [model.end, model.leaderEpoch];
    for (const { producer, later, ...what } of batches) {
      if (later === 0) partitionLeaderEpoch += 1;
      // The model knows sequences only up to what is in the log.
      const options = producers.has(producer) ? {} : producerOptions(subject, producer);
      producers.add(producer);
      built.push(build(what, { ...options, baseOffset, partitionLeaderEpoch }));
      baseOffset += what.count;
    }
    const bytes = Buffer.concat(built);
    const written = [...splitBatches(Buffer.from(bytes))];
    const appended = (): AppendResult | undefined => {
      log.appendAsFollower(bytes);
      return { kind: 'appended', baseOffset: model.end, lastOffset: baseOffset - 1, logAppendTime: -1 };
    };
    tryAppend(subject, appended, Buffer.from(built[0] as Buffer));
    const end = log.logEndOffset;
    for (const batch of written.filter(({ nextOffset }) => nextOffset <= end)) model.append(batch);
    model.halfWritten = written.filter(({ nextOffset }) => nextOffset > end);
    if (batches.length > 1) subject.count('buffers of several batches');
  },
);

export const appends: readonly Weighted[] = [
  { weight: 12, arbitrary: lead },
  { weight: 4, arbitrary: follow },
  { weight: 1, arbitrary: again },
  { weight: 1, arbitrary: outOfOrder },
];
