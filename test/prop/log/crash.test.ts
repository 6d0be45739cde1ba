// Random histories of one log on a simulated disk, with kills, power cuts, failed syncs and full disks between any two
// operations of the disk. After each restart: everything that was durable is there, nothing was invented, and all that is
// derived from the batches is what a replay of them gives.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EnvError } from '../../../src/env/error.ts';
import { LeaderEpochCache } from '../../../src/log/leader-epoch-cache.ts';
import type { LogConfig } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { ProducerStates } from '../../../src/log/producer-states.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { batch, CONFIG } from '../../unit/log/fixture.ts';
import { SimWorld } from './sim-world.ts';

const FOLDER = '/data/t-0';

type Step =
  | {
      readonly kind: 'append';
      readonly count: number;
      readonly bytes: number;
      readonly producer: number;
      readonly time: number;
    }
  | { readonly kind: 'flush' | 'new-epoch' | 'checkpoint' | 'clean-restart' | 'read' }
  | { readonly kind: 'pump'; readonly events: number }
  | { readonly kind: 'truncate'; readonly back: number; readonly wait: boolean }
  | { readonly kind: 'crash'; readonly how: 'kill' | 'power-cut' }
  | { readonly kind: 'fail'; readonly what: 'sync' | 'write' | 'directory' }
  | { readonly kind: 'full'; readonly room: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 3 }),
      bytes: fc.integer({ min: 0, max: 900 }),
      producer: fc.integer({ min: 0, max: 2 }),
      time: fc.integer({ min: 0, max: 30 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pump' as const), events: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('new-epoch', 'checkpoint', 'read' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clean-restart' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('truncate' as const),
      back: fc.integer({ min: 0, max: 12 }),
      wait: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), how: fc.constantFrom('kill', 'power-cut' as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      what: fc.constantFrom('sync', 'write', 'directory' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('full' as const), room: fc.integer({ min: 0, max: 2000 }) }) },
);

/** What a run met, over all runs: the test is worth nothing if these stay away. */
const met = { crashes: 0, cuts: 0, lostBatches: 0, truncations: 0, failures: 0, rolls: 0 };

class History {
  readonly world: SimWorld;
  readonly #config: LogConfig;
  #log: PartitionLog | undefined;
  /** The batches of the log, as written. */
  #batches: BatchHeader[] = [];
  /** Everything below was reported durable and not truncated since. */
  #durableEnd = 0;
  /** As LogDirectory keeps it: durable outside the folder. */
  #recoveryPoint = 0;
  #epoch = 0;
  #sequences = new Map<number, number>();

  constructor(seed: number, config: LogConfig) {
    this.world = new SimWorld(seed);
    this.#config = config;
  }

  get #end(): number {
    return this.#batches.at(-1)?.nextOffset ?? 0;
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.#open({ cleanShutdown: false, intact: true });
    for (const one of steps) {
      await this.#do(one);
      this.#observe();
    }
    await this.#restart('power-cut');
    await this.#restart('kill');
  }

  async #do(one: Step): Promise<void> {
    const log = this.#log as PartitionLog;
    switch (one.kind) {
      case 'append':
        if (!this.#append(log, one)) await this.#restart('kill');
        return;
      case 'flush':
        this.#tolerate(log.flush());
        return;
      case 'new-epoch':
        this.#epoch += 1;
        this.#tolerate(log.assignEpoch(this.#epoch));
        return;
      case 'pump':
        return this.world.pump(one.events);
      case 'checkpoint':
        this.#recoveryPoint = log.recoveryPoint;
        return;
      case 'read':
        if (log.failure === undefined) await this.#checkContent(log);
        return;
      case 'clean-restart':
        return this.#cleanRestart(log);
      case 'truncate':
        return this.#truncate(log, one);
      case 'crash':
        return this.#restart(one.how);
      case 'fail':
        this.world.simDisk.failNext(one.what, FOLDER);
        return;
      case 'full':
        this.world.simDisk.settings.capacityBytes = this.world.simDisk.usedBytes + one.room;
        return;
    }
  }

  /** False if the log fenced itself. */
  #append(log: PartitionLog, spec: Extract<Step, { kind: 'append' }>): boolean {
    const sequence = this.#sequences.get(spec.producer) ?? 0;
    const bytes = batch({
      count: spec.count,
      bytes: spec.bytes,
      timestamp: spec.time,
      ...(spec.producer === 0 ? {} : { producerId: spec.producer, producerEpoch: 0, baseSequence: sequence }),
    });
    try {
      const result = log.append(bytes, Math.max(this.#epoch, log.epochs.latestEpoch));
      expect(result).toMatchObject({ kind: 'appended', baseOffset: this.#end });
    } catch (error) {
      if (!(error instanceof EnvError)) throw error;
      met.failures += 1;
      expect(log.failure).toBeDefined();
      expect(() => log.append(bytes, this.#epoch)).toThrow(EnvError);
      expect(log.logEndOffset).toBe(this.#end);
      return false;
    }
    this.#sequences.set(spec.producer, sequence + spec.count);
    this.#batches.push(new BatchHeader(Buffer.from(bytes)));
    return true;
  }

  /** What the log promises at this moment must hold for ever. */
  #observe(): void {
    const log = this.#log as PartitionLog;
    expect(log.logStartOffset).toBeLessThanOrEqual(log.flushedEndOffset);
    expect(log.flushedEndOffset).toBeLessThanOrEqual(log.logEndOffset);
    this.#durableEnd = Math.max(this.#durableEnd, log.recoveryPoint);
  }

  /** A failure of the disk may reject it; the log is fenced then, and no flush succeeds after a failed sync. */
  #tolerate(promise: Promise<void>): void {
    promise.catch((error: unknown) => {
      if (!(error instanceof EnvError)) throw error;
      met.failures += 1;
    });
  }

  async #truncate(log: PartitionLog, { back, wait }: Extract<Step, { kind: 'truncate' }>): Promise<void> {
    // Readers and flushes may go on meanwhile; appends may not.
    await this.world.finish(log.flush().catch(() => undefined));
    if (log.failure !== undefined) return this.#restart('kill');
    this.#observe();
    const offset = Math.max(0, this.#end - back);
    const kept = this.#batches.filter((header) => header.nextOffset <= offset);
    const end = kept.at(-1)?.nextOffset ?? 0;
    this.#durableEnd = Math.min(this.#durableEnd, end);
    // LogDirectory lowers it before anything else.
    this.#recoveryPoint = Math.min(this.#recoveryPoint, end);
    const truncation = log.truncateTo(offset);
    met.truncations += 1;
    if (!wait) {
      this.#tolerate(truncation);
      await this.world.pump(back);
      return this.#restart('power-cut');
    }
    const failed = await this.world.finish(
      truncation.then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    if (failed !== undefined) {
      expect(failed).toBeInstanceOf(EnvError);
      return this.#restart('power-cut');
    }
    expect(log.logEndOffset).toBe(end);
    this.#batches = kept;
    this.#resequence();
    this.#checkDerived(log, true);
    await this.#checkContent(log);
  }

  async #cleanRestart(log: PartitionLog): Promise<void> {
    const failed = await this.world.finish(
      log.close().then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    if (failed !== undefined) {
      expect(failed).toBeInstanceOf(EnvError);
      return this.#restart('kill');
    }
    this.#durableEnd = this.#end;
    this.#recoveryPoint = this.#end;
    this.world.simDisk.powerCut(undefined);
    await this.#open({ cleanShutdown: true, intact: true });
  }

  async #restart(how: 'kill' | 'power-cut'): Promise<void> {
    met.crashes += 1;
    this.world.crash(how);
    this.world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
    await this.#open({ cleanShutdown: false, intact: how === 'kill' });
  }

  async #open({ cleanShutdown, intact }: { cleanShutdown: boolean; intact: boolean }): Promise<void> {
    for (;;) {
      const recovery = { cleanShutdown, recoveryPoint: this.#recoveryPoint };
      const opening = PartitionLog.open(this.world.deps, FOLDER, this.#config, recovery);
      const log = await this.world.finish(
        opening.catch((error: unknown) => {
          if (error instanceof EnvError && error.message.includes('injected')) return undefined;
          throw error;
        }),
      );
      this.#log = log;
      if (log !== undefined) break;
      // A planned failure hit the start: the process ends and starts again, now after an unclean stop.
      met.failures += 1;
      cleanShutdown = false;
      this.world.crash('kill');
    }
    const log = this.#log as PartitionLog;
    expect(log.logEndOffset, 'durable records survive').toBeGreaterThanOrEqual(this.#durableEnd);
    const kept = this.#batches.filter((header) => header.nextOffset <= log.logEndOffset);
    expect(log.logEndOffset, 'the log ends at a batch').toBe(kept.at(-1)?.nextOffset ?? 0);
    // A truncation that was under way when the process died may have happened; nothing else loses what was written.
    if (intact && kept.length < this.#batches.length) expect(met.truncations).toBeGreaterThan(0);
    met.lostBatches += this.#batches.length - kept.length;
    if (this.world.events.includes('log-recovered-with-cut')) met.cuts += 1;
    this.#batches = kept;
    this.#resequence();
    this.#checkDerived(log, cleanShutdown);
    await this.#checkContent(log);
  }

  #resequence(): void {
    this.#sequences.clear();
    for (const header of this.#batches) this.#sequences.set(header.producerId, header.lastSequence + 1);
  }

  /** Epochs and producers are what a replay gives; an epoch without records may stand at the end. */
  #checkDerived(log: PartitionLog, exact: boolean): void {
    const epochs = new LeaderEpochCache();
    const producers = new ProducerStates();
    for (const header of this.#batches) {
      epochs.assign(header.partitionLeaderEpoch, header.baseOffset);
      producers.update(header);
    }
    expect([...log.producers.values()]).toEqual(expect.arrayContaining([...producers.values()]));
    expect(log.producers.size).toBe(producers.size);
    const found = log.epochs.entries.filter((entry) => entry.startOffset < this.#end);
    expect(found).toEqual(epochs.entries);
    const last = log.epochs.entries.at(-1);
    if (last !== undefined && last.startOffset >= this.#end) expect(last.startOffset).toBe(this.#end);
    if (exact) expect(log.epochs.entries.length - found.length).toBeLessThanOrEqual(1);
  }

  async #checkContent(log: PartitionLog): Promise<void> {
    const end = this.#end;
    const read: Buffer[] = [];
    for (let offset = 0; offset < end; ) {
      const bytes = await this.#finishRead(log.read(offset, 700, end, true));
      if (bytes === undefined) return;
      read.push(bytes);
      offset = [...splitBatches(bytes)].at(-1)?.nextOffset ?? Number.NaN;
    }
    expect(Buffer.concat(read).equals(Buffer.concat(this.#batches.map((header) => header.bytes)))).toBe(true);
    met.rolls += log.logEndOffset > 0 ? 1 : 0;
    const at = this.#batches.at(Math.floor(this.#batches.length / 2));
    if (at === undefined) return;
    const found = await this.#finishRead(log.read(at.lastOffset, 1, end, true));
    if (found !== undefined) expect(new BatchHeader(found).baseOffset).toBe(at.baseOffset);
    const time = await this.#finishRead(log.offsetForTimestamp(at.maxTimestamp, end));
    const first = this.#batches.find((header) => header.maxTimestamp >= at.maxTimestamp);
    if (time !== undefined) expect(time.offset).toBe(first?.baseOffset);
  }

  #finishRead<T>(promise: Promise<T>): Promise<T | undefined> {
    return this.world.finish(
      promise.catch((error: unknown) => {
        if (error instanceof EnvError && error.message.includes('injected')) return undefined;
        throw error;
      }),
    );
  }
}

const config = fc.record({
  segmentBytes: fc.constantFrom(1500, 4000, 1 << 20),
  indexIntervalBytes: fc.constantFrom(0, 600, 4096),
  timestampType: fc.constant('CreateTime' as const),
});

test('D-10 whatever happens between two operations of the disk, a restart finds what was durable and invents nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), config, fc.array(step, { minLength: 5, maxLength: 60 }), (seed, logConfig, steps) =>
      new History(seed, { ...CONFIG, ...logConfig }).run(steps),
    ),
    { numRuns: Number(process.env['RUNS'] ?? 150) },
  );
  for (const [what, count] of Object.entries(met)) expect(count, what).toBeGreaterThan(0);
});
