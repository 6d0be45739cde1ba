// The log under test with its model: a log directory with one partition on a simulated disk, through lives of a process that
// end at any step of the disk. Operations may be left under way; what becomes of them is checked when they end.

import type { Uuid } from '../../../src/base/uuid.ts';
import { NO_OVERRIDES } from '../../../src/config/in-force.ts';
import type { NodeValues } from '../../../src/config/node-keys.ts';
import type { TopicConfig } from '../../../src/config/topic-config.ts';
import { topicDefaults } from '../../../src/config/topic-config.ts';
import { EnvError } from '../../../src/env/error.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import type { PartitionLog } from '../../../src/log/partition-log.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import type { BatchHeader } from '../../../src/record/batch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { Broken, must } from './broken.ts';
import { checkContent, checkDerived } from './checks.ts';
import type { Profile } from './model.ts';
import { fromStart, LogModel } from './model.ts';
import { DATA, SimWorld } from './sim-world.ts';

const TOPIC = 't';
export const FOLDER = `${DATA}/${TOPIC}-0`;
const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ' as Uuid;
const META = {
  clusterId: 'AAAAAAAAAAAAAAAAAAAAAg' as Uuid,
  directoryId: 'AAAAAAAAAAAAAAAAAAAAAw' as Uuid,
  nodeId: 1,
  version: 1,
} as const;
const BROKER_EPOCH = 7;

export interface SubjectOptions {
  readonly seed: number;
  readonly config: Partial<TopicConfig>;
  readonly nodeValues: Partial<NodeValues>;
  /** Memory for loaded indexes: little of it makes logs cold. */
  readonly indexBytes: number;
  readonly profile: Profile;
}

type Outcome<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'failed'; readonly error: EnvError };

export class Subject {
  readonly world: SimWorld;
  readonly model: LogModel;
  /** What the run met, by name. */
  readonly met: Map<string, number>;
  config: TopicConfig;
  #directory: LogDirectory | undefined;
  #log: PartitionLog | undefined;
  /** Found by something that nobody waits for. */
  #problem: Error | undefined;
  /** The last life ended cleanly, and no other began since. */
  #stoppedCleanly = false;

  constructor({ seed, config, nodeValues, indexBytes, profile }: SubjectOptions, met: Map<string, number>) {
    this.world = new SimWorld(seed, nodeValues, indexBytes);
    this.model = new LogModel(profile);
    this.met = met;
    this.config = {
      ...topicDefaults({ broker: NO_OVERRIDES, cluster: NO_OVERRIDES }, this.world.nodeValues),
      ...config,
    };
  }

  get log(): PartitionLog {
    return this.#log as PartitionLog;
  }

  get directory(): LogDirectory {
    return this.#directory as LogDirectory;
  }

  get segmentCount(): number {
    return this.world.simDisk.tree.directory(FOLDER).entries.size;
  }

  /** A promise of the log that an operation kept or broke. */
  promise(what: string, isKept: boolean): void {
    must('S-D1', isKept, () => `the log says "${what}" and is not: durable up to ${this.log.flushedEndOffset}`);
  }

  reconfigure(change: Partial<TopicConfig>): void {
    this.config = { ...this.config, ...change };
    try {
      this.log.updateConfig(this.config);
    } catch (error) {
      must('S-D1', error instanceof EnvError && this.log.failure !== undefined, () => 'staged bytes lost, and no word');
      this.count('failed write-outs');
    }
  }

  count(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  async start(): Promise<void> {
    await this.world.finish(writeMetaProperties(this.world.deps().disk, DATA, META));
    await this.#open('new');
  }

  /** Waits for the end of an operation. EnvErrors of the plan are outcomes; anything else is a bug. */
  async outcome<T>(promise: Promise<T>): Promise<Outcome<T>> {
    return this.world.finish(this.#outcomeOf(promise));
  }

  /** Leaves the operation under way; `then` hears of its end, unless the process ends before. */
  leave<T>(promise: Promise<T>, then: (outcome: Outcome<T>) => void | Promise<void>): void {
    const { life } = this.world;
    this.#outcomeOf(promise)
      .then((outcome) => (life === this.world.life ? then(outcome) : undefined))
      .catch((error: unknown) => {
        this.#problem ??= error instanceof Error ? error : new Error(String(error));
      });
  }

  /** Waits for it, or leaves it under way. */
  async run<T>(wait: boolean, promise: Promise<T>, then: (outcome: Outcome<T>) => void | Promise<void>): Promise<void> {
    if (wait) return then(await this.outcome(promise));
    this.leave(promise, then);
  }

  async #outcomeOf<T>(promise: Promise<T>): Promise<Outcome<T>> {
    try {
      return { kind: 'done', value: await promise };
    } catch (error) {
      if (!(error instanceof EnvError)) throw error;
      const isPlanned = error.message.includes('injected') || error.code === 'NO_SPACE' || error.code === 'CLOSED';
      if (!isPlanned) throw new Broken('S-D1', `refused: ${error.message}`);
      this.count('failures');
      return { kind: 'failed', error };
    }
  }

  /** After every command: what the log says now must hold for ever. */
  async settle(): Promise<void> {
    if (this.#problem !== undefined) throw this.#problem;
    const { log, model } = this;
    const { logStartOffset, flushedEndOffset, logEndOffset } = log;
    const facts = (): string => JSON.stringify({ logStartOffset, flushedEndOffset, logEndOffset, end: model.end });
    must('S-D1', logEndOffset === model.end || logEndOffset === model.truncatingTo?.end, facts);
    must('S-D1', flushedEndOffset <= logEndOffset && logStartOffset <= logEndOffset, facts);
    must('S-D6', logStartOffset >= model.logStart.least && logStartOffset <= model.logStart.most, () => {
      return `${facts()}, the start should be between ${model.logStart.least} and ${model.logStart.most}`;
    });
    model.startsAt(logStartOffset);
    // While a truncation is under way, less is promised.
    if (model.truncatingTo === undefined) {
      model.durableEnd = Math.max(model.durableEnd, log.recoveryPoint);
      // M-2: appends of the one mode are in the page cache at once, of the other when they are flushed.
      const isWritten = this.config.flushMode === 'async' && log.failure === undefined;
      model.writtenEnd = isWritten ? model.end : Math.max(model.writtenEnd, model.durableEnd);
    }
    if (log.failure !== undefined) await this.#leaveFenced();
  }

  /** a log whose write or sync failed takes nothing more; the process starts again. */
  async #leaveFenced(): Promise<void> {
    this.count('fenced');
    const random = this.world.scheduler.random.below('fenced', 4);
    if (random === 0) return this.restart('power-cut');
    if (random === 1) return this.stop();
    return this.restart('kill');
  }

  async restart(wanted: 'kill' | 'power-cut'): Promise<void> {
    const { fenced, truncating } = this.#state();
    // A cut whose sync failed is in the page cache alone, and nothing tells a later life that the disk does not have it.
    const how = fenced && truncating ? 'power-cut' : wanted;
    this.count(how);
    this.world.crash(how);
    this.#stoppedCleanly = false;
    await this.#open(how === 'kill' && !fenced && !truncating ? 'intact' : 'torn');
  }

  /** Stops in good order; the power cut after it must change nothing. */
  async stop(): Promise<void> {
    const { fenced } = this.#state();
    const closed = await this.outcome(this.directory.close(true, BROKER_EPOCH));
    const clean = closed.kind === 'done' && closed.value;
    if (!clean) {
      must('S-D1', closed.kind === 'failed' || fenced || this.log.failure !== undefined, () => 'a stop was not clean');
      return this.restart('kill');
    }
    must('S-D1', !fenced, () => 'a clean stop, though a write or sync had failed');
    this.count('clean stops');
    this.model.durableEnd = this.model.end;
    this.model.durableEpoch = this.model.epochs.at(-1);
    this.world.crash('power-cut');
    this.#stoppedCleanly = true;
    await this.#open('clean');
  }

  #state(): { fenced: boolean; truncating: boolean } {
    return { fenced: this.log.failure !== undefined, truncating: this.model.truncatingTo !== undefined };
  }

  async #open(after: 'new' | 'clean' | 'intact' | 'torn'): Promise<void> {
    this.world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
    let left = after;
    for (;;) {
      const opened = await this.outcome(this.openOnce());
      if (opened.kind === 'done') break;
      // As above: recovery cuts too.
      this.world.crash('power-cut');
      left = 'torn';
    }
    const { model, log } = this;
    Object.assign(model, { truncatingTo: undefined, busy: false });
    model.compactions.underWay = 0;
    must('S-D1', log.logEndOffset >= model.durableEnd, () => {
      return `the log ends at ${log.logEndOffset}, below ${model.durableEnd} that were durable`;
    });
    const { end: before, writtenEnd } = model;
    model.endsAt(log.logEndOffset);
    must('S-D11', log.logEndOffset === model.end, () => `the log ends at ${log.logEndOffset}, batches at ${model.end}`);
    const kept = left === 'clean' ? before : writtenEnd;
    if (left !== 'torn') must('S-D1', model.end >= kept, () => `a ${left} log lost ${model.end} to ${kept}`);
    if (model.end < before) this.count(left === 'intact' ? 'staged bytes lost' : 'lost tails');
    // It was found in the files.
    model.writtenEnd = model.end;
    this.#adoptLastEpoch(left);
    await this.settle();
    model.logStart.most = log.logStartOffset;
    model.highWatermark = Math.max(model.highWatermark, log.logStartOffset);
    if (!log.isWarm) this.count('opened cold');
    // What a cold log says is checked before and after it is warm.
    checkDerived(model, log);
    if (await this.warm()) checkDerived(model, log);
    await this.readAll();
  }

  /** One start of the process, up to the log. */
  async openOnce(): Promise<void> {
    const wasClean = this.#stoppedCleanly;
    const directory = await LogDirectory.open(this.world.deps(), DATA, { nodeId: META.nodeId });
    this.#stoppedCleanly = false;
    const isClean = directory.cleanShutdownEpoch !== undefined;
    // A start that failed before may have consumed the marker.
    must('S-M11', wasClean || !isClean, () => 'a directory calls itself clean after a crash');
    this.#directory = directory;
    this.#log = await directory.openLog(TOPIC, TOPIC_ID, 0, this.config);
  }

  /** Of the epochs, only one without batches at the very end may have come or gone. */
  #adoptLastEpoch(left: string): void {
    const { model, log } = this;
    const found = fromStart(log.epochs.entries, log.logStartOffset).at(-1);
    model.epochs = fromStart(model.epochs, log.logStartOffset);
    const atEnd = found?.startOffset === model.end ? found : undefined;
    const expected = model.epochs.at(-1)?.startOffset === model.end ? model.epochs.at(-1) : undefined;
    const least =
      left === 'clean' ? expected : model.durableEpoch?.startOffset === model.end ? model.durableEpoch : undefined;
    const says = (): string => `the log ends with epoch ${JSON.stringify(atEnd)}, durable was ${JSON.stringify(least)}`;
    must('S-D4', least === undefined || (atEnd !== undefined && atEnd.epoch >= least.epoch), says);
    must('S-D4', atEnd === undefined || atEnd.epoch <= model.leaderEpoch, says);
    model.epochs = model.epochs.filter((entry) => entry.startOffset < model.end);
    if (atEnd !== undefined && atEnd.epoch !== model.epochs.at(-1)?.epoch)
      model.epochs.push({ epoch: atEnd.epoch, startOffset: atEnd.startOffset });
  }

  /** All that is in the log is durable and committed, unless the disk fails. */
  async commit(): Promise<void> {
    const flushed = await this.outcome(this.log.flush());
    if (flushed.kind === 'done' && this.model.truncatingTo === undefined) this.model.highWatermark = this.model.end;
  }

  /** Gets the log ready for appends. False if that failed. */
  async warm(): Promise<boolean> {
    while (!this.log.isWarm) {
      const warmed = await this.outcome(this.log.warm());
      if (warmed.kind === 'failed') return false;
      this.count('warmed');
    }
    return true;
  }

  /** Reads all of the log and compares. */
  async readAll(maxBytes = 700): Promise<void> {
    const { log, model } = this;
    const found: BatchHeader[] = [];
    for (let offset = log.logStartOffset; offset < model.end; ) {
      const read = await this.outcome(log.read(offset, maxBytes, model.end, true));
      if (read.kind === 'failed') return;
      const batches = [...splitBatches(read.value)];
      const last = batches.at(-1);
      // Behind the last batch that compaction left there is nothing.
      if (last === undefined) break;
      must('S-D11', last.lastOffset >= offset, () => `a read at ${offset} ended with ${last.lastOffset}`);
      found.push(...batches);
      offset = last.nextOffset;
    }
    checkContent(model, log, found);
  }
}
