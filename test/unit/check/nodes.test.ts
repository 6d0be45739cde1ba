// The checkers of what nodes show: appends, topics. Good histories pass, bad ones do not.
import { describe, expect, test } from 'vitest';
import { AppendHistory } from '../../../src/check/appends.ts';
import { checkTopics } from '../../../src/check/topics.ts';

describe('appends', () => {
  const batch = { topic: 't', partition: 0, baseOffset: 5, leaderEpoch: 2, crc: 77 };

  test('S-M3, D-0.7: two lives that append in one epoch', () => {
    const history = new AppendHistory();
    expect(history.see('b#1', batch)).toBeUndefined();
    expect(history.see('b#2', batch), 'it lies there still').toBeUndefined();
    expect(history.see('b#2', { ...batch, baseOffset: 6, leaderEpoch: 3 })).toBeUndefined();
    expect(history.see('b#2', { ...batch, baseOffset: 7 })).toMatchObject({ property: 'S-M3' });
  });

  test('S-M3: a copy tells nothing of who appended, before or after', () => {
    const history = new AppendHistory();
    expect(history.see(undefined, batch)).toBeUndefined();
    expect(history.see('b#1', batch)).toBeUndefined();
    expect(history.see(undefined, batch)).toBeUndefined();
    expect(history.see('b#2', batch), 'it lies there still').toBeUndefined();
    expect(history.see('b#2', { ...batch, baseOffset: 6 })).toMatchObject({ property: 'S-M3' });
  });

  test('S-D4: a copy that is another batch', () => {
    const history = new AppendHistory();
    history.see('b#1', batch);
    expect(history.see(undefined, { ...batch, crc: 78 })).toMatchObject({ property: 'S-D4' });
    expect(history.see(undefined, { ...batch, crc: 78, leaderEpoch: 3 })).toBeUndefined();
  });

  test('S-D4: two batches at one offset of one epoch', () => {
    const history = new AppendHistory();
    history.see('b#1', batch);
    expect(history.see('b#1', { ...batch, crc: 78 })).toMatchObject({ property: 'S-D4' });
    expect(history.see('b#1', { ...batch, crc: 79, partition: 1 })).toBeUndefined();
  });
});

test('S-M9: topics that are gone, that failed, that nobody asked for', () => {
  const created = { topic: 't', partitions: 2, outcome: 'created', reason: '' } as const;
  expect(checkTopics([created], new Map([['t', 2]]))).toBeUndefined();
  expect(checkTopics([created], new Map())).toMatchObject({ property: 'S-M9' });
  expect(checkTopics([created], new Map([['t', 1]]))).toMatchObject({ property: 'S-M9' });
  expect(checkTopics([{ ...created, outcome: 'failed' }], new Map([['t', 2]]))).toMatchObject({ property: 'S-M9' });
  expect(checkTopics([{ ...created, outcome: 'unknown' }], new Map([['t', 2]]))).toBeUndefined();
  expect(checkTopics([{ ...created, outcome: 'unknown' }], new Map())).toBeUndefined();
  expect(checkTopics([], new Map([['t', 2]]))).toMatchObject({ property: 'S-M9' });
});
