// gRPC as a tool sees it that was never told about Kvorum: reflection, health, administration.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallFailure } from '../../src/gen/kvorum/v1/admin.ts';
import type { Message } from './grpc-tool.ts';
import { detailsOf, GrpcTool } from './grpc-tool.ts';
import type { RunningDev } from './kvorum.ts';
import { startDev } from './kvorum.ts';
import { cleanUp } from './processes.ts';

const ADMIN = 'kvorum.v1.AdminService';

let cluster: RunningDev;
let broker: GrpcTool;
let controller: GrpcTool;
const tools: GrpcTool[] = [];

beforeAll(async () => {
  cluster = await startDev();
  broker = new GrpcTool(cluster.grpc[1] ?? '');
  controller = new GrpcTool(cluster.controllers[2] ?? '');
  tools.push(broker, controller);
});
afterAll(async () => {
  for (const tool of tools) tool.close();
  await cleanUp();
});

it('lists its services by reflection', async () => {
  expect(await broker.listServices()).toEqual(expect.arrayContaining([ADMIN]));
  expect(await controller.listServices()).toEqual(
    expect.arrayContaining([ADMIN, 'kvorum.v1.ControllerService', 'kvorum.v1.RaftService']),
  );
});

it('says that it is healthy', async () => {
  for (const tool of [broker, controller]) {
    expect(await tool.health('')).toBe('SERVING');
    expect(await tool.health(ADMIN)).toBe('SERVING');
    await expect(tool.health('no.such.Service')).rejects.toMatchObject({ code: status.NOT_FOUND });
  }
});

it('is administered with what reflection tells, at a broker and at any controller', async () => {
  const created = await broker.call(ADMIN, 'CreateTopics', {
    topics: [{ name: 'by-reflection', partitions: 3, replication_factor: -1 }],
  });
  expect(created).toMatchObject({ topics: [{ name: 'by-reflection', error: null, partitions: 3 }] });
  for (const tool of [broker, controller]) {
    const { topics } = await tool.call(ADMIN, 'ListTopics', {});
    expect(topics).toMatchObject([{ name: 'by-reflection', partitions: 3, replication_factor: 3 }]);
    const described = await tool.call(ADMIN, 'DescribeCluster', {});
    expect(described).toMatchObject({ brokers: [{ broker_id: 4 }, { broker_id: 5 }, { broker_id: 6 }] });
  }
  const refused = await controller.call(ADMIN, 'CreateTopics', {
    topics: [{ name: 'by-reflection', partitions: 1, replication_factor: -1 }],
  });
  expect(refused).toMatchObject({ topics: [{ error: { name: 'TOPIC_ALREADY_EXISTS' } }] });
});

it('administers topics, configs, leaders and levels: one answer per item', async () => {
  const answers = async (tool: GrpcTool, method: string, request: Message): Promise<Message> =>
    tool.call(ADMIN, method, request);
  for (const [i, tool] of [broker, controller].entries()) {
    const name = `administered-${i}`;
    await answers(tool, 'CreateTopics', { topics: [{ name, partitions: 1, replication_factor: 1 }] });
    expect(
      await answers(tool, 'CreatePartitions', {
        topics: [
          { topic: name, total_count: 3 },
          { topic: 'absent', total_count: 3 },
        ],
      }),
    ).toMatchObject({ topics: [{ error: null, total_count: 3 }, { error: { name: 'UNKNOWN_TOPIC_OR_PARTITION' } }] });
    const resource = { scope: 'CONFIG_SCOPE_TOPIC', name };
    const alterations = [{ key: 'retention.ms', operation: 'CONFIG_OPERATION_SET', value: '60000' }];
    expect(await answers(tool, 'AlterConfigs', { resources: [{ resource, alterations }] })).toMatchObject({
      resources: [{ error: null }],
    });
    expect(await answers(tool, 'DescribeConfigs', { resources: [resource], keys: ['retention.ms'] })).toMatchObject({
      resources: [{ entries: [{ key: 'retention.ms', value: '60000', source: 'CONFIG_SOURCE_TOPIC' }] }],
    });
    expect(
      await answers(tool, 'ElectLeaders', {
        type: 'ELECTION_TYPE_PREFERRED',
        partitions: [{ topic: name, partition: 0 }],
      }),
    ).toMatchObject({ partitions: [{ error: { name: 'ELECTION_NOT_NEEDED' } }] });
    expect(await answers(tool, 'DescribeTopics', { topics: [{ name }] })).toMatchObject({
      topics: [{ name, error: null, partitions: [{}, {}, {}], configs: [{ key: 'retention.ms', value: '60000' }] }],
    });
    const features = await answers(tool, 'DescribeFeatures', {});
    expect(features['nodes']).toMatchObject(
      [4, 5, 6, 1, 2, 3].map((node_id) => ({ node_id, unknown_reason: '', max_metadata_level: 3 })),
    );
    expect(await answers(tool, 'UpdateFeatures', { metadata_level: 0 })).toMatchObject({
      error: null,
      metadata_level: 3,
    });
    expect(await answers(tool, 'UnregisterBroker', { broker_id: 99 })).toMatchObject({
      error: { name: 'BROKER_ID_NOT_REGISTERED' },
    });
    expect(await answers(tool, 'ExplainPartition', { topic: name, partition: 0 })).toMatchObject({ error: null });
    expect(await answers(tool, 'DeleteTopics', { topics: [{ name }] })).toMatchObject({ topics: [{ error: null }] });
  }
});

describe('a call that fails says why in a way that programs read', () => {
  async function failure(tool: GrpcTool, method: string, request: Message) {
    const error: unknown = await tool.call(ADMIN, method, request).then(
      () => new Error('it did not fail'),
      (reason: unknown) => reason,
    );
    const { code, details } = detailsOf(error);
    expect((error as { code: number }).code).toBe(code);
    expect(details.map((detail) => detail['type_url'])).toEqual(['type.googleapis.com/kvorum.v1.CallFailure']);
    return { code, ...CallFailure.decode(details[0]?.['value'] as Buffer) };
  }

  const command = { client_id: 'not-a-uuid', sequence: 1 };

  it.each([
    ['CreateTopics', { command }, 'INVALID_command.client_id'],
    ['CreateTopics', { command: { ...command, sequence: '9223372036854775807' } }, 'INVALID_command.sequence'],
    ['DeleteTopics', { topics: Array.from({ length: 10_001 }, () => ({ name: 'a' })) }, 'INVALID_topics'],
  ])('%s: %#', async (method, request, reason) => {
    for (const tool of [broker, controller]) {
      expect(await failure(tool, method, request)).toEqual({
        code: status.INVALID_ARGUMENT,
        reason,
        mayTakeEffect: false,
        controllerId: -1,
      });
    }
  });

  it('a message beyond 64 MiB is refused in a sentence, and the connection goes on', async () => {
    const topics = Array.from({ length: 70 }, () => ({ name: 'x'.repeat(1024 * 1024) }));
    await expect(broker.call(ADMIN, 'DeleteTopics', { topics })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: expect.stringMatching(/larger than max|message larger/i),
    });
    expect(await broker.health('')).toBe('SERVING');
  });
});
