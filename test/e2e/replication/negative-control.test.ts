// The same run with a bug planted into the product: the checkers must find it. Else a run without violations says nothing.
import { afterAll, expect, it } from 'vitest';
import { cleanUp } from '../processes.ts';
import { BROKERS } from './cluster.ts';
import type { Fault } from './nemesis.ts';
import { buildWith } from './planted-bug.ts';
import { runFaults } from './run.ts';

const PAUSE = { durationMs: 1600, kind: 'pause', other: 'leader' } as const;
/** Each broker in its turn goes while the others stand still and take nothing over; then leaders are cut off from their followers. */
const SCHEDULE: readonly Fault[] = [
  ...BROKERS.flatMap((node, round): Fault[] => {
    const others = BROKERS.filter((id) => id !== node);
    const atMs = 2000 + 5000 * round;
    return [
      ...others.map((id): Fault => ({ ...PAUSE, atMs, target: { node: id } })),
      { atMs: atMs + 1000, durationMs: 1500, kind: 'kill', target: { node }, other: 'leader' },
    ];
  }),
  ...[17_000, 24_000].map(
    (atMs): Fault => ({ atMs, durationMs: 4000, kind: 'isolate', target: 'leader', other: 'leader' }),
  ),
];

afterAll(cleanUp);

// D-6.2 broken.
it('a leader that acknowledges before its followers have the record is found out', { timeout: 900_000 }, async () => {
  const program = buildWith({
    file: 'replica/high-watermark.ts',
    right: 'Math.min(ownEndOffset, slowestEndOffset)',
    wrong: 'ownEndOffset',
  });
  const options = { seed: 0, durationMs: 29_000, schedule: SCHEDULE, program, again: undefined, withKcat: false };
  const { violations } = await runFaults(options);
  process.stdout.write(`${violations.join('\n').slice(0, 2000)}\n`);
  expect(violations).toContainEqual(expect.stringMatching(/^S-D1: /));
});
