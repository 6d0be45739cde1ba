// The metadata image of a big cluster, in a process of its own: what it keeps of the heap, how long it takes to make it from a
// snapshot, and what one more change costs when it is big. Run with --expose-gc; reports over the IPC channel of its parent.
import { setImmediate as turn } from 'node:timers/promises';
import type { MetadataImage } from '../../src/metadata/image.ts';
import { built } from '../harness/built.ts';
import { median } from '../harness/statistics.ts';
import { BROKERS, brokerRecords, topicRecords, uuid } from './made-records.ts';

export interface HolderOptions {
  /** Each a measurement of its own, rising; the last one is kept for memory and the snapshot. */
  readonly sizes: readonly number[];
  /** How often each is timed. */
  readonly rounds: number;
}

export interface ImageCosts {
  readonly partitions: number;
  /** MB (10^6 bytes) of heap beyond an empty image: made by replaying batch after batch, and from a snapshot. */
  readonly replayedMb: number;
  readonly loadedMb: number;
  /** Milliseconds to make it from the records of a snapshot in memory, decoding included. */
  readonly loadMs: number;
  /** Milliseconds to make the records of a snapshot. */
  readonly snapshotMs: number;
  readonly snapshotMb: number;
  /** Microseconds for each partition when all are created, in batches of 100 topics, decoding included. */
  readonly replayUs: number;
  /** Microseconds to apply one batch: one partition's change; a topic of ten partitions. */
  readonly changeUs: number;
  readonly createUs: number;
  /** Microseconds for each change in a batch of a thousand. */
  readonly batchedChangeUs: number;
}

const options = JSON.parse(process.argv[2] ?? '') as HolderOptions;
const { imageFromRecords, snapshotRecords } =
  await built<typeof import('../../src/metadata/image-records.ts')>('metadata/image-records.js');
const { EMPTY_IMAGE } = await built<typeof import('../../src/metadata/image.ts')>('metadata/image.js');
const { replay } = await built<typeof import('../../src/metadata/replay.ts')>('metadata/replay.js');
const { decodeRecord, decodeRecords, encodeRecord, metadataRecord } =
  await built<typeof import('../../src/metadata/record.ts')>('metadata/record.js');

const PER_TOPIC = 10;
const TOPICS_PER_BATCH = 100;

function apply(image: MetadataImage, records: readonly Uint8Array[]): MetadataImage {
  const baseOffset = image.endOffset;
  const batch = { baseOffset, endOffset: baseOffset + records.length, epoch: 1 };
  return replay(image, { ...batch, records: decodeRecords(records, baseOffset) }).image;
}

function topic(number: number): Uint8Array[] {
  return topicRecords(number, PER_TOPIC).map(encodeRecord);
}

function change(number: number): Uint8Array {
  const topicId = uuid(Math.floor(number / PER_TOPIC));
  const partitionChange = {
    topicId,
    partition: number % PER_TOPIC,
    cause: 'fenced',
    isr: { replicas: [2, 3] },
    leader: 2,
  };
  return encodeRecord(metadataRecord({ $case: 'partitionChange', partitionChange }));
}

async function heapMb(): Promise<number> {
  // Nothing of what was done before is on the stack after a turn.
  await turn();
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1e6;
}

function timed<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const before = performance.now();
  const result = work();
  return { ms: performance.now() - before, result };
}

/** Milliseconds, the median of so many. */
function often(rounds: number, work: (round: number) => unknown): number {
  return median(Array.from({ length: rounds }, (_, round) => timed(() => work(round)).ms));
}

async function costsOf(partitions: number): Promise<ImageCosts> {
  const topics = partitions / PER_TOPIC;
  const empty = apply(EMPTY_IMAGE, brokerRecords().map(encodeRecord));
  const before = await heapMb();
  let image = empty;
  let replayMs = 0;
  for (let from = 0; from < topics; from += TOPICS_PER_BATCH) {
    const numbers = Array.from({ length: Math.min(TOPICS_PER_BATCH, topics - from) }, (_, i) => from + i);
    const records = numbers.flatMap(topic);
    const { ms, result } = timed(() => apply(image, records));
    replayMs += ms;
    image = result;
  }
  const replayedMb = (await heapMb()) - before;
  const snapshotMs = often(options.rounds, () => {
    let bytes = 0;
    for (const record of snapshotRecords(image)) bytes += encodeRecord(record).length;
    return bytes;
  });
  const snapshot = [...snapshotRecords(image)].map(encodeRecord);
  const load = (): MetadataImage => {
    const records = function* (): Generator<ReturnType<typeof decodeRecord>> {
      for (const [i, bytes] of snapshot.entries()) yield decodeRecord(bytes, i);
    };
    return imageFromRecords(records(), image.endOffset, image.epoch);
  };
  const loadMs = often(options.rounds, load);
  const beforeLoad = await heapMb();
  const loaded = load();
  const loadedMb = (await heapMb()) - beforeLoad;
  if (loaded.topics.size !== topics) throw new Error('topics are missing');
  const steps = 1000;
  let changed = image;
  const changes = often(steps, (round) => {
    changed = apply(changed, [change((round * 7919) % partitions)]);
  });
  const batches = Array.from({ length: 20 }, (_, round) =>
    Array.from({ length: 1000 }, (_unused, i) => change((round * 1000 + i * 7) % partitions)),
  );
  const batched = often(20, (round) => {
    changed = apply(image, batches[round] ?? []);
  });
  const created = Array.from({ length: steps }, (_, i) => topic(topics + i));
  let grown = image;
  const creations = often(steps, (round) => {
    grown = apply(grown, created[round] ?? []);
  });
  if (grown.brokers.size !== BROKERS.length) throw new Error('brokers are missing');
  return {
    partitions,
    replayedMb,
    loadedMb,
    loadMs,
    snapshotMs,
    snapshotMb: snapshot.reduce((sum, { length }) => sum + length, 0) / 1e6,
    replayUs: (replayMs / partitions) * 1000,
    changeUs: changes * 1000,
    createUs: creations * 1000,
    batchedChangeUs: batched,
  };
}

// Once for the compiler.
await costsOf(options.sizes[0] ?? 1000);
for (const size of options.sizes) process.send?.(await costsOf(size));
process.disconnect();
