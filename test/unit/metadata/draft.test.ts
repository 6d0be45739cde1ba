import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { BrokerLoad, MetadataImage } from '../../../src/metadata/image.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from './fixture.ts';

type Step = readonly [kind: 'create' | 'grow' | 'change' | 'remove', topic: number, seed: number];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom('create' as const, 'grow' as const, 'grow' as const, 'change' as const, 'remove' as const),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 0, max: 5 }),
  ),
  { maxLength: 25 },
);

const ORDERS = [[1, 2, 3], [2, 3], [3, 1, 2], [1], [2, 1, 3], [3]];
const name = (topic: number): string => (topic % 2 === 0 ? `t.${topic}` : `t${topic}`);

/** What the step does to the topics that have so many partitions; undefined where it does not fit. */
function recordOf(partitions: Map<number, number>, [kind, topic, seed]: Step): MetadataRecord | undefined {
  const count = partitions.get(topic);
  const replicas = ORDERS[seed] ?? [1];
  if (kind === 'create') {
    if (count !== undefined) return undefined;
    partitions.set(topic, 0);
    return topicRecord(name(topic), uuid(topic));
  }
  if (count === undefined) return undefined;
  if (kind === 'remove') {
    partitions.delete(topic);
    return record({ $case: 'removeTopic', removeTopic: { topicId: uuid(topic) } });
  }
  if (kind === 'grow') {
    partitions.set(topic, count + 1);
    return partitionRecord(uuid(topic), count, [...replicas]);
  }
  if (count === 0) return undefined;
  const isr = replicas.slice(0, seed % 3);
  return record({
    $case: 'partitionChange',
    partitionChange: {
      ...{ topicId: uuid(topic), partition: seed % count, cause: 'test', leader: isr[0] ?? -1 },
      ...{ replicas: { replicas }, isr: { replicas: isr }, directories: { directories: replicas.map(() => uuid(9)) } },
    },
  });
}

function recordsOf(chosen: readonly Step[]): MetadataRecord[] {
  const partitions = new Map<number, number>();
  return chosen.map((step) => recordOf(partitions, step)).filter((made) => made !== undefined);
}

function countedLoads(image: MetadataImage): Map<number, BrokerLoad> {
  const loads = new Map<number, BrokerLoad>();
  for (const { partitions } of image.topics.values()) {
    for (const { replicas, isr, leader } of partitions) {
      for (const id of replicas) {
        const load = loads.get(id) ?? { replicas: 0, preferred: 0, leaders: 0, inSync: 0 };
        loads.set(id, {
          replicas: load.replicas + 1,
          preferred: load.preferred + Number(id === replicas[0]),
          leaders: load.leaders + Number(id === leader),
          inSync: load.inSync + Number(isr.includes(id)),
        });
      }
    }
  }
  return loads;
}

const cluster = after(clusterOf(1, 2, 3), record({ $case: 'metadataLevel', metadataLevel: { level: 2 } }));

test('C-0.4: records have the same effect in one batch, one by one, and out of a snapshot, and no earlier image changes', () => {
  fc.assert(
    fc.property(steps, fc.nat(), (chosen, cut) => {
      const records = recordsOf(chosen);
      let image = cluster;
      const images = records.map((one) => {
        image = after(image, one);
        return { image, shown: imageToRecords(image) };
      });
      const at = records.length === 0 ? 0 : cut % records.length;
      const first = after(cluster, ...records.slice(0, at));
      const shown = imageToRecords(first);
      const second = after(first, ...records.slice(at));
      const loaded = imageFromRecords(imageToRecords(image), image.endOffset, image.epoch);
      for (const same of [second, loaded]) {
        expect(imageToRecords(same)).toEqual(imageToRecords(image));
        expect(same.loads).toEqual(countedLoads(image));
        expect(same.collidingNames.toObject()).toEqual(image.collidingNames.toObject());
      }
      expect(image.loads).toEqual(countedLoads(image));
      expect(imageToRecords(first)).toEqual(shown);
      for (const earlier of images) expect(imageToRecords(earlier.image)).toEqual(earlier.shown);
    }),
  );
});

test('a batch without a topic leaves all topics as they are', () => {
  const image = after(cluster, topicRecord('a', uuid(1)), partitionRecord(uuid(1), 0, [1, 2]));
  const producerIds = { brokerId: 1, brokerEpoch: 1, nextProducerId: 2000 };
  const next = after(image, record({ $case: 'producerIds', producerIds }));
  expect(next.topics).toBe(image.topics);
  expect(next.loads).toBe(image.loads);
});

test('a batch that does not fit leaves nothing behind', () => {
  const image = after(cluster, topicRecord('a', uuid(1)), partitionRecord(uuid(1), 0, [1, 2]));
  const shown = imageToRecords(image);
  const records = [partitionRecord(uuid(1), 1, [1, 2]), partitionRecord(uuid(1), 5, [1, 2])];
  const { endOffset } = image;
  expect(() => replay(image, { baseOffset: endOffset, endOffset: endOffset + 2, epoch: 1, records })).toThrow('a-5');
  expect(imageToRecords(image)).toEqual(shown);
  expect(image.loads).toEqual(countedLoads(image));
});
