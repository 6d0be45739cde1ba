// Each checker of reads lets a good history pass and says what is wrong with a bad one.
import { describe, expect, test } from 'vitest';
import { checkFullReading, checkReadsAgree, checkReadsCommitted, checkReadsInOrder } from '../../../src/check/reads.ts';
import { history, LOSS, log, read, record } from './fixture.ts';

test('a good history passes', () => {
  for (const check of [checkReadsAgree, checkReadsCommitted, checkReadsInOrder]) {
    expect(check(history())).toBeUndefined();
  }
  expect(checkFullReading(history(), 'c')).toBeUndefined();
});

test('S-C1: a record that was read and is not in the log', () => {
  const logs = [log([record(0)])];
  expect(checkReadsCommitted(history({ logs }))).toMatchObject({ property: 'S-C1' });
  expect(checkReadsCommitted(history({ logs, losses: [LOSS] }))).toBeUndefined();
  // Read in an epoch that began after the loss.
  const reads = [read(0), read(1, { leaderEpoch: 1 })];
  expect(checkReadsCommitted(history({ logs, reads, losses: [LOSS] }))).toMatchObject({ property: 'S-C1' });
});

describe('S-C2: one offset, two records', () => {
  const other = read(1, { session: 'd', text: 'q-0=', leaderEpoch: 1 });

  test('without a loss', () => {
    expect(checkReadsAgree(history({ reads: [read(1), other] }))).toMatchObject({ property: 'S-C2' });
  });

  test('over a loss the epochs must differ', () => {
    expect(checkReadsAgree(history({ reads: [read(1), other], losses: [LOSS] }))).toBeUndefined();
    const same = [read(1), { ...other, leaderEpoch: 0 }];
    expect(checkReadsAgree(history({ reads: same, losses: [LOSS] }))).toMatchObject({ property: 'S-C2' });
  });
});

test('S-C3: an offset left out, or twice', () => {
  expect(checkReadsInOrder(history({ reads: [read(0), read(2)] }))).toMatchObject({ property: 'S-C3' });
  expect(checkReadsInOrder(history({ reads: [read(0), read(0)] }))).toMatchObject({ property: 'S-C3' });
  expect(checkReadsInOrder(history({ reads: [read(0), read(0, { session: 'd' }), read(1)] }))).toBeUndefined();
});

test('L-C1: a reading of everything that is short, or something else', () => {
  expect(checkFullReading(history({ reads: [read(0), read(1)] }), 'c')).toMatchObject({ property: 'L-C1' });
  expect(checkFullReading(history({ reads: [read(0), read(1), read(2, { text: 'x' })] }), 'c')).toBeDefined();
  expect(checkFullReading(history(), 'nobody')).toMatchObject({ property: 'L-C1' });
});
