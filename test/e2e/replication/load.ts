// Producers and consumers of a run, which note what they did and saw as the checkers want it (src/check/history.ts).
import type { Offset } from '../../../src/base/ids.ts';
import type { Read, Write, WriteOutcome } from '../../../src/check/history.ts';
import { placeName } from '../../../src/check/history.ts';
import { ClientError } from '../../../src/client/client-error.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import type { ConsumerOptions } from '../../../src/client/consumer.ts';
import { Consumer } from '../../../src/client/consumer.ts';
import { ProduceError } from '../../../src/client/produce-error.ts';
import { Producer } from '../../../src/client/producer.ts';
import { parseHostPort } from '../../../src/config/listeners.ts';
import { createEnv } from '../../../src/node/env.ts';
import { startKcat } from '../kcat.ts';
import type { Process } from '../processes.ts';

export interface Topic {
  readonly name: string;
  readonly partitions: number;
}

/** Sent and not answered: a producer waits while there are so many. */
const MAX_UNRESOLVED = 500;
/** So that nobody is still asked for the last word long after everything is well again. */
const DELIVERY_TIMEOUT_MS = 60_000;

/** A record's text, by which checkers tell it. */
export function recordText(key: Buffer | null, value: Buffer | null): string {
  return `${key?.toString('latin1') ?? ''}=${value?.toString('latin1') ?? ''}`;
}

export function connect(bootstrap: string): ClusterClient {
  const addresses = bootstrap.split(',').flatMap((address) => parseHostPort(address) ?? []);
  return new ClusterClient(createEnv({ level: 'error' }), { bootstrap: addresses, requestTimeoutMs: 5000 });
}

interface NotedWrite extends Write {
  outcome: WriteOutcome;
  offset: Offset;
  answeredAtMs?: number;
}

/** What all clients of a run did and saw. Times are in milliseconds since it began. */
export class Notes {
  readonly writes: NotedWrite[] = [];
  readonly reads: Read[] = [];
  /** What went wrong that is for no checker to judge. */
  readonly complaints: string[] = [];
  /** A consumer was told that the log lost what it had read. */
  readonly told: string[] = [];
  readonly #begunAt = performance.now();

  get nowMs(): number {
    return Math.round((performance.now() - this.#begunAt) * 1000) / 1000;
  }

  get acknowledged(): number {
    return this.writes.reduce((sum, { outcome }) => sum + (outcome === 'acknowledged' ? 1 : 0), 0);
  }
}

/** How long one record waited for its acknowledgement, and when: for people. */
export function longestWait({ writes }: Notes): string {
  const waits = writes.flatMap(({ topic, partition, invokedAtMs, answeredAtMs, outcome }) =>
    answeredAtMs === undefined || outcome !== 'acknowledged'
      ? []
      : [{ place: placeName({ topic, partition }), invokedAtMs, ms: answeredAtMs - invokedAtMs }],
  );
  const longest = waits.reduce((a, b) => (b.ms > a.ms ? b : a), { place: 'nowhere', invokedAtMs: 0, ms: 0 });
  return `waited ${Math.round(longest.ms)} ms at most, from ${Math.round(longest.invokedAtMs)} ms on in ${longest.place}`;
}

export interface Load {
  /** Sends no more; resolves when the last word on everything that was sent is noted. */
  stop(): Promise<void>;
}

/** Our own idempotent producer: records of different sizes, partition after partition. */
export function produce(notes: Notes, bootstrap: string, topic: Topic, name: string, perSecond: number): Load {
  const client = connect(bootstrap);
  const producer = new Producer(client, { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS });
  let order = 0;
  const send = (): void => {
    const partition = order % topic.partitions;
    const key = Buffer.from(`${name}-${order}`);
    const value = Buffer.alloc((order * 37) % 400, 'v');
    const write: NotedWrite = {
      text: recordText(key, value),
      producer: name,
      order: order++,
      topic: topic.name,
      partition,
      invokedAtMs: notes.nowMs,
      outcome: 'unknown',
      offset: -1,
    };
    notes.writes.push(write);
    producer.send({ topic: topic.name, partition, key, value }).then(
      ({ offset }) => {
        write.outcome = 'acknowledged';
        write.offset = offset;
        write.answeredAtMs = notes.nowMs;
      },
      (error: unknown) => {
        if (error instanceof ProduceError) write.outcome = error.outcome;
        write.answeredAtMs = notes.nowMs;
        const isExpected = error instanceof ProduceError && error.outcome === 'unknown';
        if (!isExpected) notes.complaints.push(`${write.text.slice(0, 20)} was refused: ${String(error)}`);
      },
    );
  };
  const tickMs = Math.max(5, 1000 / perSecond);
  const timer = setInterval(() => {
    for (let sent = 0; sent < (perSecond * tickMs) / 1000 && producer.unresolved < MAX_UNRESOLVED; sent++) send();
  }, tickMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await producer.close();
      client.close();
    },
  };
}

/** An idempotent kcat for each partition. It does not say where a record went; that it ended well says that all are there. */
export function produceWithKcat(notes: Notes, bootstrap: string, topic: Topic, name: string, everyMs: number): Load {
  const loads = Array.from({ length: topic.partitions }, (_, partition) =>
    feedKcat(notes, bootstrap, { topic: topic.name, partition }, `${name}-${partition}`, everyMs),
  );
  return { stop: async () => void (await Promise.all(loads.map((load) => load.stop()))) };
}

function feedKcat(
  notes: Notes,
  bootstrap: string,
  place: { topic: string; partition: number },
  name: string,
  everyMs: number,
): Load {
  const acks = ['-X', 'enable.idempotence=true', '-X', 'acks=all', '-X', 'reconnect.backoff.max.ms=1000'];
  // -E: not to end when all brokers are down, but to go on trying.
  const kcat = startKcat(['-P', '-E', '-b', bootstrap, '-t', place.topic, '-p', String(place.partition), ...acks]);
  const writes: NotedWrite[] = [];
  const timer = setInterval(() => {
    const order = writes.length;
    const value = `${name}-${order}`;
    const write: NotedWrite = {
      ...{ text: recordText(null, Buffer.from(value)), producer: name, order, ...place },
      ...{ invokedAtMs: notes.nowMs, outcome: 'unknown', offset: -1 },
    };
    writes.push(write);
    notes.writes.push(write);
    kcat.stdin.write(`${value}\n`);
  }, everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      kcat.stdin.end();
      await judgeKcat(notes, kcat, name, writes);
    },
  };
}

async function judgeKcat(notes: Notes, kcat: Process, name: string, writes: NotedWrite[]): Promise<void> {
  const ended = await kcat.ended(120_000).catch((error: unknown) => ({ code: undefined, stderr: String(error) }));
  if (ended.code === 0) for (const write of writes) write.outcome = 'acknowledged';
  else notes.complaints.push(`kcat ${name} did not end well (${ended.code}): ${ended.stderr.slice(-1000)}`);
}

/** Reads all partitions from the beginning on until it is stopped; a new session after each error. */
export function consume(notes: Notes, bootstrap: string, topics: readonly Topic[], name: string): Load {
  const client = connect(bootstrap);
  const positions = new Map<string, Offset>();
  let current: Consumer | undefined;
  let isStopped = false;
  const readOn = async (): Promise<void> => {
    for (let session = 1; !isStopped; session++) {
      current = new Consumer(client, assignments(topics, positions), {});
      try {
        await readAll(notes, current, `${name}.${session}`, positions);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (error.code === 'LOG_TRUNCATED' || error.kafkaError === 'OFFSET_OUT_OF_RANGE') {
          notes.told.push(`${name}: ${error.message}`);
          positions.clear();
        }
        await new Promise((resolve) => void setTimeout(resolve, 100));
      }
    }
  };
  const done = readOn();
  return {
    stop: async () => {
      isStopped = true;
      current?.close();
      await done;
      client.close();
    },
  };
}

/** Reads everything from the beginning to the end that the partitions have now, as `session`. */
export async function readEverything(
  notes: Notes,
  bootstrap: string,
  topics: readonly Topic[],
  session: string,
): Promise<void> {
  const client = connect(bootstrap);
  const options: ConsumerOptions = { readToEnd: true };
  await readAll(notes, new Consumer(client, assignments(topics, new Map()), options), session, new Map());
  client.close();
}

function assignments(topics: readonly Topic[], positions: ReadonlyMap<string, Offset>) {
  return topics.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => {
      const offset = positions.get(placeName({ topic: name, partition }));
      return { topic: name, partition, start: offset === undefined ? ('beginning' as const) : { offset } };
    }),
  );
}

async function readAll(
  notes: Notes,
  consumer: Consumer,
  session: string,
  positions: Map<string, Offset>,
): Promise<void> {
  for await (const { topic, partition, offset, leaderEpoch, key, value } of consumer.records()) {
    notes.reads.push({ session, topic, partition, offset, leaderEpoch, text: recordText(key, value) });
    positions.set(placeName({ topic, partition }), offset + 1);
  }
}
