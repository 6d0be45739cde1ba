// One fetcher against a peer that the test plays, frame by frame: connections, sessions, and a peer that makes no sense.
import { expect, test } from 'vitest';
import { must } from '../../../src/base/assert.ts';
import type { NodeId } from '../../../src/base/ids.ts';
import { FrameSplitter } from '../../../src/client/frame-splitter.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import type { ByteStream, StreamHandler } from '../../../src/env/network.ts';
import type { AnyApi, ResponseInput } from '../../../src/protocol/api.ts';
import { apiVersionsApi } from '../../../src/protocol/apis/api-versions.ts';
import type { FetchRequest } from '../../../src/protocol/apis/fetch.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { listOffsetsApi } from '../../../src/protocol/apis/list-offsets.ts';
import { decodeRequestFrame, encodeResponseFrame } from '../../../src/protocol/frame.ts';
import type { LeaderAddress } from '../../../src/replica/fetcher.ts';
import { Fetcher } from '../../../src/replica/fetcher.ts';
import type { FetchPosition, Following } from '../../../src/replica/following.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';
import { NO_POOL } from './bench.ts';

const T = uuid(50);
type Answer = ResponseInput<typeof fetchApi>;

/** What the peer was asked, and who answers. */
interface Peer {
  readonly asked: FetchRequest[];
  /** The connections that it took. */
  readonly streams: ByteStream[];
  /** Answers the oldest request that has none. */
  answer(answer: Answer): void;
}

/** A leader at `leader:9092` that answers ApiVersions by itself, and fetches when the test says so. */
async function playLeader(env: Env, greeting?: Buffer): Promise<Peer> {
  const asked: FetchRequest[] = [];
  const streams: ByteStream[] = [];
  const waiting: ((answer: Answer) => void)[] = [];
  await env.network.listen({ host: 'leader', port: 9092 }, (stream): StreamHandler => {
    streams.push(stream);
    if (greeting !== undefined) stream.write([greeting]);
    const splitter = new FrameSplitter(1 << 20);
    const take = (frame: Buffer): void => {
      const { header, reader } = decodeRequestFrame(frame);
      if (header.apiKey === apiVersionsApi.key) {
        const apiKeys = [apiVersionsApi, fetchApi, listOffsetsApi].map(({ key, minVersion, maxVersion }: AnyApi) => {
          return { apiKey: key, minVersion, maxVersion };
        });
        stream.write(
          encodeResponseFrame(apiVersionsApi, header.apiVersion, header.correlationId, { errorCode: 0, apiKeys }),
        );
        return;
      }
      asked.push(fetchApi.decodeRequest(header.apiVersion, reader));
      waiting.push((answer) =>
        stream.write(encodeResponseFrame(fetchApi, header.apiVersion, header.correlationId, answer)),
      );
    };
    return { data: (chunk) => splitter.push(chunk, take), closed: () => {} };
  });
  return { asked, streams, answer: (answer) => must(waiting.shift(), 'a request')(answer) };
}

/** What a fetcher sees of a following. */
class Followed {
  readonly partition: { topicId: string; partition: number };
  position: FetchPosition | undefined;
  readonly taken: number[] = [];

  constructor(partition: number, fetchOffset: number | undefined) {
    this.partition = { topicId: T, partition };
    this.move(fetchOffset);
  }

  move(fetchOffset: number | undefined): void {
    this.position = fetchOffset === undefined ? undefined : at(fetchOffset);
  }

  take(asked: FetchPosition): undefined {
    if (asked === this.position) this.taken.push(asked.fetchOffset);
  }

  get following(): Following {
    return this as unknown as Following;
  }
}

function at(fetchOffset: number): FetchPosition {
  return { fetchOffset, lastFetchedEpoch: 0, currentLeaderEpoch: 0, logStartOffset: 0 };
}

function told(...partitions: number[]): Answer['responses'] {
  const answers = partitions.map((partitionIndex) => ({
    partitionIndex,
    errorCode: 0,
    highWatermark: 0,
    abortedTransactions: null,
    records: null,
  }));
  return partitions.length === 0 ? [] : [{ topicId: T, partitions: answers }];
}

interface Scene {
  readonly world: World;
  readonly env: Env;
  readonly fetcher: Fetcher;
  readonly registered: { leader: LeaderAddress | undefined };
  readonly until: (isSo: () => boolean) => Promise<void>;
  readonly events: () => string[];
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const world = new World({ seed: 5 });
  await world.run('leader', 600_000, async (env) => {
    const registered: Scene['registered'] = { leader: { brokerEpoch: 9, address: { host: 'leader', port: 9092 } } };
    const fetcher = new Fetcher(
      {
        ...env,
        clusterId: uuid(9),
        brokerId: 2,
        limits: { maxWaitMs: 500, minBytes: 1, maxBytes: 1000, partitionMaxBytes: 100, timeoutMs: 2000 },
        backoff: { baseMs: 100, maxMs: 1000 },
        buffers: NO_POOL,
        brokerEpoch: () => 7,
        find: (_: NodeId) => registered.leader,
      },
      1,
    );
    const until = async (isSo: () => boolean): Promise<void> => {
      for (let i = 0; !isSo(); i++) {
        if (i > 20_000) throw new Error('it does not come true');
        await sleep(env.clock, 1);
      }
    };
    await body({ world, env, fetcher, registered, until, events: () => world.log.lines().map(({ event }) => event) });
    fetcher.stop();
  });
}

/** Partition and offset of each that the request names. */
function named(request: FetchRequest | undefined): [number, number][] {
  return (request?.topics ?? []).flatMap((topic) =>
    topic.partitions.map(({ partition, fetchOffset }): [number, number] => [partition, Number(fetchOffset)]),
  );
}

test('asks for all, then for what changed, and forgets what it does not follow any more', async () => {
  await scene(async ({ env, fetcher, until }) => {
    const peer = await playLeader(env);
    const [a, b, c] = [new Followed(0, 5), new Followed(1, 6), new Followed(2, undefined)];
    for (const each of [a, b, c]) fetcher.add(each.following);
    await until(() => peer.asked.length === 1);
    expect(peer.asked[0]).toMatchObject({ sessionId: 0, sessionEpoch: 0, maxWaitMs: 500, clusterId: uuid(9) });
    expect(peer.asked[0]?.replicaState).toEqual({ replicaId: 2, replicaEpoch: 7 });
    expect(named(peer.asked[0])).toEqual([
      [0, 5],
      [1, 6],
    ]);
    peer.answer({ sessionId: 77, responses: told(0, 1) });
    await until(() => peer.asked.length === 2);
    expect([a.taken, b.taken, named(peer.asked[1])]).toEqual([[5], [6], []]);
    fetcher.remove(b.following);
    a.move(8);
    fetcher.moved(a.following);
    // A session that is open: the leader is asked at once, and answers what waited.
    await until(() => peer.asked.length === 3);
    expect(peer.asked[2]).toMatchObject({ sessionId: 77, sessionEpoch: 2 });
    expect(named(peer.asked[2])).toEqual([[0, 8]]);
    expect(peer.asked[2]?.forgottenTopicsData).toMatchObject([{ topicId: T, partitions: [1] }]);
    c.move(1);
    fetcher.moved(c.following);
    await sleep(env.clock, 20);
    expect(peer.asked).toHaveLength(3);
    // D-3.1: the answer to the second request says nothing of what the third asked.
    peer.answer({ sessionId: 77, responses: told(0, 1) });
    await until(() => peer.asked.length === 4);
    expect([a.taken, b.taken, named(peer.asked[3])]).toEqual([[5], [6], [[2, 1]]]);
    peer.answer({ sessionId: 77, responses: told(0) });
    await until(() => a.taken.length === 2);
  });
});

test.each([70, 71])('error %i: the session is lost, and begun anew at once with all', async (errorCode) => {
  await scene(async ({ env, fetcher, until, events }) => {
    const peer = await playLeader(env);
    for (const partition of [0, 1]) fetcher.add(new Followed(partition, 5).following);
    await until(() => peer.asked.length === 1);
    peer.answer({ sessionId: 77, responses: told(0, 1) });
    await until(() => peer.asked.length === 2);
    const before = env.clock.now();
    peer.answer({ errorCode, sessionId: 0, responses: [] });
    await until(() => peer.asked.length === 3);
    expect(env.clock.now() - before).toBeLessThan(50);
    expect([peer.asked[2]?.sessionId, peer.asked[2]?.sessionEpoch, named(peer.asked[2]).length]).toEqual([0, 0, 2]);
    expect([peer.streams.length, events()]).toEqual([1, []]);
  });
});

test('a leader that refuses, or goes away, is asked again later; told once, and once that it is back', async () => {
  await scene(async ({ env, fetcher, until, events }) => {
    const peer = await playLeader(env);
    fetcher.add(new Followed(0, 5).following);
    for (let i = 1; i <= 3; i++) {
      await until(() => peer.asked.length === i);
      const before = env.clock.now();
      peer.answer({ errorCode: 77, sessionId: 0, responses: [] });
      await sleep(env.clock, 10);
      expect([peer.asked.length, env.clock.now() > before]).toEqual([i, true]);
    }
    await until(() => peer.asked.length === 4);
    peer.streams[0]?.close('abort');
    await until(() => peer.asked.length === 5);
    expect([peer.streams.length, peer.asked[4]?.sessionEpoch]).toEqual([2, 0]);
    peer.answer({ sessionId: 77, responses: [] });
    peer.answer({ sessionId: 78, responses: [] });
    await until(() => peer.asked.length === 6);
    expect(events()).toEqual(['leader-unreachable', 'leader-reached']);
  });
});

test('a peer that answers what nobody can read is left alone for a while, and told once', async () => {
  await scene(async ({ env, fetcher, until, events }) => {
    const peer = await playLeader(env, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const followed = new Followed(0, 5);
    fetcher.add(followed.following);
    const startedMs = env.clock.now();
    await until(() => peer.streams.length === 4);
    expect(env.clock.now() - startedMs).toBeGreaterThan(400);
    expect([peer.asked, followed.taken, events()]).toEqual([[], [], ['leader-unreachable']]);
  });
});

test('a leader that has registered anew is connected to anew, where it is then; one that only changed its state is not', async () => {
  await scene(async ({ env, fetcher, registered, until }) => {
    const peer = await playLeader(env);
    fetcher.add(new Followed(0, 5).following);
    await until(() => peer.asked.length === 1);
    fetcher.leaderChanged();
    await sleep(env.clock, 50);
    expect(peer.streams).toHaveLength(1);
    registered.leader = { brokerEpoch: 10, address: { host: 'leader', port: 9092 } };
    fetcher.leaderChanged();
    await until(() => peer.asked.length === 2);
    expect(peer.streams).toHaveLength(2);
    registered.leader = undefined;
    fetcher.leaderChanged();
    await sleep(env.clock, 3000);
    expect(peer.asked).toHaveLength(2);
    registered.leader = { brokerEpoch: 11, address: { host: 'leader', port: 9092 } };
    fetcher.leaderChanged();
    await until(() => peer.asked.length === 3);
  });
});

test('a leader that registers anew while it is connected to is connected to anew', async () => {
  await scene(async ({ env, fetcher, registered, until }) => {
    const peer = await playLeader(env);
    fetcher.add(new Followed(0, 5).following);
    expect(peer.streams).toHaveLength(0);
    registered.leader = { brokerEpoch: 10, address: { host: 'leader', port: 9092 } };
    fetcher.leaderChanged();
    await until(() => peer.asked.length === 1);
    expect(named(peer.asked[0])).toEqual([[0, 5]]);
  });
});

test('a leader that does not answer loses its connection', async () => {
  await scene(async ({ env, fetcher, until }) => {
    const peer = await playLeader(env);
    fetcher.add(new Followed(0, 5).following);
    await until(() => peer.asked.length === 2);
    expect([peer.streams.length, env.clock.now() >= 2500]).toEqual([2, true]);
  });
});
