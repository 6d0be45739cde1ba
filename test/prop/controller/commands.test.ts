// Random commands to the decisions of the controller: after every batch the properties of safety.md 6.2 hold.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRODUCER_ID_BLOCK_SIZE } from '../../../src/controller/decide/producer-ids.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import { partitionOf } from '../../../src/metadata/image.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { awaitedBy, lossesOf, lostRange } from '../../../src/metadata/losses.ts';
import { decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import { after, clusterOf, partitionRecord, topicRecord, uuid } from '../../unit/metadata/fixture.ts';
import { checkElected } from './invariants.ts';
import { World } from './world.ts';
import { commands } from './world-commands.ts';

describe('random commands', () => {
  it.each([1, 2, 3])('S-M1, S-M2, S-M4 to S-M8, S-D8 hold after every batch at metadata level %i', (level) => {
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
        world.checkSnapshot();
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

  it('S-D8 c: when every live replica has said what it had, nothing is awaited, and what is lost is all of it together', () => {
    const live = fc.array(fc.record({ fromOffset: fc.nat(50), length: fc.nat(9) }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(commands, live, (steps, says) => {
        const world = new World();
        for (const step of steps) world.run(step);
        for (const [topicId, partitions] of world.image.losses) {
          for (const partition of partitions.keys()) reportAll(world, topicId, partition, says);
        }
      }),
      { numRuns: 200, seed: 20_261_125 },
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
      for (const [what, times] of world.ledger.counts)
        seen.set(`ledger: ${what}`, (seen.get(`ledger: ${what}`) ?? 0) + times);
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
      'ledger: complete',
      'ledger: election',
      'ledger: gone',
      'ledger: of its own',
      'loss reported',
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

/** Each says it of the present leader epoch, and again, as an answer may be lost. */
function reportAll(
  world: World,
  topicId: string,
  partition: number,
  says: readonly { readonly fromOffset: number; readonly length: number }[],
): void {
  const before = lossesOf(world.image, topicId, partition);
  const waiting = [...new Set(before.flatMap(({ awaited }) => awaited))];
  const { leaderEpoch } = partitionOf(world.image, topicId, partition) ?? { leaderEpoch: -1 };
  const ranges = new Map(waiting.map((id, i) => [id, says[i] ?? { fromOffset: 0, length: 0 }]));
  for (const id of [...waiting, ...waiting]) {
    const { fromOffset, length } = ranges.get(id) ?? { fromOffset: 0, length: 0 };
    const offsets = { fromOffset, toOffset: fromOffset + length, highWatermark: fromOffset };
    const kind = LossKind.CUT;
    expect(awaitedBy(world.image, topicId, partition, id).length > 0 || ranges.has(id)).toBe(true);
    const loss = { topicId, partition, brokerId: id, leaderEpoch, kind, reason: '' };
    expect(world.report({ ...loss, ...offsets })).toBeUndefined();
    expect(world.report({ ...loss, ...offsets, toOffset: fromOffset })).toBeUndefined();
  }
  const after = lossesOf(world.image, topicId, partition);
  expect(after.flatMap(({ awaited }) => awaited)).toEqual([]);
  for (const [i, { awaited, ...entry }] of before.entries()) {
    const own = awaited.map((id) => {
      const { fromOffset, length } = ranges.get(id) ?? { fromOffset: 0, length: 0 };
      return { firstOffset: fromOffset, endOffset: fromOffset + length };
    });
    const all = [lostRange({ replicas: entry.replicas }), ...own].filter(
      (range) => range.firstOffset < range.endOffset,
    );
    const should = {
      firstOffset: all.length === 0 ? 0 : Math.min(...all.map(({ firstOffset }) => firstOffset)),
      endOffset: Math.max(0, ...all.map(({ endOffset }) => endOffset)),
    };
    expect(lostRange(after[i] ?? { replicas: [] })).toEqual(should);
  }
}

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
