import { expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { describeCluster, describeTopics, listTopics } from '../../../src/metadata/describe.ts';
import type { DurabilityPolicy } from '../../../src/metadata/survival.ts';
import { after, clusterOf, partitionRecord, record, registration, topicRecord, uuid } from './fixture.ts';

const image = after(
  clusterOf(2, 1),
  registration(3),
  topicRecord('zebra', uuid(1)),
  partitionRecord(uuid(1), 0, [2]),
  partitionRecord(uuid(1), 1, [1]),
  partitionRecord(uuid(1), 2, [2], { leader: -1, leaderEpoch: 4, partitionEpoch: 5 }),
  topicRecord('ape', uuid(2)),
  partitionRecord(uuid(2), 0, [1]),
  record({
    $case: 'config',
    config: { scope: ConfigScope.TOPIC, entity: 'ape', key: 'segment.bytes', value: '99' },
  }),
);

const POLICY: DurabilityPolicy = {
  minIsrOf: () => 2,
  uncleanCause: () => undefined,
  isSynced: () => true,
  isPowerSafe: () => true,
};

it('lists topics by name', () => {
  expect(listTopics(image)).toEqual({
    topics: [
      { name: 'ape', topicId: uuid(2), partitions: 1, replicationFactor: 1 },
      { name: 'zebra', topicId: uuid(1), partitions: 3, replicationFactor: 1 },
    ],
    metadataEndOffset: image.endOffset,
  });
});

it('describes topics by name or id, one answer per selector', () => {
  const request = {
    topics: [
      { name: 'ape', topicId: '' },
      { name: '', topicId: uuid(1) },
      { name: 'nope', topicId: '' },
      { name: '', topicId: uuid(9) },
    ],
  };
  const { topics } = describeTopics(image, request, POLICY);
  expect(topics.map((it) => [it.name, it.error?.name, it.error?.code, it.configs, it.minInsyncReplicas])).toEqual([
    ['ape', undefined, undefined, { 'segment.bytes': '99' }, 1],
    ['zebra', undefined, undefined, {}, 1],
    ['nope', 'UNKNOWN_TOPIC_OR_PARTITION', 3, {}, -1],
    ['', 'UNKNOWN_TOPIC_ID', 100, {}, -1],
  ]);
  expect(topics[1]?.partitions[2]).toEqual({
    partition: 2,
    leader: -1,
    leaderEpoch: 4,
    partitionEpoch: 5,
    replicas: [2],
    isr: [2],
    elr: [],
    lastKnownLeader: -1,
    recovering: false,
    adding: [],
    removing: [],
    directories: [ZERO_UUID],
    leaderOffset: 7,
  });
  expect(describeTopics(image, { topics: [] }, POLICY).topics.map(({ name }) => name)).toEqual(['ape', 'zebra']);
});

it('describes brokers in order with what they lead and hold', () => {
  const facts = { clusterId: uuid(7), controllerId: 5, controllers: [{ id: 5, address: { host: 'c', port: 1 } }] };
  const cluster = describeCluster(image, facts);
  expect(cluster).toMatchObject({ clusterId: uuid(7), controllerId: 5, metadataLevel: 1 });
  expect(cluster.controllers).toEqual([{ listener: '5', host: 'c', port: 1 }]);
  expect(cluster.brokers.map((b) => [b.brokerId, b.fenced, b.leaderCount, b.replicaCount])).toEqual([
    [1, false, 2, 2],
    [2, false, 1, 2],
    [3, true, 0, 0],
  ]);
});
