import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRODUCER_ID_BLOCK_SIZE } from '../../../src/controller/decide/producer-ids.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import {
  after,
  clusterOf,
  partitionRecord,
  record,
  registration,
  topicRecord,
  uuid,
} from '../../unit/metadata/fixture.ts';
import { History } from './invariants.ts';
import { commands, World } from './model.ts';

describe('random commands', () => {
  it('S-M1, S-M2, S-M5 to S-M8 hold after every batch', () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const world = new World();
        for (const step of steps) world.run(step);
        expect(world.blocks).toEqual(world.blocks.map((_, i) => i * PRODUCER_ID_BLOCK_SIZE)); // C-9.3
      }),
      { numRuns: 400, seed: 20_261_121 },
    );
  });

  it('S-M8: an image is the fold of the log, and of its own records through their bytes', () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const world = new World();
        for (const step of steps) world.run(step);
        const records = imageToRecords(world.image);
        expect(imageToRecords(world.fold())).toEqual(records);
        const bytes = decodeRecords(records.map(encodeRecord), 0);
        const again = imageFromRecords(bytes, world.image.endOffset, world.image.epoch);
        expect(imageToRecords(again)).toEqual(records);
        expect(again.topicIds.toObject()).toEqual(world.image.topicIds.toObject());
        expect(again.endOffset).toBe(world.image.endOffset);
      }),
      { numRuns: 100, seed: 20_261_122 },
    );
  });

  it('reach what they are meant to test', () => {
    const seen = new Set<string>();
    for (const steps of fc.sample(commands, { numRuns: 100, seed: 5 })) {
      const world = new World();
      for (const step of steps) world.run(step);
      for (const { isr, leader, leaderEpoch, replicas } of [...world.image.topics.values()].flatMap((t) => [
        ...t.partitions,
      ])) {
        if (leader === -1) seen.add('leaderless');
        if (leader !== -1 && leaderEpoch > 1) seen.add('elected again');
        if (isr.length < replicas.length) seen.add('shrunk');
        if (leader !== -1 && leader !== replicas[0]) seen.add('moved');
      }
      for (const { fenced, inControlledShutdown } of world.image.brokers.values()) {
        seen.add(`${fenced ? 'fenced' : 'unfenced'}${inControlledShutdown ? ' leaving' : ''}`);
      }
    }
    expect([...seen].sort()).toEqual([
      'elected again',
      'fenced',
      'fenced leaving',
      'leaderless',
      'moved',
      'shrunk',
      'unfenced',
      'unfenced leaving',
    ]);
  });
});

describe('the checker refuses', () => {
  const T = uuid(1);
  const base = after(clusterOf(1, 2), topicRecord('a', T), partitionRecord(T, 0, [1, 2]));
  const fenced = (id: number) => ({
    brokerId: id,
    brokerEpoch: base.brokers.get(id)?.brokerEpoch ?? -1,
    fenced: true,
    cause: '',
  });
  const change = (leader: number | undefined, isr: number[]) =>
    record({
      $case: 'partitionChange',
      partitionChange: { topicId: T, partition: 0, leader, isr: { replicas: isr }, cause: '' },
    });
  const fence = (id: number) => record({ $case: 'brokerChange', brokerChange: fenced(id) });
  const bad: [string, ReturnType<typeof record>[]][] = [
    ['S-M6', [fence(1)]],
    ['S-M6', [fence(2)]],
    ['S-M5', [topicRecord('b', uuid(2)), registration(3), partitionRecord(uuid(2), 0, [3])]],
    ['L-M1', [change(-1, [1, 2])]],
    ['S-M7', [registration(4, { brokerEpoch: 500 })]],
  ];
  it.each(bad)('a breach of %s', (property, records) => {
    const broken = new History().check({ before: base, records, after: after(base, ...records) });
    expect(broken).toMatch(new RegExp(`^${property}`));
  });

  it('a leader that moves without a new epoch, an epoch that moves alone, a topic id used again', () => {
    const moved = after(base, change(2, [1, 2]));
    expect(new History().check({ before: base, records: [], after: moved })).toMatch(/^S-M1/);
    const twice = new History();
    const records = [topicRecord('b', uuid(2))];
    const step = { before: base, records, after: after(base, ...records) };
    expect(twice.check(step)).toBeUndefined();
    expect(twice.check(step)).toMatch(/^S-M8/);
  });
});
