import { expect, test } from 'vitest';
import type { Clock } from '../../../src/env/clock.ts';
import type { LogFields, Logger } from '../../../src/env/logger.ts';
import { RecoveryProgress } from '../../../src/log/recovery-progress.ts';

function progress(total: number) {
  const time = { now: 1000 };
  const lines: [string, LogFields | undefined][] = [];
  const note = (event: string, fields?: LogFields): void => void lines.push([event, fields]);
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const clock: Clock = { now: () => time.now, wallTime: () => 0, schedule: () => ({ cancel: () => {} }) };
  return { time, lines, told: new RecoveryProgress({ clock, logger }, '/data', total) };
}

test('D-10.1 a line a second at most while logs are checked, and one at the end', () => {
  const { time, lines, told } = progress(6);
  time.now = 5000;
  told.begin();
  for (const [at, bytes] of [
    [5500, 10],
    [6000, 20],
    [6900, 30],
    [7100, undefined],
    [7200, 40],
    [9300, 50],
  ] as const) {
    time.now = at;
    told.done(bytes);
  }
  expect(lines).toEqual([
    ['log-recovery-progress', { directory: '/data', done: 2, total: 6 }],
    ['log-recovery-progress', { directory: '/data', done: 4, total: 6 }],
    ['log-recovery-finished', { directory: '/data', total: 6, notOpened: 1, bytes: 150, ms: 4300 }],
  ]);
  told.done(1);
  expect(lines).toHaveLength(3);
});

test('where there is nothing to check nothing is told', () => {
  const { lines, told } = progress(0);
  told.done(undefined);
  expect(lines).toEqual([]);
});
