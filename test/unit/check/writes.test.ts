// Each checker of writes lets a good history pass and says what is wrong with a bad one.
import { describe, expect, test } from 'vitest';
import {
  checkIdempotence,
  checkNoAckedLoss,
  checkNoInvention,
  checkOrder,
  checkOutcomes,
} from '../../../src/check/writes.ts';
import { history, LOSS, log, record, write } from './fixture.ts';

test('a good history passes', () => {
  for (const check of [checkIdempotence, checkNoAckedLoss, checkNoInvention, checkOrder, checkOutcomes]) {
    expect(check(history())).toBeUndefined();
  }
});

describe('S-D1', () => {
  const cut = [log([record(0)])];

  test('an acknowledged record that is gone', () => {
    expect(checkNoAckedLoss(history({ logs: cut }))).toMatchObject({ property: 'S-D1' });
    expect(checkNoAckedLoss(history({ logs: [] }))).toMatchObject({ property: 'S-D1' });
  });

  test('an acknowledged record at another offset', () => {
    const moved = [log([record(0), record(1, { text: 'p-2=' }), record(2, { text: 'p-1=' })])];
    expect(checkNoAckedLoss(history({ logs: moved }))).toMatchObject({ property: 'S-D1' });
  });

  test('an acknowledged duplicate without an offset must be there somewhere', () => {
    const writes = [write(0), write(1, { offset: -1 })];
    expect(checkNoAckedLoss(history({ writes }))).toBeUndefined();
    expect(checkNoAckedLoss(history({ writes, logs: cut }))).toMatchObject({ property: 'S-D1' });
  });

  test('an unsynced tail may go with the power, and nothing else', () => {
    expect(checkNoAckedLoss(history({ logs: cut, losses: [LOSS] }))).toBeUndefined();
    // Sent after the power had gone.
    const later = { writes: [write(0), write(1, { invokedAtMs: 300 })], logs: cut, losses: [LOSS] };
    expect(checkNoAckedLoss(history(later))).toMatchObject({ property: 'S-D1' });
    // Durable.
    expect(checkNoAckedLoss(history({ logs: cut, losses: [{ ...LOSS, fromOffset: 2 }] }))).toMatchObject({
      property: 'S-D1',
    });
    expect(checkNoAckedLoss(history({ logs: cut, losses: [{ ...LOSS, partition: 1 }] }))).toBeDefined();
  });
});

describe('S-D2', () => {
  test('records of one producer the wrong way round', () => {
    const writes = [write(0, { offset: 1 }), write(1, { offset: 0 })];
    expect(checkOrder(history({ writes }))).toMatchObject({ property: 'S-D2' });
    // In two partitions, or of two producers, there is no order.
    expect(
      checkOrder(history({ writes: [write(0, { offset: 1 }), write(1, { offset: 0, partition: 1 })] })),
    ).toBeUndefined();
    expect(
      checkOrder(history({ writes: [write(0, { offset: 1 }), write(1, { offset: 0, producer: 'q' })] })),
    ).toBeUndefined();
  });

  test('an offset acknowledged twice', () => {
    const writes = [write(0), write(1, { offset: 0, producer: 'q' })];
    expect(checkOrder(history({ writes }))).toMatchObject({ property: 'S-D2' });
    expect(checkOrder(history({ writes, losses: [{ ...LOSS, fromOffset: 0 }] }))).toBeUndefined();
  });
});

describe('S-D9', () => {
  test('a failed record that is there', () => {
    const writes = [write(0), write(1, { outcome: 'failed', offset: -1 })];
    expect(checkOutcomes(history({ writes }))).toMatchObject({ property: 'S-D9' });
  });

  test('a record of unknown outcome may be there, once', () => {
    const writes = [write(0), write(1, { outcome: 'unknown', offset: -1 })];
    expect(checkOutcomes(history({ writes }))).toBeUndefined();
    expect(checkOutcomes(history({ writes, logs: [] }))).toBeUndefined();
    const logs = [log([record(0), record(1), record(2, { text: 'p-1=' })])];
    expect(checkOutcomes(history({ writes, logs }))).toMatchObject({ property: 'S-D9' });
  });
});

test('S-D10: a sequence that is there twice', () => {
  const logs = [log([record(0), record(1, { sequence: 0 })])];
  expect(checkIdempotence(history({ logs }))).toMatchObject({ property: 'S-D10' });
  expect(
    checkIdempotence(history({ logs: [log([record(0), record(1, { sequence: 0, producerEpoch: 1 })])] })),
  ).toBeUndefined();
  const plain = { producerId: -1, producerEpoch: -1, sequence: -1 };
  expect(checkIdempotence(history({ logs: [log([record(0, plain), record(1, plain)])] }))).toBeUndefined();
});

describe('S-D11', () => {
  test('a record that nobody sent, or other bytes', () => {
    const logs = [log([record(0, { text: 'p-0=!' })])];
    expect(checkNoInvention(history({ logs }))).toMatchObject({ property: 'S-D11' });
  });

  test('a record in another partition', () => {
    const logs = [log([record(0)], { partition: 1 })];
    expect(checkNoInvention(history({ logs }))).toMatchObject({ property: 'S-D11' });
  });

  test('a hole', () => {
    expect(checkNoInvention(history({ logs: [log([record(0), record(2)])] }))).toMatchObject({ property: 'S-D11' });
  });
});
