// Random commands to the decisions of the controller: after every batch the properties of safety.md 6.2 hold.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRODUCER_ID_BLOCK_SIZE } from '../../../src/controller/decide/producer-ids.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import { after, clusterOf, partitionRecord, topicRecord, uuid } from '../../unit/metadata/fixture.ts';
import { checkElected } from './invariants.ts';
import { World } from './world.ts';
import { commands } from './world-commands.ts';

describe('random commands', () => {
  it.each([1, 2])('S-M1, S-M2, S-M4 to S-M8 hold after every batch at metadata level %i', (level) => {
    fc.assert(
      fc.property(commands, (steps) => {
        const world = new World(level);
        for (const step of steps) world.run(step);
        expect(world.blocks).toEqual(world.blocks.map((_, i) => i * PRODUCER_ID_BLOCK_SIZE)); // C-9.3
      }),
      { numRuns: 250, seed: 20_261_121 },
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
    const seen = new Map<string, number>();
    const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
    for (const steps of fc.sample(commands, { numRuns: 600, seed: 5 })) {
      const world = new World();
      for (const step of steps) world.run(step);
      for (const { partitions } of world.image.topics.values()) {
        for (const { isr, elr, leader, leaderEpoch, replicas, recovering, lastKnownLeader } of partitions) {
          if (leader === -1) count('leaderless');
          if (leader !== -1 && leaderEpoch > 1) count('elected again');
          if (isr.length < replicas.length) count('shrunk');
          if (elr.length > 0) count('with an ELR');
          if (lastKnownLeader !== -1) count('with a last known leader');
          if (recovering) count('recovering');
          if (leader !== -1 && leader !== replicas[0]) count('moved');
        }
      }
      for (const { fenced, inControlledShutdown } of world.image.brokers.values()) {
        count(`${fenced ? 'fenced' : 'unfenced'}${inControlledShutdown ? ' leaving' : ''}`);
      }
      for (const [what, times] of world.history.counts) seen.set(what, (seen.get(what) ?? 0) + times);
    }
    const rare = [...seen].filter(([, times]) => times < 2);
    expect(rare).toEqual([]);
    expect([...seen.keys()].sort()).toEqual([
      'ISR expanded',
      'batch of partition changes',
      'clean registration',
      'elected again',
      'election from the ELR',
      'fenced',
      'fenced leaving',
      'leaderless',
      'moved',
      'recovering',
      'shrunk',
      'unclean election',
      'unclean election of the last known leader',
      'unclean registration',
      'unfenced',
      'unfenced leaving',
      'with a last known leader',
      'with an ELR',
    ]);
  });
});

describe('the check of leaders refuses', () => {
  const T = uuid(1);
  const base = after(clusterOf(1, 2), topicRecord('a', T));

  it('L-M1: nobody leads, though a member of the ISR, or of the ELR where that is empty, is active', () => {
    const image = (fields: object) =>
      after({ ...base, level: 2 }, partitionRecord(T, 0, [1, 2], { leader: -1, ...fields }));
    expect(checkElected(image({}))).toMatchObject({ property: 'L-M1' });
    expect(checkElected(image({ isr: [], elr: [2] }))).toMatchObject({ property: 'L-M1' });
    expect(checkElected(image({ isr: [], elr: [] }))).toBeUndefined();
    expect(checkElected(image({ leader: 1 }))).toBeUndefined();
  });
});
