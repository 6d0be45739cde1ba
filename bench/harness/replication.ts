// Topics with replicas on the brokers of a cluster: created and awaited until every replica is in sync, found, loaded, removed.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MetadataResponse } from '../../src/protocol/apis/metadata.ts';
import { metadataApi } from '../../src/protocol/apis/metadata.ts';
import type { FrameClient } from './frame-client.ts';
import type { Shape, Topic } from './kafka.ts';
import { ask, checkProduced, createTopicOf, deleteTopic, produceRequest } from './kafka.ts';
import type { StartedNode } from './kvorum.ts';
import { connectWhenServed } from './kvorum.ts';
import type { LoadResult } from './load.ts';
import { produceFor } from './load.ts';
import { cpuSeconds } from './process.ts';

export type PartitionPlace = MetadataResponse['topics'][number]['partitions'][number];

const WITHIN_MS = 120_000;

/** As the broker behind the client knows them; empty of a topic that it does not know. */
export async function placesOf(client: FrameClient, topics: readonly Topic[]): Promise<PartitionPlace[]> {
  const request = { topics: topics.map(({ name }) => ({ name })), allowAutoTopicCreation: false };
  const response = await ask(client, metadataApi, request);
  return response.topics.flatMap(({ partitions }) => partitions);
}

/** Waits until as many partitions as that have a leader and `inSync` replicas in the ISR. */
export async function awaitInSync(
  client: FrameClient,
  topics: readonly Topic[],
  partitions: number,
  inSync: number,
): Promise<PartitionPlace[]> {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    const places = await placesOf(client, topics);
    const good = places.filter(({ leaderId, isrNodes }) => leaderId >= 0 && isrNodes.length >= inSync);
    if (good.length === partitions && places.length === partitions) return places;
    if (performance.now() > deadline) {
      throw new Error(`${good.length} of ${partitions} partitions have ${inSync} replicas in sync`);
    }
    await sleep(50);
  }
}

/** One connection to each broker, in the order of the brokers, once every one of them knows all. */
export async function connectAll(brokers: readonly StartedNode[]): Promise<FrameClient[]> {
  const clients = await Promise.all(brokers.map(({ port }) => connectWhenServed(port)));
  const deadline = performance.now() + WITHIN_MS;
  for (const client of clients) {
    for (;;) {
      const known = await ask(client, metadataApi, { topics: [], allowAutoTopicCreation: false });
      if (known.brokers.length === brokers.length) break;
      if (performance.now() > deadline)
        throw new Error(`${known.brokers.length} of ${brokers.length} brokers are active`);
      await sleep(50);
    }
  }
  return clients;
}

/** A topic under load: for each partition a frame and the connection to its leader. */
export interface LoadedTopic {
  readonly topic: Topic;
  readonly senders: readonly { readonly client: FrameClient; readonly frame: Buffer }[];
}

/** Creates a topic of this shape, no more partitions than brokers, that takes `batch`. Throws where two have the same leader. */
export async function createLoaded(
  brokers: readonly StartedNode[],
  clients: readonly FrameClient[],
  { batch, acks, ...shape }: Shape & { readonly batch: Buffer; readonly acks: 1 | -1 },
): Promise<LoadedTopic> {
  const [first] = clients;
  if (first === undefined) throw new Error('no broker');
  const topic = await createTopicOf(first, shape);
  const places = await awaitInSync(first, [topic], shape.numPartitions, shape.replicationFactor);
  const senders = places.map(({ partitionIndex, leaderId }) => {
    const client = clients[brokers.findIndex(({ nodeId }) => nodeId === leaderId)];
    if (client === undefined) throw new Error(`partition ${partitionIndex} is led by ${leaderId}`);
    return { client, frame: produceRequest(topic, batch, partitionIndex, acks) };
  });
  if (new Set(senders.map(({ client }) => client)).size < senders.length) {
    throw new Error(`${topic.name}: two partitions have the same leader`);
  }
  for (const { client, frame } of senders) await untilTaken(client, frame);
  return { topic, senders };
}

/** The leader learns of its leadership later than the controller. */
async function untilTaken(client: FrameClient, frame: Buffer): Promise<void> {
  const deadline = performance.now() + WITHIN_MS;
  for (;;) {
    try {
      return checkProduced(await client.call(frame));
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(20);
    }
  }
}

/** Waits until its folders are gone: their pages must be free before anybody else is measured. */
export async function removeLoaded(
  brokers: readonly StartedNode[],
  clients: readonly FrameClient[],
  { topic, senders }: LoadedTopic,
): Promise<void> {
  const [first] = clients;
  if (first === undefined) throw new Error('no broker');
  await deleteTopic(first, topic);
  const folders = brokers.flatMap(({ dataDir }) => senders.map((_, i) => join(dataDir, `${topic.name}-${i}`)));
  while (folders.some((folder) => existsSync(folder))) await sleep(20);
}

/** Five requests in flight at every leader; CPU of all `pids` together. */
export async function produceEverywhere(
  senders: LoadedTopic['senders'],
  pids: readonly number[],
  load: { readonly bytes: number; readonly seconds: number; readonly maxBytes: number },
): Promise<LoadResult> {
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const [before, startedMs] = [cpu(), performance.now()];
  let bytes = 0;
  const check = (answer: Buffer): void => {
    checkProduced(answer);
    bytes += load.bytes;
  };
  const { seconds } = load;
  const each = { bytes: load.bytes, seconds, maxBytes: load.maxBytes / senders.length, check };
  await Promise.all(senders.map(({ client, frame }) => produceFor(client, pids[0] ?? -1, { frame, ...each })));
  return {
    megabytesPerSecond: bytes / 1e6 / ((performance.now() - startedMs) / 1000),
    cpuSecondsPerGigabyte: (cpu() - before) / (bytes / 1e9),
  };
}
