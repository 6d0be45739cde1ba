// Fetch as clients meet it (behaviours 29-38), ListOffsets (39) and OffsetForLeaderEpoch (40).
import { describe, expect, test } from 'vitest';
import type { RequestInput } from '../../../src/protocol/api.ts';
import { deleteTopicsApi } from '../../../src/protocol/apis/delete-topics.ts';
import type { FetchPartitionData } from '../../../src/protocol/apis/fetch.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { listOffsetsApi } from '../../../src/protocol/apis/list-offsets.ts';
import { offsetForLeaderEpochApi } from '../../../src/protocol/apis/offset-for-leader-epoch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import type { Node } from '../../../src/server/node.ts';
import type { Wire } from './bench.ts';
import { batchOf, withNode } from './bench.ts';

type Fetch = RequestInput<typeof fetchApi>;
type Wanted = Partial<Fetch['topics'][number]['partitions'][number]>;

function wanted(fields: Wanted = {}) {
  return { partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20, ...fields };
}

async function fetchOne(
  wire: Wire,
  fields: Wanted = {},
  request: Partial<Fetch> = {},
  version = 12,
): Promise<FetchPartitionData> {
  const topics = [{ topic: 't', partitions: [wanted(fields)] }];
  const { responses } = await wire.ask(fetchApi, version, { maxWaitMs: 0, minBytes: 1, topics, ...request });
  const partition = responses[0]?.partitions[0];
  if (partition === undefined) throw new Error('no answer for the partition');
  return partition;
}

function epochOf(node: Node): number {
  return node.publisher.image.topics.first()?.partitions.get(0)?.leaderEpoch ?? -1;
}

function offsetsIn(records: Buffer | null): number[] {
  return [...splitBatches(records ?? Buffer.alloc(0))].map(({ baseOffset }) => baseOffset);
}

describe('how long a fetch waits (29)', () => {
  test('until a batch is committed', async () => {
    await withNode(async ({ connectWith, connect, env }) => {
      const wire = await connectWith({ t: {} });
      const other = await connect();
      const asked = env.clock.now();
      const fetch = fetchOne(wire, {}, { maxWaitMs: 30_000 });
      await other.produce('t', batchOf(3));
      expect(await fetch).toMatchObject({ errorCode: 0, highWatermark: 3 });
      expect(env.clock.now() - asked).toBeLessThan(1000);
    });
  });

  test('until max_wait_ms has passed, then it answers with nothing', async () => {
    await withNode(async ({ connectWith, env }) => {
      const wire = await connectWith({ t: {} });
      const asked = env.clock.now();
      const answer = await fetchOne(wire, {}, { maxWaitMs: 700 });
      expect(answer).toMatchObject({ errorCode: 0, highWatermark: 0 });
      expect(answer.records).toHaveLength(0);
      expect(env.clock.now() - asked).toBeGreaterThanOrEqual(700);
    });
  });

  test('until min_bytes have come together over all partitions', async () => {
    await withNode(async ({ connectWith, connect }) => {
      const wire = await connectWith({ t: { partitions: 2 } });
      const other = await connect();
      const size = batchOf().length;
      const topics = [{ topic: 't', partitions: [wanted(), wanted({ partition: 1 })] }];
      let done = false;
      const fetch = wire.ask(fetchApi, 12, { maxWaitMs: 30_000, minBytes: 2 * size, topics }).then((answer) => {
        done = true;
        return answer;
      });
      await other.produce('t', batchOf());
      await other.produce('missing', batchOf());
      expect(done).toBe(false);
      await other.produce('t', batchOf(), { partition: 1 });
      const { responses } = await fetch;
      expect(responses[0]?.partitions.map(({ records }) => records?.length)).toEqual([size, size]);
    });
  });

  test('not at all with an error in any partition, without partitions, or with max_wait_ms below 1', async () => {
    await withNode(async ({ connectWith, env }) => {
      const wire = await connectWith({ t: {} });
      const asked = env.clock.now();
      const long = { maxWaitMs: 50_000, minBytes: 1 };
      const topics = [{ topic: 't', partitions: [wanted(), wanted({ partition: 9 })] }];
      const { responses } = await wire.ask(fetchApi, 12, { ...long, topics });
      expect(responses[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 3]);
      expect((await wire.ask(fetchApi, 12, { ...long, topics: [] })).responses).toEqual([]);
      await fetchOne(wire, {}, { maxWaitMs: -1 });
      expect(env.clock.now() - asked).toBeLessThan(1000);
    });
  });

  test('until its topic is deleted', async () => {
    await withNode(async ({ connectWith, connect, env }) => {
      const wire = await connectWith({ t: {} });
      const asked = env.clock.now();
      const fetch = fetchOne(wire, {}, { maxWaitMs: 50_000 });
      await (await connect()).ask(deleteTopicsApi, 4, { topicNames: ['t'], timeoutMs: 5000 });
      expect([3, 6]).toContain((await fetch).errorCode);
      expect(env.clock.now() - asked).toBeLessThan(1000);
    });
  });
});

describe('what a fetch holds', () => {
  test('the first partition with data gives a whole batch however large, then the limits hold (30)', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: { partitions: 3 } });
      for (let partition = 0; partition < 3; partition++) {
        if (partition !== 0) for (let i = 0; i < 2; i++) await wire.produce('t', batchOf(1, 500), { partition });
      }
      const size = batchOf(1, 500).length;
      const lengths = async (partitionMaxBytes: number, maxBytes: number) => {
        const partitions = [0, 1, 2].map((partition) => wanted({ partition, partitionMaxBytes }));
        const topics = [{ topic: 't', partitions }];
        const { responses } = await wire.ask(fetchApi, 12, { maxWaitMs: 0, minBytes: 1, maxBytes, topics });
        return responses[0]?.partitions.map(({ records }) => (records?.length ?? 0) / size);
      };
      expect(await lengths(1, 1)).toEqual([0, 1, 0]);
      expect(await lengths(1, 1 << 20)).toEqual([0, 1, 0]);
      expect(await lengths(size, 1 << 20)).toEqual([0, 1, 1]);
      expect(await lengths(1 << 20, 3 * size)).toEqual([0, 2, 1]);
      expect(await lengths(2 * size - 1, 1 << 20)).toEqual([0, 1, 1]);
      expect(await lengths(0, 0)).toEqual([0, 1, 0]);
      expect(await lengths(-5, -5)).toEqual([0, 1, 0]);
    });
  });

  test('an offset within a batch gives the whole batch (31)', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      for (let i = 0; i < 3; i++) await wire.produce('t', batchOf(5));
      expect(offsetsIn((await fetchOne(wire, { fetchOffset: 7 })).records)).toEqual([5, 10]);
    });
  });

  test('offsets outside the log are out of range, its end is not; any 64-bit number gets an answer (33)', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      await wire.produce('t', batchOf(5));
      expect(await fetchOne(wire, { fetchOffset: 5 })).toMatchObject({ errorCode: 0, highWatermark: 5 });
      for (const fetchOffset of [6, -1, -(2n ** 63n), 2n ** 63n - 1n]) {
        expect(await fetchOne(wire, { fetchOffset })).toMatchObject({ errorCode: 1 });
      }
    });
  });

  test('nothing above the high watermark, though it is in the log (33)', async () => {
    await withNode(async ({ connectWith, connect, host }) => {
      const wire = await connectWith({ t: {} });
      await wire.produce('t', batchOf(2));
      host.disk.settings.syncLatencyUs = [500_000, 500_000];
      const pending = (await connect()).produce('t', batchOf(2));
      await wire.produce('missing', batchOf());
      for (const fetchOffset of [2, 3, 4]) {
        const answer = await fetchOne(wire, { fetchOffset });
        expect(answer).toMatchObject({ errorCode: 0, highWatermark: 2, lastStableOffset: 2 });
        expect(answer.records).toHaveLength(0);
      }
      expect(await pending).toMatchObject({ errorCode: 0, baseOffset: 2 });
      expect(offsetsIn((await fetchOne(wire, { fetchOffset: 2 })).records)).toEqual([2]);
    });
  });

  test('leader epochs: behind is fenced, ahead is unknown, -1 is not checked (34)', async () => {
    await withNode(async ({ connectWith, connect, restart }) => {
      await connectWith({ t: {} });
      const leaderEpoch = epochOf(await restart());
      expect(leaderEpoch).toBeGreaterThan(0);
      const wire = await connect();
      for (const [currentLeaderEpoch, errorCode] of [
        [-1, 0],
        [leaderEpoch, 0],
        [leaderEpoch - 1, 74],
        [leaderEpoch + 1, 75],
      ]) {
        expect(await fetchOne(wire, { currentLeaderEpoch })).toMatchObject({ errorCode });
      }
    });
  });

  test('a last fetched epoch that ended earlier here is told where (35)', async () => {
    await withNode(async ({ connectWith, connect, node, restart }) => {
      const first = await connectWith({ t: {} });
      await first.produce('t', batchOf(5));
      const [before, after] = [epochOf(node), epochOf(await restart())];
      const wire = await connect();
      await wire.produce('t', batchOf(4));
      for (const [fetchOffset, lastFetchedEpoch] of [
        [3, before],
        [5, before],
        [7, after],
      ] as const) {
        const answer = await fetchOne(wire, { fetchOffset, lastFetchedEpoch });
        expect(answer).toMatchObject({ errorCode: 0, divergingEpoch: { epoch: -1 } });
        expect(answer.records?.length).toBeGreaterThan(0);
      }
      const diverged = await fetchOne(wire, { fetchOffset: 7, lastFetchedEpoch: before }, { maxWaitMs: 50_000 });
      expect(diverged).toMatchObject({ errorCode: 0, divergingEpoch: { epoch: before, endOffset: 5 } });
      expect(diverged.records).toHaveLength(0);
      // D-2.2: an epoch that this log does not know at all.
      expect(await fetchOne(wire, { lastFetchedEpoch: after + 1 })).toMatchObject({ errorCode: 1 });
    });
  });

  test('every answer is full and without a session; an incremental request finds none (36)', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: { partitions: 2 } });
      const topics = [{ topic: 't', partitions: [wanted(), wanted({ partition: 1 })] }];
      const request = { maxWaitMs: 0, minBytes: 1, topics };
      for (const [sessionId, sessionEpoch] of [
        [0, -1],
        [0, 0],
        [77, -1],
      ] as const) {
        const answer = await wire.ask(fetchApi, 12, { ...request, sessionId, sessionEpoch });
        expect(answer).toMatchObject({ errorCode: 0, sessionId: 0 });
        expect(answer.responses[0]?.partitions.map(({ partitionIndex }) => partitionIndex)).toEqual([0, 1]);
      }
      const lost = await wire.ask(fetchApi, 12, { ...request, sessionId: 77, sessionEpoch: 3 });
      expect(lost).toMatchObject({ errorCode: 70, responses: [] });
    });
  });

  test('read_committed gets a list of aborted transactions, read_uncommitted null (37)', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      expect((await fetchOne(wire, {}, { isolationLevel: 1 })).abortedTransactions).toEqual([]);
      expect((await fetchOne(wire, {}, { isolationLevel: 0 })).abortedTransactions).toBeNull();
    });
  });

  test('unknown topic ids are UNKNOWN_TOPIC_ID, as the id of a deleted topic whose name is used again (38)', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      const old = await wire.topicIdOf('t');
      await wire.produce('t', batchOf(4));
      await wire.ask(deleteTopicsApi, 6, { topics: [{ topicId: old }], timeoutMs: 5000 });
      await wire.createTopics({ t: {} });
      const error = async (topicId: string) => {
        const request = { maxWaitMs: 0, minBytes: 1, topics: [{ topicId, partitions: [wanted()] }] };
        return (await wire.ask(fetchApi, 13, request)).responses[0]?.partitions[0]?.errorCode;
      };
      expect(await error(old)).toBe(100);
      expect(await error('AAAAAAAAAAAAAAAAAAAAAA')).toBe(100);
      expect(await error(await wire.topicIdOf('t'))).toBe(0);
      expect(await fetchOne(wire)).toMatchObject({ errorCode: 0, highWatermark: 0 });
    });
  });
});

test('a topic deleted and created again at once starts empty, every time', async () => {
  await withNode(async ({ connectWith, host }) => {
    const wire = await connectWith({ t: {} });
    for (let round = 0; round < 5; round++) {
      expect(await wire.produce('t', batchOf(round + 1))).toMatchObject({ errorCode: 0, baseOffset: 0 });
      host.disk.settings.metadataLatencyUs = [0, 20_000];
      // Not awaited in between: both records may reach the broker at once.
      await Promise.all([
        wire.ask(deleteTopicsApi, 4, { topicNames: ['t'], timeoutMs: 5000 }),
        wire.createTopics({ t: {} }),
      ]);
    }
  });
});

describe('ListOffsets (39)', () => {
  async function list(wire: Wire, timestamp: number | bigint, version = 9, fields: object = {}) {
    const partitions = [{ partitionIndex: 0, timestamp, ...fields }];
    const request = { replicaId: -1, isolationLevel: 0, topics: [{ name: 't', partitions }] };
    const answer = (await wire.ask(listOffsetsApi, version, request)).topics[0]?.partitions[0];
    return [answer?.errorCode, answer?.offset, answer?.timestamp];
  }

  test('special timestamps, times, and versions', async () => {
    await withNode(async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      expect(await list(wire, -1)).toEqual([0, 0, -1]);
      expect(await list(wire, -3)).toEqual([0, -1, -1]);
      for (const timestamp of [100, 300, 200]) await wire.produce('t', batchOf(2, 10, { timestamp }));
      expect(await list(wire, -1)).toEqual([0, 6, -1]);
      expect(await list(wire, -2)).toEqual([0, 0, -1]);
      expect(await list(wire, -3)).toEqual([0, 2, 300]);
      expect(await list(wire, -4)).toEqual([0, 0, -1]);
      expect(await list(wire, -5)).toEqual([0, -1, -1]);
      expect(await list(wire, 0)).toEqual([0, 0, 100]);
      expect(await list(wire, 101)).toEqual([0, 2, 300]);
      expect(await list(wire, 300)).toEqual([0, 2, 300]);
      expect(await list(wire, 301)).toEqual([0, -1, -1]);
      expect(await list(wire, 2n ** 63n - 1n)).toEqual([0, -1, -1]);
      for (const [timestamp, version] of [
        [-3, 6],
        [-4, 7],
        [-5, 8],
        [-6, 9],
        [-(2n ** 63n), 9],
      ] as const) {
        expect(await list(wire, timestamp, version)).toEqual([35, -1, -1]);
      }
      expect(await list(wire, -1, 4, { currentLeaderEpoch: 99 })).toEqual([75, -1, -1]);
      expect(await list(wire, -1, 9, { partitionIndex: 3 })).toEqual([3, -1, -1]);
    });
  });

  test('the end is the high watermark', async () => {
    await withNode(async ({ connectWith, connect, host }) => {
      const wire = await connectWith({ t: {} });
      await wire.produce('t', batchOf(2));
      host.disk.settings.syncLatencyUs = [500_000, 500_000];
      const pending = (await connect()).produce('t', batchOf(2, 10, { timestamp: 5000 }));
      await wire.produce('missing', batchOf());
      expect(await list(wire, -1)).toEqual([0, 2, -1]);
      expect(await list(wire, 5000)).toEqual([0, -1, -1]);
      await pending;
      expect(await list(wire, 5000)).toEqual([0, 2, 5000]);
    });
  });
});

test('OffsetForLeaderEpoch: the end of the largest epoch that is not above, -1 if there is none (40)', async () => {
  await withNode(async ({ connectWith, connect, node, restart }) => {
    await (await connectWith({ t: {} })).produce('t', batchOf(4));
    const [before, after] = [epochOf(node), epochOf(await restart())];
    const wire = await connect();
    expect(await wire.produce('t', batchOf(2))).toMatchObject({ errorCode: 0, baseOffset: 4 });
    const end = async (leaderEpoch: number, currentLeaderEpoch = -1, partition = 0) => {
      const partitions = [{ partition, leaderEpoch, currentLeaderEpoch }];
      const { topics } = await wire.ask(offsetForLeaderEpochApi, 4, { topics: [{ topic: 't', partitions }] });
      const answer = topics[0]?.partitions[0];
      return [answer?.errorCode, answer?.leaderEpoch, answer?.endOffset];
    };
    expect(await end(before)).toEqual([0, before, 4]);
    for (let epoch = before; epoch < after; epoch++) expect(await end(epoch)).toEqual([0, before, 4]);
    expect(await end(after)).toEqual([0, after, 6]);
    expect(await end(-1)).toEqual([0, -1, -1]);
    expect(await end(after + 1)).toEqual([0, -1, -1]);
    expect(await end(after, after)).toEqual([0, after, 6]);
    expect((await end(after, before))[0]).toBe(74);
    expect((await end(after, after + 1))[0]).toBe(75);
    expect((await end(after, -1, 5))[0]).toBe(3);
  });
});
