// What is wrong with a request of AdminService is said item by item, with the field's name, and the other items are not touched.
import { expect, test } from 'vitest';
import { ConfigOperation, ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { uuid } from '../metadata/fixture.ts';
import { Admin, call, creation, failureOf, formed, newTopic, said } from './admin-calls.ts';

test('CreateTopics', async () => {
  const cluster = await formed();
  const { topics } = await call(
    cluster,
    'node',
    Admin.createTopics,
    creation([
      newTopic('good'),
      newTopic(''),
      newTopic('a b'),
      newTopic('zero', { partitions: 0 }),
      newTopic('below', { partitions: -2 }),
      newTopic('many', { partitions: 2_000_000_000 }),
      newTopic('rf', { replicationFactor: -3 }),
      newTopic('three', { replicationFactor: 3 }),
      newTopic('config', { configs: { 'segment.bytes': '-1' } }),
      newTopic('key', { configs: { 'segmnt.bytes': '1' } }),
      newTopic('placed', { partitions: -1, assignments: [{ partition: 0, replicas: [77] }] }),
      newTopic('twice'),
      newTopic('twice'),
    ]),
  );
  expect(topics.map(({ name, error }) => [name, error?.name])).toEqual([
    ['good', undefined],
    ['', 'INVALID_TOPIC_EXCEPTION'],
    ['a b', 'INVALID_TOPIC_EXCEPTION'],
    ['zero', 'INVALID_PARTITIONS'],
    ['below', 'INVALID_PARTITIONS'],
    ['many', expect.stringMatching(/INVALID_PARTITIONS|POLICY_VIOLATION/)],
    ['rf', 'INVALID_REPLICATION_FACTOR'],
    ['three', 'INVALID_REPLICATION_FACTOR'],
    ['config', 'INVALID_CONFIG'],
    ['key', 'INVALID_CONFIG'],
    ['placed', 'INVALID_REPLICA_ASSIGNMENT'],
    ['twice', 'INVALID_REQUEST'],
    ['twice', 'INVALID_REQUEST'],
  ]);
  for (const { error } of topics) if (error !== undefined) expect(error.message.length).toBeGreaterThan(20);
  const listed = await call(cluster, 'node', Admin.listTopics, {});
  expect(listed.topics.map(({ name }) => name)).toEqual(['good']);
});

test('CreatePartitions', async () => {
  const cluster = await formed();
  await call(cluster, 'node', Admin.createTopics, creation([newTopic('a'), newTopic('b')]));
  const wanted = [
    { topic: 'a', totalCount: 3, assignments: [] },
    { topic: 'b', totalCount: 1, assignments: [] },
    { topic: '', totalCount: 2, assignments: [] },
    { topic: 'absent', totalCount: -1, assignments: [] },
  ];
  const request = { topics: wanted, validateOnly: false, forwarded: false };
  const { topics } = await call(cluster, 'node', Admin.createPartitions, request);
  expect(topics.map(({ error, totalCount }) => [error?.name, totalCount])).toEqual([
    [undefined, 3],
    ['INVALID_PARTITIONS', -1],
    ['UNKNOWN_TOPIC_OR_PARTITION', -1],
    ['UNKNOWN_TOPIC_OR_PARTITION', -1],
  ]);
  const { topics: found } = await call(cluster, 'node', Admin.describeTopics, {
    topics: [
      { name: 'a', topicId: '' },
      { name: 'b', topicId: '' },
      { name: '', topicId: 'x' },
      { name: 'absent', topicId: '' },
    ],
  });
  expect(found.map(({ partitions, error }) => [partitions.length, error?.name])).toEqual([
    [3, undefined],
    [1, undefined],
    [0, 'UNKNOWN_TOPIC_ID'],
    [0, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ]);
});

test('DeleteTopics', async () => {
  const cluster = await formed();
  await call(cluster, 'node', Admin.createTopics, creation([newTopic('a'), newTopic('b')]));
  const selectors = [
    { name: 'a', topicId: '' },
    { name: 'absent', topicId: '' },
    { name: '', topicId: 'no-id' },
    { name: '', topicId: '' },
  ];
  const request = { topics: selectors, validateOnly: false, forwarded: false };
  const { topics } = await call(cluster, 'node', Admin.deleteTopics, request);
  expect(topics.map(({ error }) => error?.name)).toEqual([
    undefined,
    'UNKNOWN_TOPIC_OR_PARTITION',
    expect.stringMatching(/UNKNOWN_TOPIC_ID|INVALID_REQUEST/),
    expect.stringMatching(/UNKNOWN_TOPIC_ID|INVALID_REQUEST/),
  ]);
  const checked = await call(cluster, 'node', Admin.deleteTopics, {
    topics: [{ name: 'b', topicId: '' }],
    validateOnly: true,
    forwarded: false,
  });
  expect(said(checked.topics)).toEqual([undefined]);
  const listed = await call(cluster, 'node', Admin.listTopics, {});
  expect(listed.topics.map(({ name }) => name)).toEqual(['b']);
});

test('AlterConfigs and DescribeConfigs', async () => {
  const cluster = await formed();
  await call(cluster, 'node', Admin.createTopics, creation([newTopic('a')]));
  const topic = (name: string) => ({ scope: ConfigScope.TOPIC, name });
  const set = (key: string, value: string, operation: ConfigOperation = ConfigOperation.SET) => [
    { key, operation, value },
  ];
  const request = {
    resources: [
      { resource: topic('a'), alterations: set('segment.bytes', '2000000') },
      { resource: topic('absent'), alterations: set('segment.bytes', '2000000') },
      { resource: { scope: ConfigScope.UNSPECIFIED, name: 'a' }, alterations: set('segment.bytes', '2000000') },
      { resource: { scope: ConfigScope.BROKER, name: 'nine' }, alterations: set('num.partitions', '2') },
      { resource: undefined, alterations: [] },
    ],
    validateOnly: false,
    forwarded: false,
  };
  const { resources } = await call(cluster, 'node', Admin.alterConfigs, request);
  expect(resources[0]?.error).toBeUndefined();
  for (const { error } of resources.slice(1)) expect(error?.message.length, error?.name).toBeGreaterThan(20);

  const unknown = await call(cluster, 'node', Admin.alterConfigs, {
    resources: [{ resource: topic('a'), alterations: set('segment.bytes', '3000000', ConfigOperation.UNSPECIFIED) }],
    validateOnly: false,
    forwarded: false,
  });
  expect(unknown.resources[0]?.error?.message).toContain('operation');

  const described = await call(cluster, 'node', Admin.describeConfigs, {
    resources: [topic('a'), topic('absent'), { scope: ConfigScope.UNSPECIFIED, name: '' }],
    keys: ['segment.bytes'],
  });
  expect(described.resources[0]?.entries).toMatchObject([{ key: 'segment.bytes', value: '2000000' }]);
  for (const { error } of described.resources.slice(1)) expect(error?.message.length).toBeGreaterThan(20);
});

test('ElectLeaders and UnregisterBroker', async () => {
  const cluster = await formed();
  await call(cluster, 'node', Admin.createTopics, creation([newTopic('a')]));
  const request = {
    type: ElectionType.PREFERRED,
    partitions: [
      { topic: 'a', partition: 0 },
      { topic: 'a', partition: -1 },
      { topic: '', partition: 0 },
    ],
    validateOnly: false,
    forwarded: false,
  };
  const { partitions } = await call(cluster, 'node', Admin.electLeaders, request);
  expect(partitions.map(({ error }) => error?.name)).toEqual([
    'ELECTION_NOT_NEEDED',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ]);
  const untyped = { ...request, type: ElectionType.UNSPECIFIED };
  const refused = await failureOf(call(cluster, 'node', Admin.electLeaders, untyped));
  expect([refused.status, refused.detail?.mayTakeEffect]).toEqual(['INVALID_ARGUMENT', false]);
  for (const brokerId of [-1, 77, 9]) {
    const { error } = await call(cluster, 'node', Admin.unregisterBroker, { brokerId, forwarded: false });
    expect(error?.message).toContain(`broker ${brokerId}`);
  }
});

test('names of commands', async () => {
  const cluster = await formed();
  for (const [command, field] of [
    [{ clientId: 'me', sequence: 1 }, 'command.client_id'],
    [{ clientId: uuid(3), sequence: 0 }, 'command.sequence'],
    [{ clientId: uuid(3), sequence: -1 }, 'command.sequence'],
  ] as const) {
    const { status, message, detail } = await failureOf(
      call(cluster, 'node', Admin.createTopics, creation([newTopic('a')], command)),
    );
    expect([status, detail?.reason]).toEqual(['INVALID_ARGUMENT', `INVALID_${field}`]);
    expect(message).toContain(field);
  }
  expect((await call(cluster, 'node', Admin.listTopics, {})).topics).toEqual([]);
});
