// A quorum of one voter with a big metadata image, as a controller has it: takes a snapshot and starts again from it, and reports how
// long its event loop stood still meanwhile. Configured by its argument, reports over the IPC channel of its parent.
import { setImmediate as turn } from 'node:timers/promises';
import type { Quorum } from '../../src/quorum/quorum.ts';
import { built } from '../harness/built.ts';
import { percentile } from '../harness/statistics.ts';

export interface SnapshotOptions {
  readonly directory: string;
  readonly partitions: number;
}

/** Milliseconds. */
export interface Stretch {
  readonly tookMs: number;
  /** The longest time between two turns of the event loop, and the 99th percentile. */
  readonly pauseMs: number;
  readonly p99Ms: number;
  /** The most processor time between two turns: what is left of a pause on a machine that others use too. */
  readonly cpuMs: number;
}

export interface SnapshotReport {
  readonly idle: Stretch;
  readonly take: Stretch;
  readonly start: Stretch;
  readonly sizeBytes: number;
  readonly residentMb: number;
}

const { partitions, directory } = JSON.parse(process.argv[2] ?? '') as SnapshotOptions;
const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
const quorumModule = await built<typeof import('../../src/quorum/quorum.ts')>('quorum/quorum.js');
const { createDurableEnd } = await built<typeof import('../../src/quorum/durable-end.ts')>('quorum/durable-end.js');
const { MetadataPublisher } = await built<typeof import('../../src/metadata/publisher.ts')>('metadata/publisher.js');
const { encodeRecord, metadataRecord } =
  await built<typeof import('../../src/metadata/record.ts')>('metadata/record.js');
const { uuidFromBytes, ZERO_UUID } = await built<typeof import('../../src/base/uuid.ts')>('base/uuid.js');

const PARTITIONS_PER_TOPIC = 100;
const REPLICAS = [1, 2, 3];

function uuid(n: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(n, 12);
  return uuidFromBytes(bytes);
}

/** The records of one topic. */
function topicRecords(number: number): Uint8Array[] {
  const topicId = uuid(number);
  const records = [metadataRecord({ $case: 'topic', topic: { name: `topic-${number}`, topicId } })];
  for (let partition = 0; partition < PARTITIONS_PER_TOPIC; partition++) {
    const state = {
      replicas: REPLICAS,
      isr: REPLICAS,
      leader: 1,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: REPLICAS.map(() => ZERO_UUID),
      elr: [],
      recovering: false,
      adding: [],
      removing: [],
    };
    records.push(metadataRecord({ $case: 'partition', partition: { topicId, partition, ...state } }));
  }
  return records.map(encodeRecord);
}

const env = createEnv({ level: 'error' });

async function openQuorum(): Promise<{ quorum: Quorum; claimed: Promise<number>; loaded: () => boolean }> {
  const quorum = await quorumModule.Quorum.open(env, {
    directory,
    endpoint: '',
    snapshots: { maxBytes: Number.MAX_SAFE_INTEGER, maxIntervalMs: 0 },
    raft: {
      clusterId: uuid(1),
      replica: { id: 1, directoryId: uuid(2) },
      electionTimeoutMs: 1000,
      fetchTimeoutMs: 2000,
      requestTimeoutMs: 2000,
      retryBackoffMs: 20,
      fetchMaxWaitMs: 500,
      fetchMaxBytes: 1024 * 1024,
      snapshotChunkBytes: 256 * 1024,
    },
    findVoters: () => Promise.resolve(new Map([[1, { host: '127.0.0.1', port: 1 }]])),
    fatal: (reason, cause) => {
      console.error(reason, cause);
      process.exit(1);
    },
  });
  const publisher = new MetadataPublisher();
  const claimed = new Promise<number>((resolve) => {
    quorum.start({
      apply: (batch) => publisher.apply(batch),
      load: (snapshot, chunks) => publisher.load(snapshot, chunks),
      snapshot: () => publisher.snapshot(),
      claim: resolve,
      renounce: () => {},
      leaderChanged: () => {},
    });
  });
  return { quorum, claimed, loaded: () => publisher.image.topics.size > 0 };
}

/** Of all threads of this process. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** How long the event loop stands still while `work` is done. */
async function watch(work: () => Promise<unknown>): Promise<Stretch> {
  const pauses: number[] = [];
  const bursts: number[] = [];
  let isDone = false;
  const startedMs = performance.now();
  const working = work().finally(() => {
    isDone = true;
  });
  let cpuBefore = cpuMs();
  for (let before = performance.now(); !isDone; ) {
    await turn();
    const now = performance.now();
    const cpuNow = cpuMs();
    pauses.push(now - before);
    bursts.push(cpuNow - cpuBefore);
    before = now;
    cpuBefore = cpuNow;
  }
  await working;
  return {
    tookMs: performance.now() - startedMs,
    pauseMs: percentile(pauses, 100),
    p99Ms: percentile(pauses, 99),
    cpuMs: percentile(bursts, 100),
  };
}

await env.disk.makeDirectory(directory);
await createDurableEnd(env.disk, directory);
const first = await openQuorum();
const epoch = await first.claimed;
first.quorum.append(epoch, [encodeRecord(metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: 1 } }))]);
for (let topic = 1; topic <= partitions / PARTITIONS_PER_TOPIC; topic++) {
  const appended = first.quorum.append(epoch, topicRecords(topic));
  if (topic % 50 === 0 && appended !== undefined) await first.quorum.whenCommitted(appended.lastOffset + 1);
}
await first.quorum.whenCommitted(first.quorum.describe().logEndOffset);
const idle = await watch(() => new Promise((resolve) => setTimeout(resolve, 500)));
const take = await watch(() => first.quorum.takeSnapshot());
const sizeBytes = first.quorum.snapshots.at(-1)?.sizeBytes ?? 0;
await first.quorum.stop();
const start = await watch(async () => {
  const again = await openQuorum();
  await again.claimed;
  if (!again.loaded()) throw new Error('the snapshot was not loaded');
});
process.send?.({
  idle,
  take,
  start,
  sizeBytes,
  residentMb: process.memoryUsage().rss / 1e6,
} satisfies SnapshotReport);
process.disconnect();
process.exit(0);
