// The log of one partition: the face over LogState. One writer, any number of readers; appends are synchronous, a flush
// is shared by all who wait for one, a truncation has the log to itself.
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { EnvError } from '../env/error.ts';
import type { AppendResult } from './append.ts';
import { appendAsFollower, appendAsLeader } from './append.ts';
import type { CompactionHost, CompactionResult, CompactionRun } from './compaction/compact.ts';
import { compactLog } from './compaction/compact.ts';
import type { DirtyLog } from './compaction/dirty.ts';
import { dirtyPart } from './compaction/dirty.ts';
import { flushLog } from './flush.ts';
import { truncateFullyAndStartAt } from './full-truncation.ts';
import { GroupCommit } from './group-commit.ts';
import type { EpochEndOffset, LeaderEpochCache } from './leader-epoch-cache.ts';
import type { LogRecovery } from './load.ts';
import { coldState, loadLog } from './load.ts';
import type { LogHooks } from './log-hooks.ts';
import { NO_HOOKS } from './log-hooks.ts';
import type { LogLimits, RemovedSegments } from './log-retention.ts';
import { advanceLogStart, exceedsLimits, retainLog } from './log-retention.ts';
import type { LogConfig, LogDeps, LogState } from './log-state.ts';
import { activeSegment, failLog, producersOf } from './log-state.ts';
import type { LogSummary } from './log-summary.ts';
import { forgetNoted, startEpoch } from './noted-epochs.ts';
import { PositionHints } from './position-hints.ts';
import type { ProducerStates } from './producer-states.ts';
import { readLog } from './read.ts';
import type { Segment } from './segment.ts';
import { consistently, freshMemory } from './segment-view.ts';
import type { FoundTimestamp } from './timestamps.ts';
import { findMaxTimestamp, findTimestamp } from './timestamps.ts';
import { truncateLog } from './truncate.ts';
import { coolLog, isWarm, persistActive, summaryOf, warmLog } from './warm.ts';

export class PartitionLog {
  readonly #state: LogState;
  readonly #commit: GroupCommit;
  readonly #hints = new PositionHints();
  readonly #hooks: LogHooks;
  #isCompacting = false;
  /** The log's end when memory was wanted back last. */
  #endWhenAsked: Offset = -1;

  private constructor(state: LogState, hooks: LogHooks) {
    this.#state = state;
    this.#commit = new GroupCommit(() => flushLog(state));
    this.#hooks = hooks;
    state.host.syncFailed = (error) => failLog(state, 'sync', error);
    state.host.giveBack = (segment) => this.#giveBack(segment);
  }

  /**
   * Opens the log in `directory`, creating an empty one if there is none. Everything that is in it then is durable.
   * EnvError CORRUPT if records that were durable are gone or damaged (D-10.2, D-10.4): nothing was changed then.
   */
  static async open(
    deps: LogDeps,
    directory: string,
    config: LogConfig,
    recovery: LogRecovery,
    hooks: LogHooks = NO_HOOKS,
  ): Promise<PartitionLog> {
    return new PartitionLog(await loadLog(deps, directory, config, recovery), hooks);
  }

  /** Opens the log in `directory` as a clean stop left it: cold. EnvError CORRUPT if more was durable once. */
  static fromSummary(
    deps: LogDeps,
    directory: string,
    config: LogConfig,
    known: { readonly summary: LogSummary; readonly recovery: LogRecovery },
    hooks: LogHooks = NO_HOOKS,
  ): PartitionLog {
    return new PartitionLog(coldState(deps, directory, config, known.summary, known.recovery), hooks);
  }

  /** What the next start needs to know; undefined unless the log is closed and all of it durable. */
  summary(topic: string): LogSummary | undefined {
    return summaryOf(this.#state, topic);
  }

  /** The partition's folder. */
  get directory(): string {
    return this.#state.directory;
  }
  /** logStartOffset <= flushedEndOffset <= logEndOffset. */
  get logStartOffset(): Offset {
    return this.#state.logStartOffset;
  }
  get logEndOffset(): Offset {
    return this.#state.logEndOffset;
  }
  /** Everything below is durable. */
  get flushedEndOffset(): Offset {
    return this.#state.flushedEndOffset;
  }
  /** Everything below survives the end of the process: with `sync` what is durable, as small appends are staged before that (M-8). */
  get survivingEndOffset(): Offset {
    const { config, flushedEndOffset, logEndOffset, truncatingTo } = this.#state;
    const written = config.flushMode === 'sync' ? flushedEndOffset : logEndOffset;
    return Math.min(written, truncatingTo ?? written);
  }
  /** Of its segments' log files. */
  get sizeInBytes(): number {
    return this.#state.segments.reduce((sum, { size }) => sum + size, 0);
  }
  /** What may be remembered as durable: flushedEndOffset, or less while a truncation is under way. */
  get recoveryPoint(): Offset {
    const { flushedEndOffset, truncatingTo } = this.#state;
    return Math.min(flushedEndOffset, truncatingTo ?? flushedEndOffset);
  }
  /** Change it through {@link assignEpoch} only. */
  get epochs(): LeaderEpochCache {
    return this.#state.epochs;
  }
  /** Of a warm log. */
  get producers(): ProducerStates {
    return producersOf(this.#state);
  }
  /** Why the log fenced itself: appends (and after a failed sync, flushes) throw this from then on. */
  get failure(): EnvError | undefined {
    return this.#state.syncFailure ?? this.#state.writeFailure;
  }

  /** Its directory is offline: no append and no flush any more (D-10.5). */
  fence(error: EnvError): void {
    this.#state.writeFailure ??= error;
    this.#state.syncFailure ??= error;
  }

  /** Whether an append can be made now. Others must await {@link warm} first, and then look again. */
  get isWarm(): boolean {
    return isWarm(this.#state) && (activeSegment(this.#state).file.isOpen || this.#state.deps.shared.files.hasRoom);
  }

  /**
   * Gets the log ready for appends. EnvError CORRUPT if its files are not as they were when it was closed, or another if they
   * cannot be read: the log is fenced then.
   */
  async warm(): Promise<void> {
    const state = this.#state;
    if (!isWarm(state)) await this.#commit.exclusively(() => warmLog(state));
    if (!activeSegment(state).file.isOpen) await state.deps.shared.files.room;
  }

  /** The memory of a segment's indexes is wanted back. */
  #giveBack(segment: Segment): void {
    const state = this.#state;
    // The next flush writes them; or the log is being cooled or closed, which does.
    if (state.rolled.some((sealed) => sealed.segment === segment) || state.trimming) return;
    if (segment !== state.segments.at(-1) || !isWarm(state)) {
      segment.unload();
      return;
    }
    // A log that was appended to since is not idle.
    const idle = state.logEndOffset === this.#endWhenAsked;
    this.#endWhenAsked = state.logEndOffset;
    // What fails is told by failLog, and by every later operation.
    if (idle) this.#commit.exclusively(() => coolLog(state)).catch(() => undefined);
  }

  /**
   * In force for the next append. Where nobody waits for a flush any more, everything appended is written when it returns, so
   * that it may be acknowledged; EnvError if that fails: the log is fenced then.
   */
  updateConfig(config: LogConfig): void {
    if (config.flushMode === 'async' && !this.#state.closed) activeSegment(this.#state).file.writeStaged();
    this.#state.config = config;
    this.#state.host.intervalBytes = config.indexIntervalBytes;
  }

  /**
   * As leader: one whole, validated batch, in whose buffer offset and epoch (and the time, with LogAppendTime) are set.
   * EnvError (NO_SPACE, IO) if it could not be written: the log is fenced then.
   */
  append(batch: Buffer, leaderEpoch: Epoch): AppendResult {
    return this.#writing(() => appendAsLeader(this.#state, batch, leaderEpoch));
  }

  /** As follower: whole batches as the leader has them, which continue this log. EnvError as for `append`. */
  appendAsFollower(batches: Buffer): void {
    this.#writing(() => appendAsFollower(this.#state, batches));
  }

  /**
   * Resolves when everything appended before the call is durable; concurrent callers share a sync. After a failed sync
   * it rejects with that EnvError for ever.
   */
  flush(): Promise<void> {
    return this.#commit.request();
  }

  /** A new leader's epoch starts at the log's end, even if no record follows (D-0.3). Durable when it resolves (D-1.4). */
  async assignEpoch(leaderEpoch: Epoch): Promise<void> {
    await startEpoch(this.#state, leaderEpoch, this.#hooks);
    await this.flush();
  }

  /** D-1.2 for this log's end. */
  endOffsetFor(epoch: Epoch): EpochEndOffset | undefined {
    return this.#state.epochs.endOffsetFor(epoch, this.#state.logEndOffset);
  }

  /**
   * Stored bytes of whole batches, from the one that holds `offset` (at least logStartOffset), below `endOffset`, at most
   * `maxBytes`, but at least one batch if `atLeastOne`. Ends at the end of a segment. The buffer is the caller's,
   * of memory from `allocate`, which may be asked for more than is returned, and more than once.
   */
  read(
    offset: Offset,
    maxBytes: number,
    endOffset: Offset,
    atLeastOne: boolean,
    allocate: (size: number) => Buffer = freshMemory,
  ): Promise<Buffer> {
    return readLog(this.#state, this.#hints, { offset, maxBytes, endOffset, atLeastOne, allocate });
  }

  /** The first record below `endOffset` with at least this timestamp. */
  offsetForTimestamp(timestamp: number, endOffset: Offset): Promise<FoundTimestamp | undefined> {
    return findTimestamp(this.#state, timestamp, endOffset);
  }

  /** The first record below `endOffset` that has the greatest timestamp of those; undefined if none has one. */
  offsetOfMaxTimestamp(endOffset: Offset): Promise<FoundTimestamp | undefined> {
    return findMaxTimestamp(this.#state, endOffset);
  }

  /**
   * Removes all batches that hold offsets from `wanted` on, and what was derived from them; all there are where retention has moved the start
   * of the log beyond that meanwhile. Durable when it resolves (D-3.6). No append may run meanwhile.
   */
  truncateTo(wanted: Offset): Promise<void> {
    return this.#commit.exclusively(async () => {
      const offset = Math.max(wanted, this.#state.logStartOffset);
      await forgetNoted(this.#state, offset, this.#hooks);
      await truncateLog(this.#state, offset, this.#hooks.beforeTruncation);
    });
  }

  /**
   * D-3.8: drops everything; the log is empty then and starts at `offset`, wherever that is. Durable when it resolves. No append may run
   * meanwhile. EnvError; the log is fenced then.
   */
  truncateFullyAndStartAt(offset: Offset): Promise<void> {
    return this.#commit.exclusively(() => truncateFullyAndStartAt(this.#state, offset, this.#hooks));
  }

  /**
   * D-9.1: the log starts at `offset`, which is committed, or further on; what lies wholly below goes (D-9.2). Durable when
   * it resolves. EnvError; the log is fenced then.
   */
  advanceLogStart(offset: Offset): Promise<void> {
    return this.#commit.exclusively(() => advanceLogStart(this.#state, offset, this.#hooks.noteLogStart));
  }

  /** Whether {@link retain} may have something to do. Looks at no file. */
  exceeds(limits: LogLimits): boolean {
    return exceedsLimits(this.#state, limits);
  }

  /** Removes the segments that retention lets go of. Durable when it resolves. EnvError; the log is fenced then. */
  retain(limits: LogLimits): Promise<RemovedSegments[]> {
    return this.#commit.exclusively(() => retainLog(this.#state, limits, this.#hooks.noteLogStart));
  }

  /** What compaction would find below `endOffset`; `now` in wall time. EnvError. */
  dirtyPart(endOffset: Offset, now: number): Promise<DirtyLog | undefined> {
    return consistently(this.#state, () => dirtyPart(this.#state, endOffset, now));
  }

  /** Keeps the last record of each key of what is old enough (D-9.4). One run at a time. EnvError, see {@link compactLog}. */
  async compact(run: CompactionRun): Promise<CompactionResult> {
    assert(!this.#isCompacting, () => `${this.directory} is compacted already`);
    const host: CompactionHost = {
      state: this.#state,
      warm: () => this.warm(),
      exclusively: (operation) => this.#commit.exclusively(operation),
      noteFirstDirty: this.#hooks.noteFirstDirty,
    };
    this.#isCompacting = true;
    try {
      return await compactLog(host, run);
    } finally {
      this.#isCompacting = false;
    }
  }

  /**
   * Flushes, writes the indexes of the active segment and the producer state, and closes the files. Rejects with the
   * EnvError if the log could not be made durable, having closed the files all the same.
   */
  async close(): Promise<void> {
    const state = this.#state;
    if (state.closed) return;
    try {
      await this.flush();
      await this.#commit.exclusively(() => persistActive(state));
      await state.deletedFiles.removeNow();
    } finally {
      await this.discard();
    }
  }

  /** Closes the files as they are: the log is to be deleted, or its directory failed. */
  async discard(): Promise<void> {
    const state = this.#state;
    await this.#commit.exclusively(async () => {
      if (state.closed) return;
      state.closed = true;
      state.deletedFiles.forget();
      state.tail.clear();
      for (const segment of state.segments) await segment.close();
    });
  }

  /** Runs an append, and starts what it leaves behind: a sealed segment to sync, or a tail to cut. */
  #writing<T>(append: () => T): T {
    const state = this.#state;
    const rolled = state.rolled.length;
    try {
      return append();
    } finally {
      // Who waits for a flush sees its failure; of this one, that nobody waits for, failLog tells.
      if (state.rolled.length > rolled || state.tailUnknown) this.flush().catch(() => undefined);
    }
  }
}
