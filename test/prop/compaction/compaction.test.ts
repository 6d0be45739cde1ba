// Random histories of keyed records, compacted at random moments, with a crash at any step of the disk in between: nothing that is the last
// of its key is lost, no tombstone goes early or lets an old value come back, epochs and producers stay what they were (D-9.4).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchSpec } from './subject.ts';
import { Subject } from './subject.ts';

type Step =
  | { readonly kind: 'append'; readonly batches: readonly BatchSpec[] }
  | { readonly kind: 'compact'; readonly mapKeys: number; readonly lag: number; readonly events: number | undefined }
  | { readonly kind: 'crash'; readonly how: 'kill' | 'power-cut'; readonly noted: boolean }
  | { readonly kind: 'later'; readonly ms: number }
  | { readonly kind: 'truncate'; readonly back: number }
  | { readonly kind: 'stop' };

const key = fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: null, freq: 12 });
const value = fc.option(
  fc.nat({ max: 60 }).map((length) => 'v'.repeat(length)),
  { nil: null, freq: 4 },
);
const batch: fc.Arbitrary<BatchSpec> = fc.record({
  pairs: fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 5 }),
  producer: fc.constantFrom(0, 0, 1, 2),
  compression: fc.constantFrom('none' as const, 'none' as const, 'gzip' as const, 'lz4' as const),
  transactional: fc.nat({ max: 9 }).map((draw) => draw === 0),
  newEpoch: fc.nat({ max: 4 }).map((draw) => draw === 0),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('append' as const), batches: fc.array(batch, { maxLength: 6 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      mapKeys: fc.constantFrom(1, 3, 100, 100),
      lag: fc.nat({ max: 8 }),
      events: fc.option(fc.nat({ max: 120 }), { freq: 2, nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      how: fc.constantFrom('kill' as const, 'power-cut' as const),
      noted: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('later' as const), ms: fc.constantFrom(1, 600, 1500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), back: fc.nat({ max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const) }) },
);

async function take(subject: Subject, what: Step): Promise<void> {
  switch (what.kind) {
    case 'append':
      for (const spec of what.batches) await subject.append(spec);
      return;
    case 'compact':
      return subject.compact(what.mapKeys, what.lag, what.events);
    case 'crash':
      return what.noted ? subject.crash(what.how) : subject.crashNow(what.how);
    case 'later':
      subject.now += what.ms;
      return;
    case 'truncate':
      return subject.truncate(what.back);
    default:
      return subject.stop();
  }
}

const RUNS = Number(process.env['COMPACTION_RUNS'] ?? 60);

describe('a compacted log', () => {
  it('loses nothing but what a later record displaced or a tombstone ended, whatever crashes', async () => {
    const counts = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 24 }), fc.nat(), async (steps, seed) => {
        const subject = new Subject(seed);
        await subject.start();
        for (const each of steps) await take(subject, each);
        await subject.compact(100, 0, undefined);
        await subject.crash('power-cut');
        for (const [what, count] of subject.counts) counts.set(what, (counts.get(what) ?? 0) + count);
      }),
      { numRuns: RUNS },
    );
    // Else nothing was tried.
    for (const what of ['compacted', 'kill', 'power-cut', 'stop'])
      expect([what, (counts.get(what) ?? 0) > 0]).toEqual([what, true]);
  }, 120_000);
});
