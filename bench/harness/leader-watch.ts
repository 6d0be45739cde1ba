// Partitions whose leader goes away: when each is led by another broker, and when that takes a record that all in-sync replicas have.
import { setTimeout as sleep } from 'node:timers/promises';
import { metadataApi } from '../../src/protocol/apis/metadata.ts';
import { produceApi } from '../../src/protocol/apis/produce.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import type { FrameClient } from './frame-client.ts';
import type { Topic } from './kafka.ts';
import { ask } from './kafka.ts';

export interface Survivor {
  readonly nodeId: number;
  readonly client: FrameClient;
}

/** Milliseconds from the beginning of the watch. */
export interface Moves {
  /** The first partition has another leader. */
  readonly firstMs: number;
  /** The last one has. */
  readonly allLedMs: number;
  /** And has taken a record. */
  readonly allServedMs: number;
  readonly partitions: number;
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

const GIVE_UP_MS = 60_000;
const PAUSE_MS = 20;
const TIMEOUT_MS = 5000;

/** Watches until each of these partitions is led by one of the survivors and has taken `batch`. */
export async function watchMoves(
  survivors: readonly Survivor[],
  topics: readonly Topic[],
  gone: readonly Place[],
  batch: Buffer,
): Promise<Moves> {
  const [asked] = survivors;
  if (asked === undefined) throw new Error('nobody survives');
  const startedMs = performance.now();
  const since = (): number => performance.now() - startedMs;
  const unserved = new Map(gone.map((place) => [keyOf(place), place]));
  const partitions = unserved.size;
  let firstMs = Number.NaN;
  let allLedMs = Number.NaN;
  while (unserved.size > 0) {
    const leaders = await leadersOf(asked.client, topics);
    const isSurvivor = (nodeId: number | undefined): boolean => survivors.some((one) => one.nodeId === nodeId);
    const led = gone.filter((place) => isSurvivor(leaders.get(keyOf(place))));
    if (led.length > 0 && Number.isNaN(firstMs)) firstMs = since();
    if (led.length === gone.length && Number.isNaN(allLedMs)) allLedMs = since();
    await Promise.all(
      survivors.map(async ({ nodeId, client }) => {
        const own = led.filter((place) => unserved.has(keyOf(place)) && leaders.get(keyOf(place)) === nodeId);
        for (const place of await offer(client, own, batch)) unserved.delete(keyOf(place));
      }),
    );
    if (since() > GIVE_UP_MS) throw new Error(`${unserved.size} of ${partitions} partitions are not served`);
    if (unserved.size > 0) await sleep(PAUSE_MS);
  }
  return { firstMs, allLedMs, allServedMs: since(), partitions };
}

function keyOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`;
}

async function leadersOf(client: FrameClient, topics: readonly Topic[]): Promise<ReadonlyMap<string, number>> {
  const request = { topics: topics.map(({ name }) => ({ name })), allowAutoTopicCreation: false };
  const response = await ask(client, metadataApi, request);
  return new Map(
    response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, leaderId }): [string, number] => [`${name}-${partitionIndex}`, leaderId]),
    ),
  );
}

/** Sends the batch to all of them in one request; those that took it. */
async function offer(client: FrameClient, places: readonly Place[], batch: Buffer): Promise<Place[]> {
  if (places.length === 0) return [];
  const topicData = [...new Set(places.map(({ topic }) => topic))].map((name) => ({
    name,
    partitionData: places
      .filter(({ topic }) => topic === name)
      .map(({ partition }) => ({ index: partition, records: batch })),
  }));
  const { responses } = await ask(client, produceApi, { acks: -1, timeoutMs: TIMEOUT_MS, topicData });
  return responses.flatMap(({ name, partitionResponses }) =>
    partitionResponses.flatMap(({ index, errorCode }) =>
      errorCode === ErrorCode.NONE ? [{ topic: name, partition: index }] : [],
    ),
  );
}
