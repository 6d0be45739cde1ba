// The loss ledger in words: in the history of a partition, in its explanation, and of one replica.
import { describe, expect, it } from 'vitest';
import type { ReplicaLossRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import { diffImages } from '../../../src/metadata/diff.ts';
import { explainPartition } from '../../../src/metadata/explain.ts';
import { TopicHistory } from '../../../src/metadata/history.ts';
import { snapshotRecords } from '../../../src/metadata/image-records.ts';
import { lossKindText, replicaLossText } from '../../../src/metadata/loss-text.ts';
import { partitionOutlook } from '../../../src/server/partition-outlook.ts';
import { record, uuid } from './fixture.ts';
import { Story } from './story.ts';

const T = uuid(1);

function said(brokerId: number, fields: Partial<ReplicaLossRecord>): ReplicaLossRecord {
  const at = { topicId: T, partition: 0, brokerId, leaderEpoch: 3, kind: LossKind.CUT, reason: '' };
  return { ...at, fromOffset: 0, toOffset: 0, highWatermark: -1, ...fields };
}

/** Broker 4 led alone; it goes with its disk in doubt, and 5 is elected in its place. */
function lost(): Story {
  const story = new Story(3, 4, 5, 6);
  story.createTopic('orders', 1, { replicas: [4, 5, 6], isr: [4], leader: 4 });
  story.fence(4, 'session expired', true);
  story.electUncleanly('orders', 0);
  return story;
}

function report(story: Story, loss: ReplicaLossRecord): void {
  story.add(record({ $case: 'replicaLoss', replicaLoss: loss }));
}

describe('what a replica says', () => {
  it.each([
    [{ kind: LossKind.LED, fromOffset: 100, toOffset: 100 }, 'broker 5 led, and went on from offset 100'],
    [
      { kind: LossKind.LED, fromOffset: 100, toOffset: 103, highWatermark: 103 },
      'broker 5 led, and went on from offset 100: it had lost offsets 100 to 102, which it knew to be committed',
    ],
    [{ fromOffset: 100, toOffset: 120 }, 'broker 5 cut offsets 100 to 119'],
    [
      { fromOffset: 100, toOffset: 120, highWatermark: 101 },
      'broker 5 cut offsets 100 to 119, of which it knew offset 100 to be committed',
    ],
    [{ fromOffset: 100, toOffset: 101, highWatermark: 90 }, 'broker 5 cut offset 100'],
    [{ fromOffset: 100, toOffset: 100 }, 'broker 5 had nothing that the leader lacks'],
    [{}, 'broker 5 had an empty log'],
    [
      { kind: LossKind.HOLE, fromOffset: 50, toOffset: 80 },
      'broker 5 dropped its log, which ended at offset 50: the leader has nothing before offset 80 any more',
    ],
    [
      { kind: LossKind.SHORT, fromOffset: 50, toOffset: 80, highWatermark: 80 },
      'broker 5 leads without offsets 50 to 79, of which it knew offsets 50 to 79 to be committed: its disk has lost them',
    ],
    [
      { kind: LossKind.GONE, fromOffset: -1, toOffset: -1, reason: 'it is no replica any more' },
      'broker 5 will not say what it had: it is no replica any more',
    ],
  ])('%o', (fields, text) => {
    expect(replicaLossText(said(5, fields))).toBe(text);
  });

  it('of a kind to come has its number', () => {
    expect([lossKindText(LossKind.CUT), lossKindText(9 as LossKind)]).toEqual(['cut', '9']);
  });
});

describe('the history of a partition', () => {
  it('has what each replica says, and which elections waited for that', () => {
    const story = lost();
    report(story, said(5, { kind: LossKind.LED, fromOffset: 100, toOffset: 100, leaderEpoch: 2 }));
    report(story, said(4, { fromOffset: 100, toOffset: 120, highWatermark: 110, leaderEpoch: 2 }));
    report(story, said(4, { fromOffset: 90, toOffset: 120, highWatermark: 110, leaderEpoch: 2 }));
    report(story, said(4, { fromOffset: 90, toOffset: 90, highWatermark: 110, leaderEpoch: 2 }));
    const history = new TopicHistory('orders', 0);
    const entries = story.batches.flatMap(({ baseOffset, epoch, timestampMs, records }) =>
      records.flatMap((it, i) => history.next(it, { offset: baseOffset + i, epoch, timestampMs }) ?? []),
    );
    expect(entries.slice(-4).map(({ type, change, cause }) => [type, change, cause])).toEqual([
      [
        'replicaLoss',
        'broker 5 led, and went on from offset 100, as asked since the unclean election of leader epoch 2',
        '',
      ],
      ['replicaLoss', 'broker 4 cut offsets 100 to 119, of which it knew offsets 100 to 109 to be committed', ''],
      ['replicaLoss', 'broker 4 cut offsets 90 to 119, of which it knew offsets 90 to 109 to be committed', ''],
      ['replicaLoss', 'broker 4 has nothing more to cut, as asked since the unclean election of leader epoch 2', ''],
    ]);
  });

  it('has the ledger of before where it begins with a snapshot', () => {
    const story = lost();
    report(story, said(4, { fromOffset: 100, toOffset: 120, highWatermark: 110, leaderEpoch: 2 }));
    const history = new TopicHistory('orders', 0);
    [...snapshotRecords(story.image)].forEach((it, position) => history.known(it, position));
    const entries = [...history.stateAtSnapshot({ offset: 20, epoch: 3, timestampMs: -1 })];
    expect(entries.map(({ change, cause }) => [change, cause]).at(-1)).toEqual([
      'broker 5 elected uncleanly, leader epoch 1 → 2, at offset 11: offsets 100 to 119 lost, of which offsets 100 to 109 surely committed; what brokers 4, 5, 6 had is not known yet',
      'asked for by an administrator',
    ]);
    const other = new TopicHistory('orders', 1);
    [...snapshotRecords(story.image)].forEach((it, position) => other.known(it, position));
    expect([...other.stateAtSnapshot({ offset: 20, epoch: 3, timestampMs: -1 })]).toEqual([]);
  });
});

it('the difference of two images has what was said between them, entry by entry', () => {
  const story = lost();
  const before = story.image;
  report(story, said(4, { fromOffset: 100, toOffset: 120, leaderEpoch: 2 }));
  expect([...diffImages(before, story.image)]).toEqual([
    {
      subject: 'losses orders-0',
      before:
        'broker 5 elected uncleanly, leader epoch 1 → 2: nothing is known to be lost; what brokers 4, 5, 6 had is not known yet',
      after:
        'broker 5 elected uncleanly, leader epoch 1 → 2: offsets 100 to 119 lost; what brokers 4, 5, 6 had is not known yet',
    },
  ]);
  report(story, said(6, { leaderEpoch: 1, toOffset: 7 }));
  expect([...diffImages(before, story.image)].at(-1)).toEqual({
    subject: 'losses orders-0',
    before: undefined,
    after: 'a loss in leader epoch 1: offsets 0 to 6 lost',
  });
  expect([...diffImages(story.image, story.image)]).toEqual([]);
});

describe('the explanation of a partition', () => {
  function verdict(story: Story): string {
    const evidence = {
      recordAt: (offset: number) => story.recordAt(offset),
      outlook: partitionOutlook,
    };
    return explainPartition(story.image, { topic: 'orders', partition: 0 }, evidence).verdict;
  }

  it('says what the present leader cost, and what is not known yet', () => {
    const story = lost();
    expect(verdict(story)).toMatch(
      /; loss ledger: broker 5 elected uncleanly, leader epoch 1 → 2: nothing is known to be lost; what brokers 4, 5, 6 had is not known yet \(kvorum partition losses orders-0\)$/,
    );
    for (const id of [5, 6]) report(story, said(id, { fromOffset: 100, toOffset: 100, leaderEpoch: 2 }));
    report(story, said(4, { fromOffset: 100, toOffset: 101, highWatermark: 101, leaderEpoch: 2 }));
    report(story, said(4, { fromOffset: 100, toOffset: 100, leaderEpoch: 2 }));
    expect(verdict(story)).toMatch(
      /leader epoch 1 → 2: offset 100 lost, of which offset 100 surely committed \(kvorum/,
    );
  });

  it('no more once another leads, unless somebody is still waited for', () => {
    const story = lost();
    const recovered = { topicId: T, partition: 0, isr: { replicas: [5, 6] }, recovering: false, cause: 'recovered' };
    story.add(record({ $case: 'partitionChange', partitionChange: recovered }));
    story.fence(5);
    expect(verdict(story)).toContain('loss ledger');
    for (const id of [4, 5, 6]) report(story, said(id, { leaderEpoch: 3 }));
    expect(verdict(story)).not.toContain('loss ledger');
  });
});
