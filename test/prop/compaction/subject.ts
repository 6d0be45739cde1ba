// A compacted log on a simulated disk, and what was ever written to it: what must, may and may not be found there is known of each record.
import { expect } from 'vitest';
import type { Uuid } from '../../../src/base/uuid.ts';
import { NO_OVERRIDES } from '../../../src/config/in-force.ts';
import type { TopicConfig } from '../../../src/config/topic-config.ts';
import { topicDefaults } from '../../../src/config/topic-config.ts';
import type { CompactionResult } from '../../../src/log/compaction/compact.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import type { PartitionLog } from '../../../src/log/partition-log.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import type { BatchOptions } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { DATA, SimWorld } from '../log/sim-world.ts';
import { readAll } from './reading.ts';

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ' as Uuid;
const META = {
  clusterId: 'AAAAAAAAAAAAAAAAAAAAAg' as Uuid,
  directoryId: 'AAAAAAAAAAAAAAAAAAAAAw' as Uuid,
  nodeId: 1,
  version: 1,
} as const;

const RETENTION_MS = 1000;
const SEGMENT_BYTES = 400;

export interface Written {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly leaderEpoch: number;
  readonly transactional: boolean;
  /** When a compaction began that may have met it first: if it is a tombstone, it may go so long after that. */
  firstMet?: number;
}

export interface BatchSpec {
  readonly pairs: readonly (readonly [string | null, string | null])[];
  readonly producer: number;
  readonly compression: 'none' | 'gzip' | 'lz4';
  readonly transactional: boolean;
  readonly newEpoch: boolean;
}

export class Subject {
  readonly world: SimWorld;
  /** By offset. */
  written: Written[] = [];
  /** Of each producer, the next sequence. */
  #sequences = new Map<number, number>();
  /** Begun, and left under way; the end of the process ends it. */
  #running: Promise<void> | undefined;
  now = 10_000;
  /** What lies below is not truncated any more. */
  #committed = 0;
  #epoch = 0;
  #config: TopicConfig;
  #directory: LogDirectory | undefined;
  #log: PartitionLog | undefined;
  counts = new Map<string, number>();

  constructor(seed: number) {
    this.world = new SimWorld(seed);
    this.#config = {
      ...topicDefaults({ broker: NO_OVERRIDES, cluster: NO_OVERRIDES }, this.world.nodeValues),
      cleanupPolicy: 'compact',
      segmentBytes: SEGMENT_BYTES,
      indexIntervalBytes: 100,
      deleteRetentionMs: RETENTION_MS,
      fileDeleteDelayMs: 10,
    };
  }

  get log(): PartitionLog {
    return this.#log as PartitionLog;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  async start(): Promise<void> {
    await this.world.finish(writeMetaProperties(this.world.deps().disk, DATA, META));
    await this.#open();
  }

  async #open(): Promise<void> {
    this.#running = undefined;
    this.#directory = await this.world.finish(LogDirectory.open(this.world.deps(), DATA, META));
    this.#log = await this.world.finish(this.#directory.openLog('t', TOPIC_ID, 0, this.#config));
    await this.world.finish(this.#log.warm());
    expect(this.log.logEndOffset).toBe(this.written.length);
    expect(this.log.logStartOffset).toBe(0);
  }

  /** Appended and durable: what a crash may take of a log's end is not looked at here. */
  async append(spec: BatchSpec): Promise<void> {
    this.log.updateConfig(this.#config);
    if (spec.newEpoch) this.#epoch += 1;
    const { pairs, producer, compression, transactional } = spec;
    const timestamp = this.now - 500;
    const sequence = this.#sequences.get(producer) ?? 0;
    const options: BatchOptions =
      producer === 0
        ? { compression }
        : { compression, producerId: producer, producerEpoch: 0, baseSequence: sequence, transactional };
    const bytesOf = (text: string | null) => (text === null ? null : Buffer.from(text));
    const records = pairs.map(([key, value]) => ({ timestamp, key: bytesOf(key), value: bytesOf(value), headers: [] }));
    const baseOffset = this.log.logEndOffset;
    expect(this.log.append(buildBatch(records, options), this.#epoch)).toMatchObject({ kind: 'appended', baseOffset });
    if (producer !== 0) this.#sequences.set(producer, sequence + pairs.length);
    for (const [i, [key, value]] of pairs.entries()) {
      const isTransactional = producer !== 0 && transactional;
      this.written.push({
        offset: baseOffset + i,
        key,
        value,
        timestamp,
        leaderEpoch: this.#epoch,
        transactional: isTransactional,
      });
    }
    await this.world.finish(this.log.flush());
  }

  /** Runs a compaction to its end, or begins one. */
  async compact(mapKeys: number, lag: number, events: number | undefined): Promise<void> {
    if (this.#running !== undefined) await this.world.finish(this.#running);
    for (const record of this.written) record.firstMet ??= this.now;
    // Larger than they were begun: some are merged.
    this.log.updateConfig({ ...this.#config, segmentBytes: 3 * SEGMENT_BYTES });
    this.#committed = Math.max(this.#committed, this.log.logEndOffset - lag);
    const run = this.log.compact({
      endOffset: this.#committed,
      now: this.now,
      mapBytes: (mapKeys + 2) * 24,
      secret: Buffer.alloc(16, this.now % 251),
    });
    if (events !== undefined) {
      this.#running = run.then((result) => {
        this.#running = undefined;
        this.#check(result);
      });
      await this.world.pump(events);
      return;
    }
    this.#check(await this.world.finish(run));
    await this.check();
  }

  #check(result: CompactionResult): void {
    this.count(result.kind);
    if (result.kind === 'compacted') expect(result.endOffset).toBeGreaterThan(result.startOffset);
  }

  async crash(how: 'kill' | 'power-cut'): Promise<void> {
    this.count(how);
    await this.world.finish((this.#directory as LogDirectory).checkpoint(() => this.log.logEndOffset));
    this.world.crash(how);
    await this.#open();
    await this.check();
  }

  /** Names of segments that lie there with this suffix. */
  async files(suffix: string): Promise<string[]> {
    const entries = await this.world.finish(this.world.deps().disk.list(`${DATA}/t-0`));
    return entries.map(({ name }) => name).filter((name) => name.endsWith(`.log.${suffix}`));
  }

  /** Begins a life, for so many steps of the disk. */
  async beginOpening(events: number): Promise<void> {
    const opening = LogDirectory.open(this.world.deps(), DATA, META).then((directory) =>
      directory.openLog('t', TOPIC_ID, 0, this.#config),
    );
    opening.catch(() => undefined);
    await this.world.pump(events);
  }

  /** As `crash`, but with what was noted last time. */
  async crashNow(how: 'kill' | 'power-cut'): Promise<void> {
    this.count(how);
    this.world.crash(how);
    for (const suffix of ['cleaned', 'swap', 'deleted']) {
      if ((await this.files(suffix)).length > 0) this.count(suffix);
    }
    await this.#open();
    await this.check();
  }

  async stop(): Promise<void> {
    this.count('stop');
    expect(await this.world.finish((this.#directory as LogDirectory).close(true, 1))).toBe(true);
    this.world.crash('power-cut');
    await this.#open();
    await this.check();
  }

  async truncate(back: number): Promise<void> {
    const to = Math.max(this.#committed, this.log.logEndOffset - back);
    await this.world.finish(this.log.truncateTo(to));
    this.written = this.written.slice(0, this.log.logEndOffset);
    // Which sequences a producer has left is the log's to say: no more of those that were cut.
    this.#sequences = new Map(
      [...this.#sequences.keys()].flatMap((producer) => {
        const last = this.log.producers?.get(producer)?.batches.at(-1)?.lastSequence;
        return last === undefined ? [] : [[producer, last + 1]];
      }),
    );
    this.#epoch = Math.max(0, ...this.log.epochs.entries.map(({ epoch }) => epoch));
    await this.check();
  }

  /** D-9.4, of the whole log. */
  async check(): Promise<void> {
    const { log, written } = this;
    expect(log.logStartOffset).toBe(0);
    expect(log.logEndOffset).toBe(written.length);
    const found = await this.world.finish(readAll(log));
    const present = new Set(found.map(({ offset }) => offset));
    // Nothing is invented, and nothing moves.
    for (const record of found) {
      const { offset, key, value, timestamp, leaderEpoch } = written[record.offset] as Written;
      expect(record).toEqual({ offset, key, value, timestamp, leaderEpoch });
    }
    for (const [key, records] of this.#byKey()) {
      const last = records.filter(({ transactional }) => !transactional).at(-1);
      // A later record that counts is all that excuses a missing one.
      for (const record of records) {
        if (present.has(record.offset) || (last !== undefined && record.offset < last.offset)) continue;
        const due = (record.firstMet ?? Infinity) + RETENTION_MS;
        expect([key, record, record === last && record.value === null && this.now >= due]).toEqual([key, record, true]);
        // What it ended does not come back.
        expect(records.filter(({ offset }) => offset <= record.offset && present.has(offset))).toEqual([]);
      }
    }
    this.#checkDerived();
  }

  #byKey(): Map<string, Written[]> {
    const keys = new Map<string, Written[]>();
    for (const record of this.written) {
      if (record.key !== null) keys.set(record.key, [...(keys.get(record.key) ?? []), record]);
    }
    return keys;
  }

  #checkDerived(): void {
    const { log, written } = this;
    const epochs = written.filter((record, i) => record.leaderEpoch !== written[i - 1]?.leaderEpoch);
    expect(log.epochs.entries).toEqual(
      epochs.map(({ leaderEpoch, offset }) => ({ epoch: leaderEpoch, startOffset: offset })),
    );
    const sequences = [...this.#sequences].map(([producer, next]) => [producer, next - 1]);
    const known = sequences.map(([producer]) => [
      producer,
      log.producers?.get(producer as number)?.batches.at(-1)?.lastSequence,
    ]);
    expect(known).toEqual(sequences);
  }
}
