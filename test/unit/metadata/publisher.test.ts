import { expect, it } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord } from '../../../src/metadata/record.ts';
import { LEVEL_1, registration, topicRecord, uuid } from './fixture.ts';

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
