// One life of a broker's logs: its log directory and replicas on the real disk, without the network. Run with --expose-gc; reports
// over the IPC channel of its parent.
import { mkdir, open, readdir } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { NodeValues } from '../../src/config/node-keys.ts';
import type { Logger } from '../../src/env/logger.ts';
import type { MetadataRecord } from '../../src/gen/kvorum/v1/metadata.ts';
import type { LogDirectory as Directory } from '../../src/log/log-directory.ts';
import type { Partition } from '../../src/replica/partition.ts';
import type { ReplicaManager as Manager } from '../../src/replica/replica-manager.ts';
import { built } from '../harness/built.ts';
import { uuid } from './made-records.ts';

export interface OpenerOptions {
  readonly folder: string;
  readonly partitions: number;
  /** Its leader epoch; 0 in the first life, which makes the partitions. */
  readonly life: number;
  /** Whether each partition gets a batch. */
  readonly append: boolean;
}

export interface OpenerCosts {
  /** Seconds until all are there, and until all lead. */
  readonly openSeconds: number;
  readonly leadSeconds: number;
  /** Bytes of heap and of memory outside of it for each that is open, and for each that was appended to. */
  readonly openBytes: number;
  readonly appendedBytes: number;
  readonly openDescriptors: number;
  readonly appendedDescriptors: number;
  readonly appendSeconds: number;
  readonly closeSeconds: number;
  /** Seconds for as many files that are opened, read and closed, so many at once as the thread pool does. */
  readonly rawSeconds: number;
}

const SELF = 1;
const PER_TOPIC = 100;
const AT_ONCE = 64;
const OWNER = { clusterId: uuid(3_000_000), nodeId: SELF };

const { createLogShared } = await built<typeof import('../../src/log/log-shared.ts')>('log/log-shared.js');
const { LogDirectory } = await built<typeof import('../../src/log/log-directory.ts')>('log/log-directory.js');
const { writeMetaProperties } = await built<typeof import('../../src/log/storage.ts')>('log/storage.js');
const { MetadataPublisher } = await built<typeof import('../../src/metadata/publisher.ts')>('metadata/publisher.js');
const { encodeRecord, metadataRecord } =
  await built<typeof import('../../src/metadata/record.ts')>('metadata/record.js');
const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
const { appendToPartition } = await built<typeof import('../../src/replica/append.ts')>('replica/append.js');
const { appendInTurn } = await built<typeof import('../../src/replica/append-turns.ts')>('replica/append-turns.js');
const { ReplicaManager } =
  await built<typeof import('../../src/replica/replica-manager.ts')>('replica/replica-manager.js');
const { NODE_KEYS } = await built<typeof import('../../src/config/node-keys.ts')>('config/node-keys.js');
const { buildBatch } = await built<typeof import('../../src/record/builder.ts')>('record/builder.js');

const options = JSON.parse(process.argv[2] ?? '') as OpenerOptions;
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error, child: () => SILENT };

async function heapBytes(): Promise<number> {
  await turn();
  for (let i = 0; i < 4; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function descriptors(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1000;
}

async function inParallel<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const BROKER = metadataRecord({
  $case: 'registerBroker',
  registerBroker: {
    brokerId: SELF,
    incarnationId: uuid(2_000_000),
    logDirs: [],
    endpoints: [{ listener: 'PLAINTEXT', host: '127.0.0.1', port: 9092 }],
    rack: '',
    bootCounter: 1,
    cleanStart: true,
    afterCrash: false,
    brokerEpoch: undefined,
    fenced: false,
    inControlledShutdown: false,
    minMetadataLevel: 1,
    maxMetadataLevel: 2,
    stateOffset: -1,
    stateTimestampMs: -1,
    stateCause: '',
  },
});

/** Without a leader, as after a restart. */
function partitionRecord(number: number): MetadataRecord {
  return metadataRecord({
    $case: 'partition',
    partition: {
      topicId: uuid(Math.floor(number / PER_TOPIC)),
      partition: number % PER_TOPIC,
      replicas: [SELF],
      isr: [SELF],
      leader: -1,
      leaderEpoch: options.life,
      partitionEpoch: 0,
      directories: [uuid(1_000_000)],
      elr: [],
      recovering: false,
      adding: [],
      removing: [],
    },
  });
}

function leads(number: number): MetadataRecord {
  const [topicId, partition] = [uuid(Math.floor(number / PER_TOPIC)), number % PER_TOPIC];
  return metadataRecord({ $case: 'partitionChange', partitionChange: { topicId, partition, leader: SELF, cause: '' } });
}

/** What it costs at least to look into a file of each partition. */
async function readRaw(numbers: readonly number[]): Promise<void> {
  const folder = `${options.folder}-raw`;
  await mkdir(folder, { recursive: true });
  const path = (number: number): string => `${folder}/${number}`;
  await inParallel(numbers, 4, async (number) => {
    const file = await open(path(number), 'a+');
    await file.read(Buffer.allocUnsafe(4096), 0, 4096, 0);
    await file.close();
  });
}

async function run(): Promise<OpenerCosts> {
  const numbers = Array.from({ length: options.partitions }, (_, i) => i);
  const env = createEnv();
  const values = Object.fromEntries(Object.entries(NODE_KEYS).map(([name, key]) => [name, key.default]));
  const nodeValues = values as unknown as NodeValues;
  const path = `${options.folder}/data`;
  if (options.life === 0) {
    await mkdir(path, { recursive: true });
    await writeMetaProperties(env.disk, path, { ...OWNER, directoryId: uuid(1_000_000), version: 1 });
  }
  const publisher = new MetadataPublisher();
  const commit = (records: readonly MetadataRecord[]): void => {
    const baseOffset = publisher.image.endOffset;
    const endOffset = baseOffset + records.length;
    publisher.apply({ baseOffset, endOffset, epoch: 1, records: records.map(encodeRecord) });
  };
  commit([metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: 2 } }), BROKER]);
  for (let from = 0; from < options.partitions; from += PER_TOPIC) {
    const number = from / PER_TOPIC;
    const topic = metadataRecord({ $case: 'topic', topic: { name: `topic-${number}`, topicId: uuid(number) } });
    commit([topic, ...numbers.slice(from, from + PER_TOPIC).map(partitionRecord)]);
  }
  const empty = await heapBytes();
  const fdsBefore = await descriptors();
  const { clock, disk, openStore, random } = env;
  const shared = createLogShared(nodeValues);
  let directory!: Directory;
  let manager!: Manager;
  const openSeconds = await seconds(async () => {
    directory = await LogDirectory.open({ clock, disk, logger: SILENT, openStore, shared }, path, OWNER);
    manager = new ReplicaManager({
      brokerId: SELF,
      clock,
      random,
      logger: SILENT,
      logDirectories: [directory],
      offlineDirectories: [],
      values: nodeValues,
      alterPartitions: { alter: () => new Promise(() => {}) },
      lossReports: { report: async () => true },
      brokerEpoch: () => 0,
      network: env.network,
      buffers: { lend: (size) => Buffer.allocUnsafe(size), takeBack: () => {} },
      clusterId: OWNER.clusterId,
      interBrokerListener: 'PLAINTEXT',
      logDirWatch: { failed: () => {}, misplaced: () => {} },
    });
    publisher.subscribe((image, delta) => manager.apply(image, delta));
    await manager.open(() => publisher.image, 1);
    await manager.settled();
  });
  const openBytes = ((await heapBytes()) - empty) / options.partitions;
  const openDescriptors = (await descriptors()) - fdsBefore;
  const leadSeconds = await seconds(async () => {
    for (let at = 0; at < numbers.length; at += 1000) commit(numbers.slice(at, at + 1000).map(leads));
    await manager.settled();
  });
  const open = [...manager.partitions()];
  if (open.length !== options.partitions || open.some(({ leader }) => leader === undefined)) {
    throw new Error(`${open.length} of ${options.partitions} are open, ${open.filter((p) => p.leader).length} lead`);
  }
  const appendSeconds = await seconds(async () => {
    if (options.append) await inParallel(open, AT_ONCE, appendOne);
  });
  const appendedBytes = ((await heapBytes()) - empty) / options.partitions;
  const appendedDescriptors = (await descriptors()) - fdsBefore;
  const closeSeconds = await seconds(async () => {
    await manager.close();
    if (!(await directory.close(true, 1))) throw new Error('not closed cleanly');
  });
  await readRaw(numbers);
  const rawSeconds = await seconds(() => readRaw(numbers));
  return {
    openSeconds,
    leadSeconds,
    openBytes,
    appendedBytes,
    openDescriptors,
    appendedDescriptors,
    appendSeconds,
    closeSeconds,
    rawSeconds,
  };
}

async function appendOne(partition: Partition): Promise<void> {
  const records = [{ timestamp: Date.now(), key: null, value: Buffer.alloc(100, 1), headers: [] }];
  const batch = buildBatch(records, {});
  const result = await appendInTurn(partition, () => appendToPartition(partition, batch, 1));
  if (result.kind !== 'appended') throw new Error(result.message);
  const failure = await result.acknowledged;
  if (failure !== undefined) throw new Error(failure);
}

process.send?.(await run());
process.disconnect();
