// The history of a topic in words, along a story of failures; lives of a name, snapshots, and what concerns others.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../../src/gen/kvorum/v1/admin.ts';
import { TopicHistory } from '../../../src/metadata/history.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { snapshotRecords } from '../../../src/metadata/image-records.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { record, uuid } from './fixture.ts';
import { Story } from './story.ts';

/** From a snapshot of that image on, if one is given. */
function historyOf(story: Story, topic: string, partition = -1, snapshot?: { image: MetadataImage }): HistoryEntry[] {
  const history = new TopicHistory(topic, partition);
  const entries: HistoryEntry[] = [];
  const start = snapshot?.image.endOffset ?? 0;
  if (snapshot !== undefined) {
    [...snapshotRecords(snapshot.image)].forEach((it, position) => history.known(it, position));
    entries.push(...history.stateAtSnapshot({ offset: start - 1, epoch: snapshot.image.epoch, timestampMs: -1 }));
  }
  for (const { baseOffset, epoch, timestampMs, records } of story.batches) {
    if (baseOffset < start) continue;
    records.forEach((it, i) => {
      const entry = history.next(it, { offset: baseOffset + i, epoch, timestampMs });
      if (entry !== undefined) entries.push(entry);
    });
  }
  return entries;
}

function lines(entries: readonly HistoryEntry[]): string[] {
  return entries.map(
    ({ partition, type, change, cause }) => `${partition} ${type}: ${change}${cause && ` (${cause})`}`,
  );
}

function troubled(): Story {
  const story = new Story(2, 4, 5);
  story.createTopic('orders', 1, [4, 5], [5]);
  story.createTopic('others', 2, [4]);
  story.set('orders', 'min.insync.replicas', '2');
  story.fence(4);
  story.unfence(4);
  story.setIsr(1, 0, [4, 5]);
  story.set('orders', 'min.insync.replicas', '1');
  story.set('orders', 'min.insync.replicas', undefined);
  return story;
}

const AFTER_CREATION = [
  '-1 configChanged: min.insync.replicas not set → 2',
  '0 leaderChanged: leader 4 → 5, leader epoch 0 → 1, ISR [4,5] → [5], ELR [] → [4], partition epoch 0 → 1 (broker 4 fenced: session expired)',
  '0 isrChanged: ISR [5] → [4,5], ELR [4] → [], partition epoch 1 → 2 (asked for by the leader)',
  '-1 configChanged: min.insync.replicas=2 → 1',
  '-1 configChanged: min.insync.replicas=1 → not set',
];

describe('the history of a topic', () => {
  it('is every change of it and of its partitions, in order, and of nothing else', () => {
    const story = troubled();
    const entries = historyOf(story, 'orders');
    expect(lines(entries)).toEqual([
      '-1 topicCreated: topic created',
      '0 partitionCreated: leader 4, leader epoch 0, replicas [4,5], ISR [4,5], partition epoch 0',
      '1 partitionCreated: leader 5, leader epoch 0, replicas [5], ISR [5], partition epoch 0',
      ...AFTER_CREATION,
    ]);
    expect(entries[1]).toMatchObject({ offset: 6, epoch: 3, timestampMs: 5000, topic: 'orders', topicId: uuid(1) });
    expect(entries.every(({ topic, topicId }) => topic === 'orders' && topicId === uuid(1))).toBe(true);
  });

  it('is that of one partition where one is named', () => {
    const story = troubled();
    story.add(record({ $case: 'removeTopic', removeTopic: { topicId: uuid(1) } }));
    expect(lines(historyOf(story, 'orders', 1))).toEqual([
      '1 partitionCreated: leader 5, leader epoch 0, replicas [5], ISR [5], partition epoch 0',
      '-1 topicDeleted: topic with 2 partitions deleted',
    ]);
    expect(historyOf(story, 'orders', 2)).toEqual([]);
    expect(historyOf(story, 'nope')).toEqual([]);
  });

  it('is that of all lives of its name', () => {
    const story = troubled();
    story.add(record({ $case: 'removeTopic', removeTopic: { topicId: uuid(1) } }));
    story.createTopic('orders', 3, [5]);
    const entries = historyOf(story, 'orders').slice(-3);
    expect(entries.map(({ type, topicId }) => [type, topicId])).toEqual([
      ['topicDeleted', uuid(1)],
      ['topicCreated', uuid(3)],
      ['partitionCreated', uuid(3)],
    ]);
  });

  it('begins with the state at a snapshot, and goes on as if nothing were missing', () => {
    const story = new Story(2, 4, 5);
    story.createTopic('orders', 1, [4, 5], [5]);
    story.set('orders', 'segment.bytes', '1000');
    const before = new Story(2, 4, 5);
    before.createTopic('orders', 1, [4, 5], [5]);
    before.set('orders', 'segment.bytes', '1000');
    story.fence(4);
    const entries = historyOf(story, 'orders', -1, before);
    expect(lines(entries)).toEqual([
      '-1 stateAtSnapshot: topic with 2 partitions, segment.bytes=1000',
      '0 stateAtSnapshot: leader 4, leader epoch 0, replicas [4,5], ISR [4,5], partition epoch 0',
      '1 stateAtSnapshot: leader 5, leader epoch 0, replicas [5], ISR [5], partition epoch 0',
      '0 leaderChanged: leader 4 → 5, leader epoch 0 → 1, ISR [4,5] → [5], ELR [] → [4], partition epoch 0 → 1 (broker 4 fenced: session expired)',
    ]);
    expect(entries[0]).toMatchObject({ offset: before.image.endOffset - 1, timestampMs: -1, topicId: uuid(1) });
    expect(lines(historyOf(story, 'orders', 1, before)).map((line) => line.split(':')[0])).toEqual([
      '1 stateAtSnapshot',
    ]);
  });

  it('forgets what it knew where the log begins anew', () => {
    const story = troubled();
    const history = new TopicHistory('orders', -1);
    const feed = (): (HistoryEntry | undefined)[] =>
      story.batches.flatMap(({ baseOffset, epoch, timestampMs, records }) =>
        records.map((it, i) => history.next(it, { offset: baseOffset + i, epoch, timestampMs })),
      );
    const first = feed();
    history.reset();
    expect(feed()).toEqual(first);
  });
});

it('C-5.7: an unclean election is an entry of its own, before what it did', () => {
  const story = troubled();
  story.fence(5, 'restarted after a crash', true);
  story.fence(4, 'restarted after a crash', true);
  story.unfence(5);
  story.electUncleanly('orders', 0);
  const entries = historyOf(story, 'orders', 0).slice(-2);
  expect(lines(entries)).toEqual([
    '0 uncleanElection: broker 5 is made leader uncleanly, leader epoch 3 → 4: it may lack records that were acknowledged ' +
      'before; the ISR was [], the ELR [] (asked for by an administrator)',
    '0 leaderChanged: leader none → 5, leader epoch 3 → 4, ISR [] → [5], last known leader 4 → none, recovering no → yes, ' +
      'partition epoch 4 → 5 (unclean election asked for by an administrator)',
  ]);
});

describe('a change is named by what matters most of it', () => {
  const change = (fields: object) =>
    record({ $case: 'partitionChange', partitionChange: { topicId: uuid(1), partition: 0, cause: '', ...fields } });
  const list = (...replicas: number[]) => ({ replicas });

  it.each([
    ['elrChanged', { elr: list(6) }, 'ELR [] → [6]'],
    ['isrChanged', { isr: list(5), elr: list(4) }, 'ISR [4,5] → [5], ELR [] → [4]'],
    ['reassigned', { adding: list(5) }, 'adding [] → [5]'],
    ['reassigned', { removing: list(4), isr: list(5) }, 'ISR [4,5] → [5], removing [] → [4]'],
    ['leaderEpochRaised', { leader: 5 }, 'leader epoch 0 → 1'],
    ['directoriesChanged', { directories: { directories: [7, 8, 9].map(uuid) } }, `→ [${[7, 8, 9].map(uuid).join()}]`],
    ['partitionChanged', {}, 'partition epoch 0 → 1'],
  ])('%s', (type, fields, text) => {
    const story = new Story(2, 4, 5);
    story.createTopic('orders', 1, { replicas: [4, 5, 6], isr: [5], leader: 5, directories: [1, 2, 3].map(uuid) });
    story.setIsr(1, 0, [4, 5]);
    story.add(change(fields));
    const [entry] = historyOf(story, 'orders', 0).slice(-1);
    expect(entry?.type).toBe(type);
    expect(entry?.change).toContain(text.replace('partition epoch 0 → 1', 'partition epoch 1 → 2'));
  });

  it('recovered', () => {
    const story = new Story(2, 4, 5);
    story.createTopic('orders', 1, {
      replicas: [4, 5],
      isr: [4],
      leader: 4,
      recovering: true,
      directories: [uuid(0), uuid(0)],
    });
    story.add(change({ recovering: false }));
    expect(lines(historyOf(story, 'orders', 0)).at(-1)).toBe('0 recovered: recovering yes → no, partition epoch 0 → 1');
  });
});

it('is the same from any snapshot on, whatever happened', () => {
  const event = fc.constantFrom('fence', 'crash', 'unfence', 'set', 'unclean', 'again');
  const happening = fc.record({ event, brokerId: fc.constantFrom(4, 5) });
  fc.assert(
    fc.property(
      fc.array(happening, { maxLength: 15 }),
      fc.nat(40),
      fc.constantFrom(-1, 0),
      (happenings, cut, partition) => {
        const story = new Story(2, 4, 5);
        let id = 1;
        story.createTopic('orders', id, [4, 5], [5]);
        for (const { event: it, brokerId } of happenings) {
          if (it === 'fence') story.fence(brokerId);
          if (it === 'crash') story.fence(brokerId, 'crashed', true);
          if (it === 'unfence') story.unfence(brokerId);
          if (it === 'set') story.set('orders', 'segment.bytes', String(story.image.endOffset + 100));
          if (it === 'unclean' && story.image.topics.get(uuid(id))?.partitions.get(0)?.leader === -1) {
            story.electUncleanly('orders', 0);
          }
          if (it === 'again') {
            story.add(record({ $case: 'removeTopic', removeTopic: { topicId: uuid(id++) } }));
            story.createTopic('orders', id, [4, 5], [5]);
          }
        }
        let image = EMPTY_IMAGE;
        for (const batch of story.batches.slice(0, cut)) ({ image } = replay(image, batch));
        const known = historyOf(story, 'orders', partition, { image });
        const whole = historyOf(story, 'orders', partition);
        expect(known.filter(({ type }) => type !== 'stateAtSnapshot')).toEqual(
          whole.filter(({ offset }) => offset >= image.endOffset),
        );
        for (const { change } of whole) expect(change).not.toMatch(/undefined|^$/);
      },
    ),
  );
});
