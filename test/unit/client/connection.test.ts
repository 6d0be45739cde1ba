import { afterEach, describe, expect, test } from 'vitest';
import { ClientError } from '../../../src/client/client-error.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import { KafkaConnection } from '../../../src/client/connection.ts';
import type { ByteStream, Listener } from '../../../src/env/network.ts';
import { apiVersionsApi } from '../../../src/protocol/apis/api-versions.ts';
import { findCoordinatorApi } from '../../../src/protocol/apis/find-coordinator.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { encodeResponseFrame } from '../../../src/protocol/frame.ts';
import { advertisedVersions } from '../../../src/protocol/registry.ts';
import { network, ScriptedCluster, testDeps } from './scripted-cluster.ts';

const OPTIONS = { clientId: 'test', connectTimeoutMs: 2000, requestTimeoutMs: 2000 };
const deps = testDeps();
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function scripted(...ids: number[]): Promise<ScriptedCluster> {
  const cluster = await new ScriptedCluster().start(...ids);
  cleanups.push(() => cluster.stop());
  return cluster;
}

async function open(address: { host: string; port: number }, onClosed?: () => void): Promise<KafkaConnection> {
  const connection = await KafkaConnection.open(deps, address, OPTIONS, onClosed);
  cleanups.push(() => connection.close());
  return connection;
}

/** A peer that agrees on versions and then does with each request what the test says. */
async function rawPeer(onRequest: (stream: ByteStream, count: number) => void): Promise<Listener> {
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
    let requests = 0;
    return {
      data: () => {
        requests++;
        const response = { errorCode: 0, apiKeys: advertisedVersions([apiVersionsApi, metadataApi]) };
        if (requests === 1) stream.write(encodeResponseFrame(apiVersionsApi, 4, 1, response));
        else onRequest(stream, requests - 1);
      },
      closed: () => {},
    };
  });
  cleanups.push(() => listener.close());
  return listener;
}

async function failure(promise: Promise<unknown>): Promise<ClientError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

const NO_TOPICS = { topics: [], allowAutoTopicCreation: false };

describe('KafkaConnection', () => {
  test('agrees on the highest version that both sides have', async () => {
    const cluster = await scripted(1);
    const connection = await open(cluster.addresses.get(1) as never);
    expect(connection.versionOf(metadataApi)).toBe(12);
    expect(connection.versionOf(metadataApi, 9)).toBe(9);
    expect(connection.versionOf(findCoordinatorApi)).toBeUndefined();
    expect((await connection.request(metadataApi, NO_TOPICS)).clusterId).toBe('scripted');
  });

  test('steps down when the broker lacks its version of ApiVersions', async () => {
    const cluster = await scripted(1);
    cluster.maxApiVersions = 2;
    const connection = await open(cluster.addresses.get(1) as never);
    expect(cluster.requests.map(({ version }) => version)).toEqual([4, 2]);
    expect(connection.versionOf(metadataApi)).toBe(12);
  });

  test('an API that the broker does not serve is refused here', async () => {
    const cluster = await scripted(1);
    const connection = await open(cluster.addresses.get(1) as never);
    const error = await failure(connection.request(findCoordinatorApi, {}));
    expect(error).toMatchObject({ code: 'UNSUPPORTED_VERSION', maybeSent: false });
    expect(connection.isClosed).toBe(false);
  });

  test('pipelines requests and matches answers in order', async () => {
    const cluster = await scripted(1);
    cluster.addTopic('a', [1]);
    cluster.addTopic('b', [1, 1]);
    const connection = await open(cluster.addresses.get(1) as never);
    const names = ['a', 'b', 'missing', 'b', 'a'];
    const answers = await Promise.all(
      names.map((name) => connection.request(metadataApi, { topics: [{ name }], allowAutoTopicCreation: false })),
    );
    expect(answers.map(({ topics }) => topics[0]?.name)).toEqual(names);
    expect(answers.map(({ topics }) => topics[0]?.partitions.length)).toEqual([1, 2, 0, 2, 1]);
  });

  test('each answer goes into the memory that its request has for it', async () => {
    const cluster = await scripted(1);
    const connection = await open(cluster.addresses.get(1) as never);
    const sizes: [string, number][] = [];
    const into = (name: string) => (size: number) => {
      sizes.push([name, size]);
      return Buffer.allocUnsafe(size);
    };
    await Promise.all([
      connection.request(metadataApi, NO_TOPICS, { allocate: into('first') }),
      connection.request(metadataApi, NO_TOPICS),
      connection.request(metadataApi, NO_TOPICS, { allocate: into('third') }),
    ]);
    expect(sizes.map(([name]) => name)).toEqual(['first', 'third']);
    expect(sizes[0]?.[1]).toBe(sizes[1]?.[1]);
  });

  test('a lost connection fails all that waits, and what comes later', async () => {
    const cluster = await scripted(1);
    let closed = 0;
    const connection = await open(cluster.addresses.get(1) as never, () => closed++);
    cluster.script = () => ({ kind: 'cut' });
    const [first, second] = await Promise.all([
      failure(connection.request(metadataApi, NO_TOPICS)),
      failure(connection.request(metadataApi, NO_TOPICS)),
    ]);
    for (const error of [first, second]) {
      expect(error).toMatchObject({ code: 'CONNECTION_LOST', maybeSent: true, retriable: true });
    }
    expect(closed).toBe(1);
    const late = await failure(connection.request(metadataApi, NO_TOPICS));
    expect(late).toMatchObject({ code: 'CONNECTION_LOST', maybeSent: false });
  });

  test('a request without answer in time ends the connection', async () => {
    const listener = await rawPeer(() => {});
    const connection = await open(listener.address);
    const patient = failure(connection.request(metadataApi, NO_TOPICS, { timeoutMs: 60_000 }));
    const late = await failure(connection.request(metadataApi, NO_TOPICS, { timeoutMs: 20 }));
    expect(late).toMatchObject({ code: 'TIMED_OUT', maybeSent: true });
    expect(await patient).toMatchObject({ code: 'CONNECTION_LOST', maybeSent: true });
    expect(connection.isClosed).toBe(true);
  });

  test.each<[string, Buffer]>([
    ['another correlation id', Buffer.from('0000000500000063ff', 'hex')],
    ['a body that ends early', Buffer.from('000000070000000200ffff', 'hex')],
    ['a frame of no size', Buffer.from('00000000', 'hex')],
    ['a frame of two gigabytes', Buffer.from('7fffffff', 'hex')],
  ])('%s ends the connection', async (_what, bytes) => {
    const listener = await rawPeer((stream) => stream.write([bytes]));
    const connection = await open(listener.address);
    const error = await failure(connection.request(metadataApi, NO_TOPICS));
    expect(error).toMatchObject({ code: 'BAD_RESPONSE', maybeSent: true });
    expect(connection.isClosed).toBe(true);
  });

  test('nobody listens', async () => {
    const cluster = await new ScriptedCluster().start(1);
    await cluster.stop();
    const error = await failure(open(cluster.addresses.get(1) as never));
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', maybeSent: false, retriable: true });
  });
});

describe('ClusterClient', () => {
  function client(...bootstrap: { host: string; port: number }[]): ClusterClient {
    const made = new ClusterClient(deps, { bootstrap, requestTimeoutMs: 2000, connectTimeoutMs: 2000 });
    cleanups.push(() => made.close());
    return made;
  }

  test('any bootstrap address that answers will do', async () => {
    const cluster = await scripted(1, 2);
    cluster.addTopic('t', [2]);
    const dead = cluster.addresses.get(1) as never;
    await cluster.stop(1);
    for (let i = 0; i < 4; i++) {
      const topic = await client(dead, cluster.addresses.get(2) as never).topic('t');
      expect(topic.partitions[0]?.leaderId).toBe(2);
    }
  });

  test('a broker that did not answer is asked after all others', async () => {
    const cluster = await scripted(1, 2);
    cluster.addTopic('t', [1]);
    const made = client(cluster.addresses.get(1) as never, cluster.addresses.get(2) as never);
    await made.topic('t');
    cluster.script = (broker) => (broker === 1 ? { kind: 'mute' } : undefined);
    const asked = await made.connectionTo(1);
    const error = await failure(asked.request(metadataApi, NO_TOPICS, { timeoutMs: 50 }));
    expect(error.code).toBe('TIMED_OUT');
    const before = cluster.requests.length;
    for (let i = 0; i < 4; i++) await made.refresh();
    const later = cluster.requests.slice(before);
    expect(later.filter(({ api }) => api === 'Metadata')).toHaveLength(4);
    expect(new Set(later.map(({ broker }) => broker))).toEqual(new Set([2]));
  });

  test('when none answers, one sentence says what each said', async () => {
    const cluster = await new ScriptedCluster().start(1, 2);
    const [one, two] = [cluster.addresses.get(1), cluster.addresses.get(2)] as never[];
    await cluster.stop();
    const error = await failure(client(one as never, two as never).topic('t', 0));
    expect(error.code).toBe('CONNECT_FAILED');
    for (const id of [1, 2]) expect(error.message).toContain(`127.0.0.1:${cluster.addresses.get(id)?.port}`);
  });

  test('concurrent questions share fetches of metadata', async () => {
    const cluster = await scripted(1);
    for (const name of ['a', 'b', 'c']) cluster.addTopic(name, [1]);
    const made = client(cluster.addresses.get(1) as never);
    await Promise.all(['a', 'b', 'c', 'a'].map((name) => made.topic(name)));
    expect(cluster.requests.filter(({ api }) => api === 'Metadata').length).toBeLessThanOrEqual(2);
  });

  test('waits for a topic that is on its way, but not for ever', async () => {
    const cluster = await scripted(1);
    const made = client(cluster.addresses.get(1) as never);
    const error = await failure(made.topic('t', 0));
    expect(error).toMatchObject({ code: 'BROKER_ERROR', kafkaError: 'UNKNOWN_TOPIC_OR_PARTITION' });
    const waiting = made.topic('t', 10_000);
    cluster.addTopic('t', [1]);
    expect((await waiting).partitions).toHaveLength(1);
  });

  test('a closed client says so', async () => {
    const cluster = await scripted(1);
    const made = client(cluster.addresses.get(1) as never);
    made.close();
    expect(await failure(made.anyConnection())).toMatchObject({ code: 'CLOSED' });
    expect(await failure(made.topic('t'))).toMatchObject({ code: 'CLOSED' });
  });
});
