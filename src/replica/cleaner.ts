// Compaction in the background (D-9.4): every log.cleaner.backoff.ms the broker looks for logs with topic config cleanup.policy=compact
// and compacts the dirtiest, one at a time, until none is dirty enough. A log that cannot be compacted is left alone from then on and
// the others go on: it serves its records all the same. A full disk is only waited for.
import { assert } from '../base/assert.ts';
import type { NodeValues } from '../config/node-keys.ts';
import { compacts } from '../config/topic-config.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import type { CompactionStats } from '../log/compaction/compact.ts';
import { HASH_KEY_BYTES } from '../log/compaction/key-hash.ts';
import type { Partition } from './partition.ts';
import { Throttle } from './throttle.ts';

/** Partitions that are looked at before others get their turn. */
const PARTITIONS_PER_TURN = 100;

export interface CleanerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly values: Pick<
    NodeValues,
    | 'log.cleaner.enable'
    | 'log.cleaner.backoff.ms'
    | 'log.cleaner.dedupe.buffer.size'
    | 'log.cleaner.io.max.bytes.per.second'
  >;
  /** Those whose logs are open. */
  readonly partitions: () => Iterable<Partition>;
}

interface Dirty {
  readonly partition: Partition;
  readonly ratio: number;
}

export class Cleaner {
  readonly #deps: CleanerDeps;
  readonly #throttle: Throttle;
  /** Those whose logs could not be compacted. */
  readonly #uncleanable = new WeakSet<Partition>();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #stopped = false;

  constructor(deps: CleanerDeps) {
    this.#deps = deps;
    this.#throttle = new Throttle(deps.clock, deps.values['log.cleaner.io.max.bytes.per.second']);
  }

  start(): void {
    assert(this.#timer === undefined, 'the cleaner is started once');
    if (this.#deps.values['log.cleaner.enable']) this.#next();
  }

  /** Resolves when a compaction that is under way has ended, which it does soon, without leaving anything half done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#throttle.release();
    await this.#round;
  }

  #next(): void {
    if (this.#stopped) return;
    this.#timer = this.#deps.clock.schedule(this.#deps.values['log.cleaner.backoff.ms'], () => {
      this.#round = this.#runRound().finally(() => this.#next());
    });
  }

  async #runRound(): Promise<void> {
    // A log that could not be compacted to its end is not tried again in the same round.
    const tried = new Set<Partition>();
    for (;;) {
      const dirtiest = await this.#dirtiest(tried);
      if (dirtiest === undefined || this.#stopped) return;
      if (!(await this.#compact(dirtiest))) tried.add(dirtiest);
    }
  }

  async #dirtiest(tried: ReadonlySet<Partition>): Promise<Partition | undefined> {
    let best: Dirty | undefined;
    for (const [i, partition] of [...this.#deps.partitions()].entries()) {
      if (i % PARTITIONS_PER_TURN === PARTITIONS_PER_TURN - 1) await sleep(this.#deps.clock, 0);
      if (this.#stopped) return undefined;
      if (!compacts(partition.config) || tried.has(partition) || this.#uncleanable.has(partition)) continue;
      const dirty = await this.#look(partition);
      if (dirty !== undefined && (best === undefined || dirty.ratio > best.ratio)) best = dirty;
    }
    return best?.partition;
  }

  async #look(partition: Partition): Promise<Dirty | undefined> {
    if (partition.failure !== undefined || partition.isRetired) return undefined;
    const { log, highWatermark, config } = partition;
    try {
      const dirty = await log.dirtyPart(highWatermark, this.#deps.clock.wallTime());
      if (dirty === undefined || (dirty.ratio < config.minCleanableDirtyRatio && !dirty.overdue)) return undefined;
      return { partition, ratio: dirty.ratio };
    } catch (error) {
      this.#failed(partition, error);
      return undefined;
    }
  }

  /** Whether the log may be looked at again at once. */
  async #compact(partition: Partition): Promise<boolean> {
    const { clock, random, values } = this.#deps;
    const startedAt = clock.now();
    try {
      const result = await partition.log.compact({
        endOffset: partition.highWatermark,
        now: clock.wallTime(),
        mapBytes: values['log.cleaner.dedupe.buffer.size'],
        secret: random.bytes('log.cleaner.hash', HASH_KEY_BYTES),
        throttle: (bytes) => this.#throttle.take(bytes),
        isStopped: () => this.#stopped || partition.isRetired,
      });
      if (result.kind !== 'compacted') return false;
      this.#tell(partition, result, clock.now() - startedAt);
      return true;
    } catch (error) {
      this.#failed(partition, error);
      return false;
    }
  }

  #tell({ topic, partition }: Partition, stats: CompactionStats, ms: number): void {
    const { startOffset, endOffset, bytesBefore, bytesAfter, recordsBefore, recordsAfter, keys } = stats;
    this.#deps.logger.info('log-compacted', {
      topic,
      partition,
      startOffset,
      endOffset,
      bytesBefore,
      bytesAfter,
      recordsBefore,
      recordsAfter,
      keys,
      ms: Math.round(ms),
    });
  }

  #failed(partition: Partition, error: unknown): void {
    if (!isEnvError(error)) throw error;
    // Closed under the cleaner, or failed as a whole: told by whoever did that.
    if (partition.isRetired || partition.failure !== undefined || partition.log.failure !== undefined) return;
    if (error.code === 'CLOSED') return;
    const facts = { topic: partition.topic, partition: partition.partition, reason: error.message };
    if (error.code === 'NO_SPACE') {
      this.#deps.logger.warn('log-not-compacted', { ...facts, fix: 'free space on the disk: the broker tries again' });
      return;
    }
    this.#uncleanable.add(partition);
    this.#deps.logger.error('log-uncleanable', {
      ...facts,
      fix: 'its old records are kept from now on: mend the disk, then start the broker again',
    });
  }
}
