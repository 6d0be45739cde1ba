// What is different in the second of two images: in order, and without a look into what they share.
import { describe, expect, it } from 'vitest';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { diffImages } from '../../../src/metadata/diff.ts';
import type { MetadataImage, PartitionState } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { record, registration, uuid } from './fixture.ts';
import { Story } from './story.ts';

function lines(before: MetadataImage, after: MetadataImage): string[] {
  return [...diffImages(before, after)].map(
    ({ subject, before: was, after: is }) => `${subject}: ${was ?? '-'} | ${is ?? '-'}`,
  );
}

function cluster(): Story {
  const story = new Story(2, 4, 5);
  story.createTopic('orders', 1, [4, 5], [5]);
  story.set('orders', 'segment.bytes', '1000');
  return story;
}

describe('the difference of two images', () => {
  it('is nothing where they are equal, shared or not', () => {
    const { image } = cluster();
    expect(lines(image, image)).toEqual([]);
    const copy = imageFromRecords(imageToRecords(image), image.endOffset, image.epoch);
    expect(lines(image, copy)).toEqual([]);
  });

  it('names what changed, as it was and as it is', () => {
    const story = cluster();
    const { image } = story;
    story.fence(4, 'session expired');
    story.set('orders', 'segment.bytes', '2000');
    story.set('orders', 'min.insync.replicas', '2');
    story.add(
      record({
        $case: 'config',
        config: { scope: ConfigScope.BROKER, entity: '', key: 'num.io.threads', value: '3' },
      }),
      record({ $case: 'producerIds', producerIds: { brokerId: 5, brokerEpoch: 3, nextProducerId: 1000 } }),
      record({
        $case: 'command',
        command: { clientId: uuid(50), sequence: 1, method: 'CreateTopics', reply: new Uint8Array(3) },
      }),
    );
    expect(lines(image, story.image)).toEqual([
      'broker 4: state active | state fenced since offset 10: session expired',
      'partition orders-0: leader 4, leader epoch 0, ISR [4,5], ELR [], partition epoch 0 | leader 5, leader epoch 1, ISR [5], ELR [4], partition epoch 1',
      'config all brokers: - | num.io.threads=3',
      'config topic orders: min.insync.replicas not set, segment.bytes=1000 | min.insync.replicas=2, segment.bytes=2000',
      'producer ids: next 0 | next 1000',
      'commands: 0 remembered | 1 remembered, 1 of them new',
    ]);
  });

  it('has all of what came and what went, in the order of ids and names', () => {
    const story = cluster();
    const { image } = story;
    story.add(registration(3, { rack: 'r1' }));
    story.add(record({ $case: 'removeTopic', removeTopic: { topicId: uuid(1) } }));
    story.createTopic('orders', 3, [5]);
    story.createTopic('apples', 4, [5]);
    const texts = lines(image, story.image);
    expect(texts).toEqual([
      `broker 3: - | state fenced since offset 9: registered, broker epoch 9, incarnation ${uuid(103)}, boot counter 1, ` +
        `endpoints [PLAINTEXT://broker-3:9092], rack r1, log dirs online [${uuid(1003)}], metadata levels 1 to 3`,
      `topic apples: - | id ${uuid(4)}, partitions 1`,
      'partition apples-0: - | leader 5, leader epoch 0, replicas [5], ISR [5], partition epoch 0',
      `topic orders: id ${uuid(1)}, partitions 2 | -`,
      'partition orders-0: leader 4, leader epoch 0, replicas [4,5], ISR [4,5], partition epoch 0 | -',
      'partition orders-1: leader 5, leader epoch 0, replicas [5], ISR [5], partition epoch 0 | -',
      `topic orders: - | id ${uuid(3)}, partitions 1`,
      'partition orders-0: - | leader 5, leader epoch 0, replicas [5], ISR [5], partition epoch 0',
      'config topic orders: segment.bytes=1000 | -',
    ]);
    // Backwards it is the same with the sides changed.
    const swapped = lines(story.image, image).map((line) => line.replace(/^([^:]+): (.*) \| (.*)$/, '$1: $3 | $2'));
    expect(swapped.toSorted()).toEqual(texts.toSorted());
  });

  it('from nothing is the whole cluster', () => {
    const { image } = cluster();
    const texts = lines(EMPTY_IMAGE, image);
    expect(texts[0]).toBe('metadata level: - | 2');
    expect(texts.map((text) => text.split(':')[0])).toEqual([
      'metadata level',
      'broker 4',
      'broker 5',
      'topic orders',
      'partition orders-0',
      'partition orders-1',
      'config topic orders',
    ]);
  });

  it('passes over what the images share without a look into it', () => {
    const story = new Story(2, 4, 5);
    story.createTopic('wide', 1, [4, 5], [4, 5], [4]);
    story.createTopic('other', 2, [4]);
    const unseen = new Proxy({} as PartitionState, {
      get: () => {
        throw new Error('looked into what both images share');
      },
    });
    const poisoned = (image: MetadataImage): MetadataImage => {
      const wide = image.topics.get(uuid(1));
      if (wide === undefined) throw new Error('no topic');
      return { ...image, topics: image.topics.set(uuid(1), { ...wide, partitions: wide.partitions.set(2, unseen) }) };
    };
    const before = poisoned(story.image);
    story.setIsr(1, 1, [4]);
    expect(lines(before, poisoned(story.image))).toEqual([
      'partition wide-1: ISR [4,5], partition epoch 0 | ISR [4], partition epoch 1',
    ]);
  });
});
