// One history, compacted, with a crash at every single step of the disk in turn: before, within and after each swap of a segment.
import { describe, expect, it } from 'vitest';
import type { BatchSpec } from './subject.ts';
import { Subject } from './subject.ts';

function batchOf(i: number): BatchSpec {
  const value = i % 3 === 0 ? null : `${i} ${'v'.repeat(150)}`;
  return {
    pairs: [
      [`k${i % 2}`, value],
      [`m${i % 3}`, `${i} ${'v'.repeat(150)}`],
    ],
    producer: i % 3,
    compression: 'none',
    transactional: false,
    newEpoch: i === 5,
  };
}

/** A log that was compacted before, and has as much again to compact. */
async function filled(seed: number): Promise<Subject> {
  const subject = new Subject(seed);
  await subject.start();
  for (let i = 0; i < 3; i++) await subject.append(batchOf(i));
  await subject.compact(100, 0, undefined);
  subject.now += 1500;
  for (let i = 3; i < 7; i++) await subject.append(batchOf(i));
  return subject;
}

/** How many steps a compaction takes. */
async function stepsOfOne(): Promise<number> {
  const { world, log, now } = await filled(1);
  const before = world.scheduler.executed;
  const run = { endOffset: log.logEndOffset, now, mapBytes: 1 << 16, secret: Buffer.alloc(16) };
  expect((await world.finish(log.compact(run))).kind).toBe('compacted');
  return world.scheduler.executed - before;
}

describe('a crash at each step of a compaction', () => {
  it.each(['kill', 'power-cut'] as const)(
    '%s: the log is what it was or what it becomes',
    async (how) => {
      const steps = await stepsOfOne();
      expect(steps).toBeGreaterThan(50);
      const seen = new Map<string, number>();
      for (let step = 0; step < steps; step++) {
        // What a power cut leaves is drawn.
        for (let draw = 0; draw < (how === 'kill' ? 1 : 5); draw++) {
          const subject = await filled(step * 10 + draw);
          await subject.compact(100, 0, step);
          await subject.crashNow(how);
          await subject.compact(100, 0, undefined);
          await subject.crashNow('power-cut');
          for (const [what, count] of subject.counts) seen.set(what, (seen.get(what) ?? 0) + count);
        }
      }
      for (const what of ['cleaned', 'swap', 'deleted'])
        expect([what, (seen.get(what) ?? 0) > 0]).toEqual([what, true]);
    },
    120_000,
  );
});
