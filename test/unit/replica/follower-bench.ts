// Replicas of one partition on three brokers, over real logs on one simulated disk. The test is the controller and the network: it says who
// leads which epoch and who hears of it, and carries each fetch and each answer by hand.
import { must } from '../../../src/base/assert.ts';
import type { Epoch, NodeId, Offset } from '../../../src/base/ids.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { createLogShared } from '../../../src/log/log-shared.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import type { FetchPartitionData } from '../../../src/protocol/apis/fetch.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { findLogEnd, followerFetched, readForFollower } from '../../../src/replica/follower-fetch.ts';
import type { FetchPosition } from '../../../src/replica/following.ts';
import { Following } from '../../../src/replica/following.ts';
import type { ReplicaLoss } from '../../../src/replica/loss-reports.ts';
import { Partition } from '../../../src/replica/partition.ts';
import type { PartitionRead } from '../../../src/replica/read.ts';
import { ReplicationThrottles } from '../../../src/replica/throttles.ts';
import { World } from '../../../src/sim/world/world.ts';
import { batchOf, configText, parsed } from '../broker/bench.ts';
import { CONFIG } from '../log/fixture.ts';
import { CALM, uuid } from '../metadata/fixture.ts';
import { SILENT_CONTROLLER } from './bench.ts';

export const T = uuid(50);
const IDENTITY = { topic: 't', topicId: T, partition: 0 };
const MEMBERS = [1, 2, 3];
const CLUSTER = uuid(999);
/** What a fetch may hold; more than any log here. */
const MAX_BYTES = 1 << 20;

export class Replica {
  readonly id: NodeId;
  readonly partition: Partition;
  readonly bench: FollowerBench;
  readonly throttles: ReplicationThrottles;
  following: Following | undefined;
  /** What it told the ledger. */
  readonly reported: ReplicaLoss[] = [];
  /** Epochs that the ledger waits for, told of as the test says. */
  awaited: Epoch[] = [];
  /** Answers the reports that wait; undefined: they are answered at once. */
  ledger: { take: (isReported: boolean) => void } | undefined;

  constructor(bench: FollowerBench, id: NodeId, log: ConstructorParameters<typeof Partition>[2]) {
    const { clock, logger } = bench.env;
    this.id = id;
    this.bench = bench;
    this.throttles = new ReplicationThrottles(clock, id, parsed(configText()).values);
    const { alterPartitions } = SILENT_CONTROLLER;
    const lossReports = { report: (loss: ReplicaLoss, signal: AbortSignal) => this.#report(loss, signal) };
    const deps = {
      brokerId: id,
      clock,
      logger,
      replicaLagTimeMaxMs: 30_000,
      alterPartitions,
      lossReports,
      brokerEpoch: () => id,
      registeredEpoch: (brokerId: NodeId) => brokerId,
      eligible: () => true,
      awaited: () => this.awaited,
      failed: () => {},
      follow: (partition: Partition, { leader, leaderEpoch }: PartitionState) => {
        const following = new Following(this.#followingDeps(lossReports), partition, leader, leaderEpoch);
        this.following = following;
        following.start();
        return { stop: () => following.stop() };
      },
    };
    const config = {
      ...CONFIG,
      ...bench.config,
      minInsyncReplicas: 1,
      maxMessageBytes: 1 << 20,
      compressionType: 'producer',
    };
    this.partition = new Partition(deps, IDENTITY, log, config as ConstructorParameters<typeof Partition>[3]);
  }

  #followingDeps(lossReports: ConstructorParameters<typeof Following>[0]['lossReports']) {
    const { clock, random, logger } = this.bench.env;
    return {
      clock,
      random,
      logger,
      lossReports,
      backoff: { baseMs: 100, maxMs: 1000 },
      throttles: this.throttles,
      awaited: () => this.awaited,
      moved: () => {},
      leaderBounds: async ({ leader, leaderEpoch }: Following) => {
        if (this.bench.isSilent) return new Promise<never>(() => {});
        const { partition } = this.bench.replica(leader);
        const { error, offset } = findLogEnd(partition, leaderEpoch);
        return error === 'NONE' ? { startOffset: partition.log.logStartOffset, endOffset: offset } : undefined;
      },
    };
  }

  #report(loss: ReplicaLoss, signal: AbortSignal): Promise<boolean> {
    this.reported.push(loss);
    if (this.ledger === undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.ledger = { take: resolve };
      signal.addEventListener('abort', () => resolve(false));
    });
  }

  get log(): Partition['log'] {
    return this.partition.log;
  }

  /** Appends so many batches of one record as leader. Their bytes differ by `mark`. */
  async append(count: number, mark = 'a'): Promise<void> {
    await this.log.warm();
    for (let i = 0; i < count; i++) {
      const records = batchOf(1, 10 + mark.charCodeAt(0));
      if (appendToPartition(this.partition, records, 1).kind === 'refused') throw new Error('refused');
    }
    await this.bench.until(() => this.log.flushedEndOffset === this.log.logEndOffset || this.bench.isAsync);
  }

  /** Appends one batch of so many records as leader. */
  async appendBatchOf(count: number): Promise<void> {
    await this.log.warm();
    if (appendToPartition(this.partition, batchOf(count), 1).kind === 'refused') throw new Error('refused');
    await this.bench.until(() => this.log.flushedEndOffset === this.log.logEndOffset || this.bench.isAsync);
  }

  /** What it would ask its leader next. */
  async position(): Promise<FetchPosition> {
    await this.bench.until(() => this.following?.position !== undefined);
    return must(this.following?.position, 'the position');
  }

  /** Asks its leader, and gives the answer without taking it. */
  async fetch(): Promise<{ asked: FetchPosition; answer: FetchPartitionData }> {
    const asked = await this.position();
    const leader = this.bench.replica(must(this.following, 'the following').leader);
    const replica = { brokerId: this.id, brokerEpoch: this.id };
    const read =
      followerFetched(leader.partition, replica, asked) ??
      (await readForFollower(leader.partition, replica, { ...asked, maxBytes: MAX_BYTES, atLeastOne: true }));
    return { asked, answer: answerOf(read) };
  }

  /** One fetch, its answer taken. */
  async round(): Promise<void> {
    const { asked, answer } = await this.fetch();
    await this.following?.take(asked, answer);
    await this.position();
  }

  /** Fetches until there is nothing more; how often that was. */
  async catchUp(): Promise<number> {
    for (let rounds = 1; ; rounds++) {
      const { asked, answer } = await this.fetch();
      await this.following?.take(asked, answer);
      const isNothing = answer.errorCode === 0 && answer.divergingEpoch.endOffset < 0 && answer.records?.length === 0;
      await this.position();
      if (isNothing) return rounds;
    }
  }

  /** Where its log starts, ends, and its high watermark. */
  get offsets(): [Offset, Offset, Offset] {
    return [this.log.logStartOffset, this.log.logEndOffset, this.partition.highWatermark];
  }

  get epochs(): [Epoch, Offset][] {
    return this.log.epochs.entries.map(({ epoch, startOffset }) => [epoch, startOffset]);
  }

  async bytes(): Promise<Buffer> {
    const { logStartOffset, logEndOffset } = this.log;
    return this.log.read(logStartOffset, 1 << 24, logEndOffset, true);
  }

  /** Its batches: the first offset, and the leader epoch. */
  async batches(): Promise<[Offset, Epoch][]> {
    return [...splitBatches(await this.bytes())].map(({ baseOffset, partitionLeaderEpoch }) => [
      baseOffset,
      partitionLeaderEpoch,
    ]);
  }
}

export class FollowerBench {
  readonly env: Env;
  readonly world: World;
  readonly config: { readonly flushMode: 'sync' | 'async'; readonly followerReplicationThrottledReplicas: string };
  readonly #replicas = new Map<NodeId, Replica>();
  /** No leader says where its log starts and ends. */
  isSilent = false;
  #partitionEpoch = 0;

  constructor(env: Env, world: World, flushMode: 'sync' | 'async', throttled: string) {
    this.env = env;
    this.world = world;
    this.config = { flushMode, followerReplicationThrottledReplicas: throttled };
  }

  get isAsync(): boolean {
    return this.config.flushMode === 'async';
  }

  async open(id: NodeId): Promise<void> {
    const { clock, disk, logger, openStore } = this.env;
    const owner = { clusterId: CLUSTER, nodeId: id };
    const path = `/${id}`;
    await writeMetaProperties(disk, path, { ...owner, directoryId: uuid(id), version: 1 });
    const shared = createLogShared(parsed(configText()).values);
    const directory = await LogDirectory.open({ clock, disk, logger, openStore, shared }, path, owner);
    const log = await directory.openLog('t', T, 0, { ...CONFIG, ...this.config });
    this.#replicas.set(id, new Replica(this, id, log));
  }

  replica(id: NodeId): Replica {
    return must(this.#replicas.get(id), `replica ${id}`);
  }

  /** Broker `leader` leads a new epoch; `hear` hear of it, all by default. All are in the ISR, so that little is committed, by default. */
  async elect(
    leader: NodeId,
    leaderEpoch: Epoch,
    hear: readonly NodeId[] = MEMBERS,
    isr: readonly NodeId[] = MEMBERS,
  ): Promise<void> {
    const state = { ...CALM, replicas: MEMBERS, isr, leader, leaderEpoch, directories: [] };
    this.#partitionEpoch += 1;
    const partitionEpoch = this.#partitionEpoch;
    await Promise.all(hear.map((id) => this.replica(id).partition.applyState({ ...state, partitionEpoch })));
  }

  async until(isSo: () => boolean): Promise<void> {
    for (let i = 0; !isSo(); i++) {
      if (i > 10_000) throw new Error('it does not come true');
      await sleep(this.env.clock, 1);
    }
  }

  /** Lines of the log with that event. */
  told(event: string) {
    return this.world.log.lines().filter((line) => line.event === event);
  }
}

function answerOf({ error, diverging, records, highWatermark, logStartOffset }: PartitionRead): FetchPartitionData {
  return answer({ errorCode: ErrorCode[error], highWatermark, logStartOffset, records, ...divergingOf(diverging) });
}

function divergingOf(diverging: PartitionRead['diverging']): Partial<FetchPartitionData> {
  return diverging === undefined ? {} : { divergingEpoch: diverging };
}

/** An answer of a leader that has nothing to say, but for `fields`. */
export function answer(fields: Partial<FetchPartitionData> = {}): FetchPartitionData {
  return {
    partitionIndex: 0,
    errorCode: 0,
    highWatermark: 0,
    lastStableOffset: 0,
    logStartOffset: 0,
    divergingEpoch: { epoch: -1, endOffset: -1 },
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    snapshotId: { endOffset: -1, epoch: -1 },
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: Buffer.alloc(0),
    ...fields,
  };
}

/** With three empty replicas that nobody leads. */
export async function withFollowers(
  body: (bench: FollowerBench) => Promise<void>,
  { flushMode = 'async', throttled = '' }: { flushMode?: 'sync' | 'async'; throttled?: string } = {},
): Promise<World> {
  const world = new World({ seed: 4 });
  const host = world.process('host');
  for (const id of MEMBERS) host.disk.provision(`/${id}`);
  await world.run('host', 600_000, async (env) => {
    const bench = new FollowerBench(env, world, flushMode, throttled);
    for (const id of MEMBERS) await bench.open(id);
    await body(bench);
    for (const id of MEMBERS) await bench.replica(id).partition.retire();
  });
  return world;
}
