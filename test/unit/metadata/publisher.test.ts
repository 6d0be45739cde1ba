import { expect, it } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord } from '../../../src/metadata/record.ts';
import { LEVEL_1, partitionRecord, record, registration, topicRecord, uuid } from './fixture.ts';

function batch(baseOffset: number, ...records: MetadataRecord[]) {
  const endOffset = baseOffset + Math.max(1, records.length);
  return { baseOffset, endOffset, epoch: 1, records: records.map(encodeRecord) };
}

it('publishes each committed batch with what changed', () => {
  const publisher = new MetadataPublisher();
  const seen: unknown[] = [];
  const end = publisher.subscribe((image, delta, previous) => {
    expect(publisher.image).toBe(image);
    seen.push([previous.endOffset, image.endOffset, [...delta.brokers], [...delta.topics]]);
  });
  publisher.apply(batch(0)); // a control batch
  publisher.apply(batch(1, LEVEL_1, registration(4)));
  publisher.apply(batch(3, topicRecord('a', uuid(1))));
  end();
  publisher.apply(batch(4));
  expect(seen).toEqual([
    [0, 1, [], []],
    [1, 3, [4], []],
    [3, 4, [], [uuid(1)]],
  ]);
});

it('resolves waiters in order once the image shows what they wait for', async () => {
  const publisher = new MetadataPublisher();
  const done: string[] = [];
  const waiting = [
    publisher.whenAt(3).then(() => done.push('3')),
    publisher.whenAt(1).then(() => done.push('1')),
    publisher.whenAt(2).then(() => done.push('2')),
  ];
  await publisher.whenAt(0);
  expect(done).toEqual([]);
  publisher.apply(batch(0));
  await waiting[1];
  expect(done).toEqual(['1']);
  publisher.apply(batch(1, LEVEL_1, registration(1)));
  await Promise.all(waiting);
  expect(done).toEqual(['1', '2', '3']);
});

it('R-9.1: refuses a batch that is not the next', () => {
  const publisher = new MetadataPublisher();
  publisher.apply(batch(0));
  expect(() => publisher.apply(batch(0))).toThrow(AssertionError);
  expect(() => publisher.apply(batch(2))).toThrow(AssertionError);
});

async function* chunks(...of: MetadataRecord[][]): AsyncGenerator<Uint8Array[]> {
  for (const records of of) {
    await Promise.resolve();
    yield records.map(encodeRecord);
  }
}

function setting(topic: string): MetadataRecord {
  return record({
    $case: 'config',
    config: { scope: ConfigScope.TOPIC, entity: topic, key: 'segment.bytes', value: '9' },
  });
}

const SNAPSHOT = { endOffset: 40, epoch: 3 };
const registered = registration(4, { brokerEpoch: 7, fenced: false });

it('R-9.1: starts over from a snapshot: one step from one image to the other, then batches follow', async () => {
  const publisher = new MetadataPublisher();
  publisher.apply(batch(0));
  publisher.apply(batch(1, LEVEL_1, topicRecord('gone', uuid(1))));
  const seen: unknown[] = [];
  publisher.subscribe((image, delta, previous) => {
    seen.push([
      previous.endOffset,
      image.endOffset,
      [...delta.brokers],
      [...delta.topics],
      [...delta.removedTopics.keys()],
    ]);
  });
  const waiting = publisher.whenAt(40);
  const loading = publisher.load(SNAPSHOT, chunks([LEVEL_1, registered], [], [topicRecord('a', uuid(2))]));
  expect([publisher.isLoading, seen]).toEqual([true, []]);
  await loading;
  await waiting;
  expect(publisher.isLoading).toBe(false);
  publisher.apply(batch(40));
  expect(seen).toEqual([
    [3, 40, [4], [uuid(2)], [uuid(1)]],
    [40, 41, [], [], []],
  ]);
  expect(publisher.image).toMatchObject({ epoch: 1, level: 1 });
});

it('R-9.3: nothing is applied or loaded while a snapshot is', async () => {
  const publisher = new MetadataPublisher();
  const loading = publisher.load(SNAPSHOT, chunks([LEVEL_1]));
  expect(() => publisher.apply(batch(0))).toThrow(AssertionError);
  await expect(publisher.load(SNAPSHOT, chunks())).rejects.toThrow(AssertionError);
  await loading;
  expect(publisher.image.endOffset).toBe(40);
});

it('R-10.5, R-10.7: an older snapshot, or records that make no image, change nothing', async () => {
  const publisher = new MetadataPublisher();
  await publisher.load(SNAPSHOT, chunks([LEVEL_1, registered]));
  const before = publisher.image;
  const partition = partitionRecord(uuid(2), 0, [4]);
  const topic = topicRecord('a', uuid(2));
  const bad: [string, ReturnType<typeof chunks>, number][] = [
    ['older', chunks([LEVEL_1]), 39],
    ['without the broker epoch', chunks([LEVEL_1, registration(4)]), 50],
    ['a topic in two places', chunks([LEVEL_1, topic, topicRecord('b', uuid(3)), partition]), 50],
    [
      'configs in two places',
      chunks([LEVEL_1, topic, topicRecord('b', uuid(3)), setting('a'), setting('b'), setting('a')]),
      50,
    ],
    ['cut off in a topic', chunks([LEVEL_1, partition]), 50],
  ];
  for (const [what, records, endOffset] of bad) {
    await expect(publisher.load({ endOffset, epoch: 3 }, records), what).rejects.toThrow(AssertionError);
  }
  expect(publisher.image).toBe(before);
  publisher.apply(batch(40));
});
