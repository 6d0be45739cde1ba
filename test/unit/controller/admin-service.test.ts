// AdminService on a controller: what it decides itself, what it passes on, and the typed detail of what fails.
import { describe, expect, test } from 'vitest';
import type { RpcMethod } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { CommandId } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../../src/gen/kvorum/v1/admin.ts';
import { ControllerServiceDefinition } from '../../../src/gen/kvorum/v1/controller.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { encodeRecord, metadataRecord } from '../../../src/metadata/record.ts';
import { LEVEL_1, uuid } from '../metadata/fixture.ts';
import type { Harness } from './harness.ts';
import { CLUSTER_ID, outcome, startHarness } from './harness.ts';

const Admin = AdminServiceDefinition.methods;

function call<Request, Response>(
  harness: Harness,
  method: RpcMethod<Request, Response>,
  request: Request,
  remainingMs?: number,
): Promise<Response> {
  return harness.call(AdminServiceDefinition, method, request, remainingMs);
}

function createTopics(
  harness: Harness,
  fields: { command?: CommandId; forwarded?: boolean } = {},
  remainingMs?: number,
) {
  const request = { topics: [], validateOnly: false, forwarded: false, ...fields };
  return call(harness, Admin.createTopics, request, remainingMs);
}

async function detailOf(promise: Promise<unknown>) {
  const result = await outcome(promise);
  if (result === 'pending' || !('error' in result)) throw new Error('it did not fail');
  expect(result.error).toBeInstanceOf(RpcError);
  const { status, detail } = result.error as RpcError;
  return { status, ...detail };
}

/** Active, at metadata level 1. */
function young(): Harness {
  const harness = startHarness();
  harness.quorum.push([encodeRecord(LEVEL_1)], 1);
  harness.elect();
  return harness;
}

function updateFeatures(harness: Harness, metadataLevel: number) {
  return call(harness, Admin.updateFeatures, { metadataLevel, validateOnly: false, forwarded: false });
}

const PEER = {
  clusterId: CLUSTER_ID,
  replica: { id: 102, directoryId: uuid(10) },
  endpoint: '127.0.0.1:2',
  voters: [],
  minMetadataLevel: 1,
  maxMetadataLevel: 3,
};

describe('UpdateFeatures', () => {
  test('is in force when it is committed, and found in force when it is asked again', async () => {
    const harness = young();
    harness.identities.set('127.0.0.1:2', PEER);
    const raised = updateFeatures(harness, 0);
    expect(await outcome(raised)).toBe('pending');
    expect(harness.publisher.image.level).toBe(1);
    harness.commit();
    expect(await outcome(raised)).toMatchObject({ value: { error: undefined, metadataLevel: 3 } });
    expect(harness.publisher.image.level).toBe(3);
    const end = harness.quorum.endOffset;
    expect(await outcome(updateFeatures(harness, 3))).toMatchObject({ value: { error: undefined, metadataLevel: 3 } });
    expect(harness.quorum.endOffset).toBe(end);
  });

  test.each([
    ['does not answer', undefined, 'no answer at 127.0.0.1:2: nobody there'],
    ['is of another cluster', { ...PEER, clusterId: uuid(5) }, `at 127.0.0.1:2 is a controller of cluster ${uuid(5)}`],
    ['is another node', { ...PEER, replica: { id: 103, directoryId: uuid(10) } }, 'at 127.0.0.1:2 is node 103'],
    [
      'is of a version that does not say',
      { ...PEER, minMetadataLevel: 0, maxMetadataLevel: 0 },
      'controller 102 can follow levels 1 to 1 alone',
    ],
  ])('waits for a voter that %s', async (_, identity, reason) => {
    const harness = young();
    if (identity !== undefined) harness.identities.set('127.0.0.1:2', identity);
    const answer = await outcome(updateFeatures(harness, 2));
    expect(answer).toMatchObject({
      value: { error: { name: 'FEATURE_UPDATE_FAILED', message: expect.stringContaining(reason) }, metadataLevel: 1 },
    });
    harness.commit();
    expect(harness.publisher.image.level).toBe(1);
  });
});

describe('a controller that is not active', () => {
  test('passes a write on, named, once', async () => {
    const harness = startHarness();
    harness.elect();
    harness.commit();
    harness.depose();
    await outcome(createTopics(harness));
    expect(harness.forwarded).toMatchObject([
      { method: 'CreateTopics', request: { forwarded: true, command: { sequence: 1 } } },
    ]);
    expect(await detailOf(createTopics(harness, { forwarded: true }))).toEqual({
      status: 'FAILED_PRECONDITION',
      reason: 'NOT_CONTROLLER',
      mayTakeEffect: false,
      controllerId: 102,
    });
    expect(harness.forwarded).toHaveLength(1);
  });

  test('does not name commands below the level at which names are remembered', async () => {
    const harness = young();
    harness.depose();
    await outcome(createTopics(harness));
    expect(harness.forwarded).toHaveLength(1);
    expect(harness.forwarded[0]?.request).not.toHaveProperty('command');
  });
});

describe('the detail of a failure', () => {
  function active(): Harness {
    const harness = startHarness();
    harness.elect();
    harness.commit();
    return harness;
  }

  const request = { topics: [], validateOnly: false, forwarded: false, command: { clientId: uuid(4), sequence: 3 } };

  test('of who stopped being the active controller: nobody knows', async () => {
    const harness = active();
    const asked = call(harness, Admin.createTopics, request);
    harness.depose();
    expect(await detailOf(asked)).toMatchObject({
      status: 'UNAVAILABLE',
      reason: 'NO_LONGER_CONTROLLER',
      mayTakeEffect: true,
    });
  });

  test('of a deadline: it may still take effect, and the caller has time to hear it', async () => {
    const harness = active();
    const asked = call(harness, Admin.createTopics, request, 1000);
    harness.clock.advance(949);
    expect(await outcome(asked)).toBe('pending');
    harness.clock.advance(1);
    expect(await detailOf(asked)).toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      reason: 'DEADLINE',
      mayTakeEffect: true,
    });
  });

  test('of too many calls: nothing was done', async () => {
    const harness = active();
    harness.quorum.isCongested = true;
    expect(await detailOf(call(harness, Admin.createTopics, request))).toMatchObject({
      status: 'RESOURCE_EXHAUSTED',
      reason: 'TOO_MANY_PENDING',
      mayTakeEffect: false,
    });
  });

  test('of a command that came too late, or is named wrongly: it had no effect', async () => {
    const harness = active();
    void call(harness, Admin.createTopics, request);
    harness.commit();
    const late = { ...request, command: { clientId: uuid(4), sequence: 2 } };
    const refused = detailOf(call(harness, Admin.createTopics, late));
    expect(await refused).toMatchObject({ status: 'ABORTED', reason: 'STALE_COMMAND', mayTakeEffect: false });
    const wrong = { ...request, command: { clientId: 'x', sequence: 2 } };
    expect(await detailOf(call(harness, Admin.createTopics, wrong))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'INVALID_command.client_id',
      mayTakeEffect: false,
    });
  });

  test('of a broker that is not the registered one', async () => {
    const harness = active();
    const { brokerHeartbeat } = ControllerServiceDefinition.methods;
    const asked = harness.call(ControllerServiceDefinition, brokerHeartbeat, {
      brokerId: 4,
      brokerEpoch: 77,
      metadataEndOffset: 0,
      wantFence: false,
      wantShutdown: false,
      offlineLogDirs: [],
    });
    expect(await detailOf(asked)).toMatchObject({
      status: 'ABORTED',
      reason: 'STALE_BROKER_EPOCH',
      mayTakeEffect: false,
    });
  });

  test('of a call with too many items names the field', async () => {
    const harness = active();
    const topics = Array.from({ length: 10_001 }, (_, i) => ({ name: `t${i}`, topicId: '' }));
    const asked = call(harness, Admin.deleteTopics, { topics, validateOnly: false, forwarded: false });
    expect(await detailOf(asked)).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_topics' });
    const many = Array.from({ length: 2001 }, () => undefined).map(() => ({ scope: 0 as const, name: '' }));
    expect(await detailOf(call(harness, Admin.describeConfigs, { resources: many, keys: [] }))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'INVALID_resources',
    });
  });
});

test('C-0.6: what does not fit into one batch is refused, and the controller goes on', async () => {
  const harness = startHarness();
  harness.elect();
  harness.commit();
  const end = harness.quorum.endOffset;
  const value = 'x'.repeat(9 * 1024 * 1024);
  const config = { scope: ConfigScope.BROKER, entity: '', key: 'k', value } as const;
  const records = [metadataRecord({ $case: 'config', config })];
  const context = { peer: 'test', remainingMs: Number.POSITIVE_INFINITY };
  const refused = harness.controller.execute(context, () => ({ records, respond: () => 'done' }));
  expect(await detailOf(refused)).toMatchObject({
    status: 'INVALID_ARGUMENT',
    reason: 'INVALID_SIZE',
    mayTakeEffect: false,
  });
  expect([harness.quorum.endOffset, harness.controller.isActive]).toEqual([end, true]);
});
