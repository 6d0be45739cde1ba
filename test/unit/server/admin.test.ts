// AdminService on whole nodes in a simulated world: writes through any node, failovers in the middle of them (C-9.1), the metadata
// level.
import { describe, expect, test } from 'vitest';
import type { RpcMethod } from '../../../src/env/network.ts';
import { uuid } from '../metadata/fixture.ts';
import { Admin, call, creation, failureOf, formed, newTopic, said } from './admin-calls.ts';
import type { SimCluster } from './sim-cluster.ts';
import { CONTROLLERS } from './sim-cluster.ts';

describe('a write', () => {
  test('through any node is seen at that node when it is answered', async () => {
    const cluster = await formed();
    for (const host of [...CONTROLLERS, 'node']) {
      const names = await cluster.ask(host, async (asking) => {
        await asking.call(Admin.createTopics, creation([newTopic(`by-${host}`)]));
        const { topics } = await asking.call(Admin.listTopics, {});
        return topics.map(({ name }) => name);
      });
      expect(names).toContain(`by-${host}`);
    }
  });

  test('that is marked as passed on is refused by who is not the active controller, with who is', async () => {
    const cluster = await formed();
    const leader = await cluster.leader();
    for (const host of [...CONTROLLERS, 'node'].filter((other) => other !== leader)) {
      const marked = { ...creation([newTopic('a')]), forwarded: true };
      const { status, detail } = await failureOf(call(cluster, host, Admin.createTopics, marked));
      expect([status, detail?.reason, detail?.mayTakeEffect]).toEqual(['FAILED_PRECONDITION', 'NOT_CONTROLLER', false]);
      if (host !== 'node') expect(detail?.controllerId).toBe(Number(leader.slice(1)));
    }
  });

  test('that nobody can commit says why, and whether it may take effect', async () => {
    const cluster = await formed();
    const leader = await cluster.leader();
    const others = CONTROLLERS.filter((host) => host !== leader);
    for (const host of others) cluster.world.process(host).kill();
    await cluster.world.runFor(10_000);
    for (const host of [leader, 'node']) {
      const { status, detail, message } = await failureOf(
        call(cluster, host, Admin.createTopics, creation([newTopic('a')])),
      );
      expect([status, detail]).toEqual([
        'UNAVAILABLE',
        { reason: 'NO_MAJORITY', mayTakeEffect: false, controllerId: -1 },
      ]);
      expect(message).toContain('no active controller');
    }
  });
});

describe('C-9.1c: a failover in the middle of a write', () => {
  /** Calls through the broker, and takes the leader's power `afterMs` later. */
  async function interrupted<Request, Response>(
    cluster: SimCluster,
    method: RpcMethod<Request, Response>,
    request: Request,
    afterMs: number,
  ): Promise<Response> {
    const leader = await cluster.leader();
    const asked = cluster.asking('node', (asking) => asking.call(method, request));
    await cluster.world.runFor(afterMs);
    cluster.world.process(leader).powerCut();
    cluster.nodes.delete(leader);
    await cluster.world.runUntil(() => asked.isDone, 60_000, 'an answer');
    const outcome = asked.value;
    if ('error' in outcome) throw outcome.error;
    return outcome.answer;
  }

  // From before the request arrives to after the answer left.
  const moments = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 12];

  test.each(moments)('%s ms after it began: a topic is created once, and that is the answer', async (afterMs) => {
    const cluster = await formed();
    const { topics } = await interrupted(cluster, Admin.createTopics, creation([newTopic('once')]), afterMs);
    expect(said(topics)).toEqual([undefined]);
    const listed = await call(cluster, 'node', Admin.listTopics, {});
    expect(listed.topics).toMatchObject([{ name: 'once', topicId: topics[0]?.topicId }]);
  });

  test.each(moments)('%s ms after it began: a topic is deleted once, and that is the answer', async (afterMs) => {
    const cluster = await formed();
    await call(cluster, 'node', Admin.createTopics, creation([newTopic('gone')]));
    const request = { topics: [{ name: 'gone', topicId: '' }], validateOnly: false, forwarded: false };
    expect(said((await interrupted(cluster, Admin.deleteTopics, request, afterMs)).topics)).toEqual([undefined]);
    expect((await call(cluster, 'node', Admin.listTopics, {})).topics).toEqual([]);
  });

  const ends = ['power cut', 'cut off', 'mute'] as const;
  const storms = Array.from({ length: 12 }, (_, i) => ({ seed: i + 1, end: ends[i % 3] ?? 'mute' }));

  test.each(storms)('$end, seed $seed: several commands at once, each carried out once', async ({ seed, end }) => {
    const cluster = await formed(seed);
    const leader = await cluster.leader();
    const asked = Array.from({ length: 6 }, (_, i) =>
      cluster.asking('node', (asking) => asking.call(Admin.createTopics, creation([newTopic(`t${i}`)]))),
    );
    await cluster.world.runFor(seed / 2);
    const { network } = cluster.world;
    if (end === 'power cut') cluster.world.process(leader).powerCut();
    else if (end === 'cut off') network.isolate(leader);
    else for (const host of [...CONTROLLERS, 'node']) if (host !== leader) network.cut(leader, host);
    await cluster.world.runUntil(() => asked.every(({ isDone }) => isDone), 60_000, 'all answers');
    const created = asked.flatMap(({ value }) => ('answer' in value ? value.answer.topics : []));
    expect(said(created)).toEqual(asked.map(() => undefined));
    network.heal();
    const listed = await call(cluster, 'node', Admin.listTopics, {});
    expect(listed.topics.map(({ topicId }) => topicId)).toEqual(created.map(({ topicId }) => topicId));
  });

  test('the same command gets the same answer from every node, and one that comes too late gets none', async () => {
    const cluster = await formed();
    const clientId = uuid(5);
    const answers = [];
    for (const host of [...CONTROLLERS, 'node']) {
      answers.push(await call(cluster, host, Admin.createTopics, creation([newTopic('a')], { clientId, sequence: 1 })));
    }
    expect(new Set(answers.map(({ topics }) => topics[0]?.topicId)).size).toBe(1);
    expect(answers.flatMap(({ topics }) => said(topics))).toEqual([undefined, undefined, undefined, undefined]);
    await call(cluster, 'node', Admin.createTopics, creation([newTopic('b')], { clientId, sequence: 2 }));
    const late = await failureOf(
      call(cluster, 'node', Admin.createTopics, creation([newTopic('a')], { clientId, sequence: 1 })),
    );
    expect([late.status, late.detail]).toEqual([
      'ABORTED',
      { reason: 'STALE_COMMAND', mayTakeEffect: false, controllerId: -1 },
    ]);
  });
});

describe('the metadata level', () => {
  test('is described with what every broker and controller can follow, and who does not say', async () => {
    const cluster = await formed();
    const known = { unknownReason: '', minMetadataLevel: 1, maxMetadataLevel: 3 };
    for (const host of ['c1', 'node']) {
      expect(await call(cluster, host, Admin.describeFeatures, {})).toMatchObject({
        metadataLevel: 3,
        minMetadataLevel: 1,
        maxMetadataLevel: 3,
        nodes: [
          { nodeId: 9, role: 'broker', ...known },
          { nodeId: 1, role: 'controller', ...known },
          { nodeId: 2, role: 'controller', ...known },
          { nodeId: 3, role: 'controller', ...known },
        ],
      });
    }
    const leader = await cluster.leader();
    const [gone] = CONTROLLERS.filter((host) => host !== leader) as [string];
    cluster.world.process(gone).kill();
    const { nodes } = await call(cluster, 'node', Admin.describeFeatures, {});
    expect(nodes.find(({ role, nodeId }) => role === 'controller' && nodeId === Number(gone.slice(1)))).toMatchObject({
      minMetadataLevel: -1,
      maxMetadataLevel: -1,
      unknownReason: expect.stringContaining(`no answer at ${gone}:9093`),
    });
  });

  test('is raised through any node, as far as all can follow', async () => {
    const cluster = await formed();
    for (const metadataLevel of [0, 3]) {
      const request = { metadataLevel, validateOnly: false, forwarded: false };
      expect(await call(cluster, 'node', Admin.updateFeatures, request)).toMatchObject({
        error: undefined,
        metadataLevel: 3,
      });
    }
    for (const [metadataLevel, name] of [
      [1, 'INVALID_UPDATE_VERSION'],
      [4, 'INVALID_UPDATE_VERSION'],
      [-1, 'INVALID_REQUEST'],
    ] as const) {
      const request = { metadataLevel, validateOnly: false, forwarded: false };
      const answer = await call(cluster, 'c1', Admin.updateFeatures, request);
      expect(answer).toMatchObject({ error: { name }, metadataLevel: 3 });
    }
  });
});
