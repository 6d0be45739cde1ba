// Fetch sessions at the leader (KIP-227): what a follower has to ask, what it is told, and that it costs what has changed.
import { describe, expect, test } from 'vitest';
import { must } from '../../../src/base/assert.ts';
import { ByteReader } from '../../../src/base/bytes.ts';
import type { NodeId } from '../../../src/base/ids.ts';
import { LOST_DIRECTORY } from '../../../src/base/uuid.ts';
import type { BrokerContext, Call } from '../../../src/broker/context.ts';
import { FetchSessions } from '../../../src/broker/fetch-sessions.ts';
import { FramePool } from '../../../src/broker/frame-pool.ts';
import { fetch } from '../../../src/broker/handlers/fetch.ts';
import { OncePerPeer } from '../../../src/broker/once-per-peer.ts';
import { sleep } from '../../../src/env/clock.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { MessageWriter } from '../../../src/protocol/message-writer.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';
import type { Replicas } from '../replica/bench.ts';
import { config, SELF, withReplicas } from '../replica/bench.ts';
import { batchOf, configText, parsed } from './bench.ts';

const T = uuid(50);
const CLUSTER = uuid(999);
const PARTITIONS = 20;
const SIZE = batchOf().length;

type Asked = Partial<Parameters<typeof fetchApi.encodeRequest>[1]>;

interface Leader {
  readonly replicas: Replicas;
  readonly partitions: readonly Partition[];
  readonly context: BrokerContext;
  /** Looks for partitions that sessions have made. */
  readonly looks: () => number;
  readonly epochOf: (brokerId: NodeId) => number;
  /** As broker 2, in its newest registration. */
  readonly ask: (fields: Asked, call?: Call) => Promise<Answer>;
  /** The partitions `from` to 19, at the end of what they have by default. */
  readonly all: (fields?: { fetchOffset?: number }) => NonNullable<Asked['topics']>;
  readonly append: (partition: number, count?: number) => void;
}

interface Answer {
  readonly errorCode: number;
  readonly sessionId: number;
  /** By partition: error, high watermark, bytes of records. */
  readonly told: ReadonlyMap<number, readonly [error: number, highWatermark: number, bytes: number]>;
}

function call(): Call {
  return { apiVersion: 17, clientId: 'follower', peer: 'broker-2:1', listener: 'PLAINTEXT' };
}

function wanted(partition: number, fetchOffset = 0, fields = {}) {
  return {
    partition,
    fetchOffset,
    currentLeaderEpoch: 0,
    lastFetchedEpoch: -1,
    logStartOffset: 0,
    partitionMaxBytes: 1 << 20,
    ...fields,
  };
}

async function leading(body: (leader: Leader) => Promise<void>): Promise<void> {
  await withReplicas(
    async (replicas) => {
      const { env, publisher, manager, commit } = replicas;
      const numbers = Array.from({ length: PARTITIONS }, (_, i) => i);
      commit(topicRecord('t', T), ...numbers.map((partition) => partitionRecord(T, partition, [SELF, 2, 3])));
      await manager.settled();
      const partitions = numbers.map((partition) => manager.findNow(T, partition) as Partition);
      for (const { log } of partitions) await log.warm();
      let looks = 0;
      const fetchSessions = new FetchSessions({
        ...env,
        find: (topicId, partition) => manager.find(topicId, partition),
        findNow: (topicId, partition) => {
          looks += 1;
          return manager.findNow(topicId, partition);
        },
      });
      const context = {
        clusterId: CLUSTER,
        config: parsed(configText()),
        ...env,
        metadata: publisher,
        replicas: manager,
        buffers: new FramePool(1 << 20),
        fetchSessions,
        refusedPeers: new OncePerPeer(),
      } as Partial<BrokerContext> as BrokerContext;
      const epochOf = (brokerId: NodeId) => must(publisher.image.brokers.get(brokerId), 'the broker').brokerEpoch;
      await body({
        replicas,
        partitions,
        context,
        looks: () => looks,
        epochOf,
        all: ({ fetchOffset } = {}) => [
          { topicId: T, partitions: partitions.map(({ log }, i) => wanted(i, fetchOffset ?? log.logEndOffset)) },
        ],
        append: (partition, count = 1) => {
          for (let i = 0; i < count; i++) appendToPartition(must(partitions[partition], 'it'), batchOf(), 1);
        },
        ask: async (fields, from = call()) => {
          const replicaState = { replicaId: 2, replicaEpoch: epochOf(2) };
          const base = { clusterId: CLUSTER, replicaState, maxWaitMs: 500, minBytes: 1, topics: [], sessionEpoch: 0 };
          const writer = new MessageWriter();
          fetchApi.encodeRequest(17, { ...base, ...fields }, writer);
          const request = fetchApi.decodeRequest(17, new ByteReader(Buffer.concat(writer.parts())));
          const { errorCode = 0, sessionId = 0, responses } = await fetch(context, request, from);
          const told = responses.flatMap((topic) =>
            topic.partitions.map(
              (it) => [it.partitionIndex, [it.errorCode, it.highWatermark, it.records?.length ?? 0]] as const,
            ),
          );
          return { errorCode, sessionId, told: new Map(told) };
        },
      });
      fetchSessions.close();
    },
    {
      keys: { 'log.flush.mode': 'async' },
      before: [2, 3].map((id) => registration(id, { fenced: false })),
    },
  );
}

describe('a session', () => {
  test('begins with every partition, and goes on with those that changed', async () => {
    await leading(async ({ ask, all, append }) => {
      append(4);
      const first = await ask({ topics: all() });
      expect(first.sessionId).toBeGreaterThan(0);
      expect([...first.told.keys()]).toHaveLength(PARTITIONS);
      const waiting = ask({ sessionId: first.sessionId, sessionEpoch: 1 });
      append(7, 2);
      const second = await waiting;
      expect(second).toMatchObject({ errorCode: 0, sessionId: first.sessionId });
      expect([...second.told]).toEqual([[7, [0, 0, 2 * SIZE]]]);
      const topics = [{ topicId: T, partitions: [wanted(7, 1)] }];
      const third = await ask({ sessionId: first.sessionId, sessionEpoch: 2, topics });
      expect([...third.told]).toEqual([[7, [0, 0, SIZE]]]);
    });
  });

  test('that is idle looks at no partition, and answers after the wait', async () => {
    await leading(async ({ ask, all, context, replicas, looks, epochOf }) => {
      const { sessionId } = await ask({ topics: all() });
      const before = looks();
      const at = replicas.env.clock.now();
      for (let epoch = 1; epoch <= 3; epoch++) {
        expect((await ask({ sessionId, sessionEpoch: epoch })).told.size).toBe(0);
      }
      expect(replicas.env.clock.now() - at).toBeGreaterThanOrEqual(1500);
      const session = must(context.fetchSessions.find(2, sessionId), 'the session');
      expect([looks() - before, session.size, session.dirty()]).toEqual([0, PARTITIONS, []]);
      expect(session.replica).toEqual({ brokerId: 2, brokerEpoch: epochOf(2) });
    });
  });

  test('says again what the follower did not take, and not what it forgot', async () => {
    await leading(async ({ ask, all, append }) => {
      const { sessionId } = await ask({ topics: all() });
      append(3);
      expect([...(await ask({ sessionId, sessionEpoch: 1 })).told.keys()]).toEqual([3]);
      expect([...(await ask({ sessionId, sessionEpoch: 2 })).told.keys()]).toEqual([3]);
      const forgottenTopicsData = [{ topicId: T, partitions: [3] }];
      expect((await ask({ sessionId, sessionEpoch: 3, forgottenTopicsData })).told.size).toBe(0);
      append(3);
      expect((await ask({ sessionId, sessionEpoch: 4 })).told.size).toBe(0);
    });
  });

  test('tells of a high watermark that moved, with the next records or soon, and once', async () => {
    await leading(async ({ ask, all, append, replicas, epochOf, partitions }) => {
      append(3);
      const { sessionId } = await ask({ topics: all() });
      const third = { replicaId: 3, replicaEpoch: epochOf(3) };
      await ask({ topics: all(), replicaState: third });
      expect(partitions[3]?.highWatermark).toBe(1);
      const at = replicas.env.clock.now();
      expect([...(await ask({ sessionId, sessionEpoch: 1 })).told]).toEqual([[3, [0, 1, 0]]]);
      expect(replicas.env.clock.now() - at).toBeLessThan(100);
      expect((await ask({ sessionId, sessionEpoch: 2 })).told.size).toBe(0);
    });
  });

  test('answers at once where another request waits behind it, or nobody waits any more', async () => {
    await leading(async ({ ask, all, replicas }) => {
      const { sessionId } = await ask({ topics: all() });
      const at = replicas.env.clock.now();
      const from = call();
      const waiting = ask({ sessionId, sessionEpoch: 1, maxWaitMs: 30_000 }, from);
      await sleep(replicas.env.clock, 10);
      from.hurry?.();
      expect((await waiting).told.size).toBe(0);
      expect(replicas.env.clock.now() - at).toBeLessThan(100);
    });
  });

  test('serves all in turn, at least one batch, however small the limit is (behaviour 30)', async () => {
    await leading(async ({ ask, all, append }) => {
      const { sessionId } = await ask({ topics: all() });
      for (const partition of [2, 5, 9]) append(partition, 3);
      const served: number[] = [];
      let topics: Asked['topics'] = [];
      for (let epoch = 1; epoch <= 9; epoch++) {
        const { told } = await ask({ sessionId, sessionEpoch: epoch, maxBytes: 1, topics });
        const [partition, bytes] = [...told].map(([number, [, , size]]) => [number, size] as const)[0] ?? [-1, 0];
        expect([told.size, bytes]).toEqual([1, SIZE]);
        served.push(partition);
        const offset = served.filter((each) => each === partition).length;
        topics = [{ topicId: T, partitions: [wanted(partition, offset, { lastFetchedEpoch: 0 })] }];
      }
      expect(served).toEqual([2, 5, 9, 2, 5, 9, 2, 5, 9]);
    });
  });

  test('counts how far its follower is at once, however little may be sent (D-2.4)', async () => {
    await leading(async ({ ask, all, append, partitions }) => {
      for (let partition = 0; partition < PARTITIONS; partition++) append(partition, 2);
      await ask({ topics: all({ fetchOffset: 1 }), maxBytes: 1 });
      expect(partitions.map(({ leader }) => leader?.followers.get(2)?.logEndOffset)).toEqual(partitions.map(() => 1));
    });
  });

  test('that is over is told so: another one began, its epoch is wrong, or its broker has registered anew', async () => {
    await leading(async ({ ask, all, context, replicas }) => {
      const first = await ask({ topics: all() });
      expect(await ask({ sessionId: first.sessionId, sessionEpoch: 2 })).toMatchObject({ errorCode: 71 });
      const waiting = ask({ sessionId: first.sessionId, sessionEpoch: 1, maxWaitMs: 30_000 });
      const second = await ask({ topics: all() });
      expect(await waiting).toMatchObject({ errorCode: 70, sessionId: 0 });
      expect(await ask({ sessionId: first.sessionId, sessionEpoch: 2 })).toMatchObject({ errorCode: 70 });
      replicas.commit(registration(2, { fenced: false }));
      const { brokerEpoch } = must(replicas.publisher.image.brokers.get(2), 'broker 2');
      context.fetchSessions.registered(2, brokerEpoch);
      expect(await ask({ sessionId: second.sessionId, sessionEpoch: 1 })).toMatchObject({ errorCode: 70 });
    });
  });

  test('tells of a partition that is led no more, and of topics that nobody knows', async () => {
    await leading(async ({ ask, all, replicas, partitions, context }) => {
      const { sessionId } = await ask({ topics: all() });
      const waiting = ask({ sessionId, sessionEpoch: 1, maxWaitMs: 30_000 });
      await sleep(replicas.env.clock, 10);
      await partitions[6]?.retire();
      expect([...(await waiting).told]).toEqual([[6, [6, -1, 0]]]);
      const topics = [{ topicId: uuid(77), partitions: [wanted(0)] }];
      expect([...(await ask({ sessionId, sessionEpoch: 2, topics })).told.values()].map(([error]) => error)).toContain(
        6,
      );
      expect(context.fetchSessions.find(2, sessionId)?.size).toBe(PARTITIONS);
    });
  });
});

describe('what moves while an answer is put together', () => {
  /** Reads of that partition wait until the returned function is called, as a slow disk has it. */
  function holdReads({ log }: Partition): () => void {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const read = log.read.bind(log);
    log.read = async (...args) => {
      await held;
      return read(...args);
    };
    return release;
  }

  test('is told with the next: a high watermark, and a log start (D-9.1)', async () => {
    await leading(async ({ ask, all, append, replicas, epochOf, partitions }) => {
      const [slow, moving] = [must(partitions[9], 'it'), must(partitions[3], 'it')];
      append(3, 2);
      const topics = all();
      const { sessionId } = await ask({ topics });
      const release = holdReads(slow);
      const third = { replicaId: 3, replicaEpoch: epochOf(3) };
      await ask({ topics: [{ topicId: T, partitions: [wanted(3, 1, { lastFetchedEpoch: 0 })] }], replicaState: third });
      expect(moving.highWatermark).toBe(1);
      append(9);
      const waiting = ask({ sessionId, sessionEpoch: 1 });
      await sleep(replicas.env.clock, 100);
      await ask({
        topics: [{ topicId: T, partitions: [wanted(3, 2, { lastFetchedEpoch: 0 })] }],
        replicaState: third,
        maxWaitMs: 0,
      });
      expect(moving.highWatermark).toBe(2);
      release();
      expect((await waiting).told.get(3)?.[1]).toBe(1);
      const next = await ask({
        sessionId,
        sessionEpoch: 2,
        topics: [{ topicId: T, partitions: [wanted(9, 1, { lastFetchedEpoch: 0 })] }],
      });
      expect([...next.told]).toEqual([[3, [0, 2, 0]]]);
    });
  });

  test('ends the wait, if others have come to wait for the answer meanwhile', async () => {
    await leading(async ({ ask, all, append, replicas, partitions }) => {
      const { sessionId } = await ask({ topics: all() });
      const release = holdReads(must(partitions[9], 'it'));
      append(9);
      const from = call();
      const waiting = ask({ sessionId, sessionEpoch: 1, maxWaitMs: 30_000, minBytes: 1 << 20 }, from);
      await sleep(replicas.env.clock, 10);
      const at = replicas.env.clock.now();
      from.hurry?.();
      release();
      await waiting;
      expect(replicas.env.clock.now() - at).toBeLessThan(100);
    });
  });
});

test('a follower whose log was lost is asked how far it is now (D-10.2)', async () => {
  await leading(async ({ ask, all, replicas, partitions }) => {
    const { sessionId } = await ask({ topics: all() });
    const waiting = ask({ sessionId, sessionEpoch: 1, maxWaitMs: 30_000 });
    await sleep(replicas.env.clock, 10);
    const directories = [uuid(61), LOST_DIRECTORY, uuid(63)];
    const change = { topicId: T, partition: 3, isr: { replicas: [SELF, 3] }, directories: { directories } };
    replicas.commit(record({ $case: 'partitionChange', partitionChange: { ...change, cause: 'test' } }));
    expect([...(await waiting).told]).toEqual([[3, [9, -1, 0]]]);
    const topics = [{ topicId: T, partitions: [wanted(3)] }];
    expect([...(await ask({ sessionId, sessionEpoch: 2, topics, maxWaitMs: 0 })).told.keys()]).toEqual([3]);
    expect(partitions[3]?.leader?.followers.get(2)?.logEndOffset).toBe(0);
  });
});

describe('who may fetch as a replica (KIP-903)', () => {
  test('a broker of this cluster in its present registration, and nobody else; told once', async () => {
    await leading(async ({ ask, all, epochOf, replicas, partitions }) => {
      const topics = all();
      const codes = async (fields: Asked) => (await ask({ topics, ...fields })).errorCode;
      const replicaEpoch = epochOf(2);
      for (let i = 0; i < 3; i++) {
        expect(await codes({ replicaState: { replicaId: 2, replicaEpoch: replicaEpoch - 1 } })).toBe(77);
        expect(await codes({ replicaState: { replicaId: 2, replicaEpoch: -1 } })).toBe(77);
        expect(await codes({ replicaState: { replicaId: 2, replicaEpoch: replicaEpoch + 1000 } })).toBe(8);
        expect(await codes({ replicaState: { replicaId: 9, replicaEpoch } })).toBe(42);
        expect(await codes({ replicaState: { replicaId: SELF, replicaEpoch: epochOf(SELF) } })).toBe(42);
        expect(await codes({ clusterId: uuid(1) })).toBe(104);
      }
      expect(partitions[0]?.leader?.followers.size).toBe(0);
      const lines = replicas.world.log.lines().filter(({ event }) => event === 'replica-fetch-refused');
      expect(lines).toHaveLength(6);
    });
  });
});

test('KIP-73: a follower that is out of sync gets so many bytes per second, one in the ISR all at once', async () => {
  await leading(async ({ ask, all, append, replicas, partitions }) => {
    replicas.commit(config(ConfigScope.TOPIC, 't', 'leader.replication.throttled.replicas', '*'));
    replicas.commit(config(ConfigScope.BROKER, String(SELF), 'leader.replication.throttled.rate', '100'));
    await replicas.manager.settled();
    const { sessionId } = await ask({ topics: all() });
    append(3);
    append(4);
    expect((await ask({ sessionId, sessionEpoch: 1 })).told.size).toBe(2);
    const state = { isr: { replicas: [SELF, 3] } };
    for (const index of [3, 4]) {
      const change = { topicId: T, partition: index, ...state, cause: 'test' };
      replicas.commit(record({ $case: 'partitionChange', partitionChange: change }));
    }
    await replicas.manager.settled();
    const at = replicas.env.clock.now();
    const asked = [3, 4].map((index) => wanted(index, 1, { lastFetchedEpoch: 0 }));
    append(3, 2);
    append(4, 2);
    append(5);
    const topics = [{ topicId: T, partitions: asked }];
    expect([...(await ask({ sessionId, sessionEpoch: 2, topics })).told.keys()]).toEqual([5, 3]);
    const rest = await ask({
      sessionId,
      sessionEpoch: 3,
      maxWaitMs: 30_000,
      forgottenTopicsData: [{ topicId: T, partitions: [3, 5] }],
    });
    expect([...rest.told]).toEqual([[4, [0, expect.any(Number), 2 * SIZE]]]);
    expect(replicas.env.clock.now() - at).toBeGreaterThan(500);
    expect(partitions[4]?.leader?.followers.get(2)?.logEndOffset).toBe(1);
  });
});
