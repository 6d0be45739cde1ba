// The checkers of what nodes show: appends, images, topics. Good histories pass, bad ones do not.
import { describe, expect, test } from 'vitest';
import { AppendHistory } from '../../../src/check/appends.ts';
import type { SeenBroker, SeenImage, SeenPartition } from '../../../src/check/metadata.ts';
import { ImageHistory } from '../../../src/check/metadata.ts';
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

  test('S-D4: two batches at one offset of one epoch', () => {
    const history = new AppendHistory();
    history.see('b#1', batch);
    expect(history.see('b#1', { ...batch, crc: 78 })).toMatchObject({ property: 'S-D4' });
    expect(history.see('b#1', { ...batch, crc: 79, partition: 1 })).toBeUndefined();
  });
});

describe('images', () => {
  const broker: SeenBroker = { brokerId: 4, brokerEpoch: 1, incarnationId: 'i', isActive: true };
  const partition: SeenPartition = {
    ...{ topic: 't', topicId: 'id', partition: 0, replicas: [4, 5], isr: [4] },
    ...{ leader: 4, leaderEpoch: 1, partitionEpoch: 1 },
  };
  const image = (endOffset: number, change: Partial<SeenImage> = {}): SeenImage => {
    return { endOffset, digest: String(endOffset), brokers: [broker], partitions: [partition], ...change };
  };
  /** The property that the second image breaks, after a good first one. */
  const broken = (change: Partial<SeenImage>): string | undefined => {
    const history = new ImageHistory();
    expect(history.see('a', image(10))).toBeUndefined();
    return history.see('a', image(11, change))?.property;
  };
  const withPartition = (change: Partial<SeenPartition>) => broken({ partitions: [{ ...partition, ...change }] });

  test('a good one passes', () => {
    expect(broken({})).toBeUndefined();
    expect(withPartition({ leader: -1, leaderEpoch: 2, partitionEpoch: 2 })).toBeUndefined();
  });

  test('S-M8: two images at one offset, a batch end that the others do not have, a topic id used again', () => {
    const history = new ImageHistory();
    history.see('a', image(10));
    history.see('a', image(12));
    expect(history.see('b', image(10))).toBeUndefined();
    expect(history.see('b', image(11))).toMatchObject({ property: 'S-M8' });
    expect(history.see('b', image(12, { digest: 'x' }))).toMatchObject({ property: 'S-M8' });
    expect(withPartition({ topic: 'u' })).toBe('S-M8');
  });

  test('S-M1: epochs', () => {
    expect(withPartition({ leaderEpoch: 0 })).toBe('S-M1');
    expect(withPartition({ partitionEpoch: 0 })).toBe('S-M1');
    expect(withPartition({ leader: -1, partitionEpoch: 2 })).toBe('S-M1');
    expect(withPartition({ leaderEpoch: 2 })).toBe('S-M1');
  });

  test('S-M2: leader and ISR', () => {
    expect(withPartition({ leader: 5, leaderEpoch: 2, partitionEpoch: 2 })).toBe('S-M2');
    expect(withPartition({ leader: -1, leaderEpoch: 2, partitionEpoch: 2, isr: [] })).toBe('S-M2');
    expect(withPartition({ partitionEpoch: 2, isr: [4, 6] })).toBe('S-M2');
  });

  test('S-M6: a fenced broker leads nothing and is in no ISR with others', () => {
    expect(broken({ brokers: [{ ...broker, isActive: false }] })).toBe('S-M6');
    expect(withPartition({ partitionEpoch: 2, isr: [4, 5] })).toBe('S-M6');
  });

  test('S-M7: broker epochs', () => {
    expect(broken({ brokers: [{ ...broker, brokerEpoch: 0 }] })).toBe('S-M7');
    expect(broken({ brokers: [{ ...broker, incarnationId: 'j' }] })).toBe('S-M7');
    expect(broken({ brokers: [broker, { ...broker, brokerId: 5 }] })).toBe('S-M7');
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
