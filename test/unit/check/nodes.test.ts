// The checkers of what nodes show: appends, roles, metadata logs, images, topics. Good histories pass, bad ones do not.
import { describe, expect, test } from 'vitest';
import { AppendHistory } from '../../../src/check/appends.ts';
import type { SeenBroker, SeenImage, SeenPartition } from '../../../src/check/metadata.ts';
import { ImageHistory } from '../../../src/check/metadata.ts';
import type { MetadataBatch } from '../../../src/check/quorum.ts';
import { checkMetadataLogs, RoleHistory } from '../../../src/check/quorum.ts';
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

describe('roles', () => {
  test('S-R1: two leaders of an epoch, or one that leads it again after a restart', () => {
    const history = new RoleHistory();
    expect(history.see({ replica: 'a', life: 1, role: 'leader', epoch: 3 })).toBeUndefined();
    expect(history.see({ replica: 'b', life: 1, role: 'follower', epoch: 3 })).toBeUndefined();
    expect(history.see({ replica: 'b', life: 1, role: 'leader', epoch: 3 })).toMatchObject({ property: 'S-R1' });
    expect(history.see({ replica: 'a', life: 2, role: 'leader', epoch: 3 })).toMatchObject({ property: 'S-R1' });
    expect(history.elections).toBe(1);
  });

  test('S-R3: an epoch that goes down', () => {
    const history = new RoleHistory();
    history.see({ replica: 'a', life: 1, role: 'follower', epoch: 3 });
    expect(history.see({ replica: 'a', life: 1, role: 'follower', epoch: 2 })).toMatchObject({ property: 'S-R3' });
    // What it had not made durable, a crash takes away.
    expect(history.see({ replica: 'a', life: 2, role: 'follower', epoch: 1 })).toBeUndefined();
    history.see({ replica: 'a', life: 2, role: 'leader', epoch: 4 });
    expect(history.see({ replica: 'a', life: 3, role: 'follower', epoch: 3 })).toMatchObject({ property: 'S-R3' });
  });
});

describe('metadata logs', () => {
  const batch = (baseOffset: number, epoch: number, digest = ''): MetadataBatch => {
    return { baseOffset, endOffset: baseOffset + 1, epoch, digest: `${epoch}${digest}` };
  };
  const log = (node: string, committedEndOffset: number, ...batches: MetadataBatch[]) => ({
    node,
    committedEndOffset,
    batches,
  });

  test('uncommitted ends may differ', () => {
    const a = log('a', 1, batch(0, 1), batch(1, 1));
    expect(checkMetadataLogs([a, log('b', 2, batch(0, 1), batch(1, 2))])).toBeUndefined();
    expect(checkMetadataLogs([a, log('c', 0)])).toBeUndefined();
  });

  test('S-R6: committed parts that differ', () => {
    const a = log('a', 2, batch(0, 1), batch(1, 1));
    expect(checkMetadataLogs([a, log('b', 2, batch(0, 1), batch(1, 2))])).toMatchObject({ property: 'S-R6' });
    expect(checkMetadataLogs([a, log('b', 2, batch(0, 1), batch(1, 1, 'x'))])).toMatchObject({ property: 'S-R6' });
  });

  test('S-R4: a difference before a batch that both have', () => {
    const a = log('a', 0, batch(0, 1), batch(1, 3));
    expect(checkMetadataLogs([a, log('b', 0, batch(0, 2), batch(1, 3))])).toMatchObject({ property: 'S-R4' });
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
