// gRPC as a tool sees it that was never told about Kvorum: reflection, health, administration.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GrpcTool } from './grpc-tool.ts';
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
    expect(topics).toMatchObject([{ name: 'by-reflection', partitions: 3, replication_factor: 1 }]);
    const described = await tool.call(ADMIN, 'DescribeCluster', {});
    expect(described).toMatchObject({ brokers: [{ broker_id: 4 }, { broker_id: 5 }, { broker_id: 6 }] });
  }
  const refused = await controller.call(ADMIN, 'CreateTopics', {
    topics: [{ name: 'by-reflection', partitions: 1, replication_factor: -1 }],
  });
  expect(refused).toMatchObject({ topics: [{ error: { name: 'TOPIC_ALREADY_EXISTS' } }] });
});
