// One replica following one leader in one leader epoch (D-3): what it asks for next, and what it does with each answer. A new epoch makes a
// new one, so that nothing of an old one is acted on. While its log is flushed, cut or warmed it asks for nothing.
import { assert } from '../base/assert.ts';
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { BackoffRange } from '../client/backoff.ts';
import { backoffMs } from '../client/backoff.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { isEnvError } from '../env/error.ts';
import type { Random } from '../env/random.ts';
import type { FetchPartitionData } from '../protocol/apis/fetch.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import { checkRun, earlierStart } from './fetch-answers.ts';
import type { Cutter } from './log-cut.ts';
import { beginAnew, cutTo, isAwaited, reportNothingCut } from './log-cut.ts';
import type { Partition } from './partition.ts';
import type { ReplicationThrottles } from './throttles.ts';
import { divergence } from './truncation-point.ts';

/** What a follower asks of one partition. A value: another position is another object. */
export interface FetchPosition {
  /** Where the log ends; what is below counts as replicated, so with log.flush.mode=sync it is durable (D-3.9). */
  readonly fetchOffset: Offset;
  readonly lastFetchedEpoch: Epoch;
  readonly currentLeaderEpoch: Epoch;
  readonly logStartOffset: Offset;
}

/** Where the leader's log starts and ends (D-3.8). */
export interface LeaderBounds {
  readonly startOffset: Offset;
  readonly endOffset: Offset;
}

export interface FollowingDeps extends Pick<Cutter, 'logger' | 'lossReports' | 'awaited'> {
  readonly clock: Clock;
  readonly random: Random;
  readonly throttles: ReplicationThrottles;
  /** Of a partition that cannot be fetched now. */
  readonly backoff: BackoffRange;
  /** Asks the leader, in the epoch of the following; undefined: it did not answer, or refused. */
  leaderBounds(following: Following): Promise<LeaderBounds | undefined>;
  /** The position is another one, or there is none now. */
  moved(following: Following): void;
}

/** What an answer says beside its records. */
type LeaderOffsets = Pick<FetchPartitionData, 'highWatermark' | 'logStartOffset'>;

/** A leader may hear of its epoch later than its followers: only one that refuses so often is worth a line. */
const ATTEMPTS_TO_TELL = 5;

export class Following {
  readonly partition: Partition;
  readonly leader: NodeId;
  readonly leaderEpoch: Epoch;
  readonly #deps: FollowingDeps;
  readonly #cutter: Cutter;
  readonly #stopping = new AbortController();
  #position: FetchPosition | undefined;
  /** Work on the log that must end before the partition is anything else (D-0.3). */
  readonly #underWay = new Set<Promise<void>>();
  #timer: Timer | undefined;
  /** Failures in a row. */
  #attempts = 0;
  /** Kinds of refusals that were told. */
  readonly #told = new Set<'answer' | 'leader'>();
  /** The leader has found that its log begins with this one. */
  #matches = false;
  #leaderStartOffset: Offset = 0;
  /** The leader had more that is committed than it sent: this replica is out of sync. */
  #isBehind = false;
  #isMovingLogStart = false;

  constructor(deps: FollowingDeps, partition: Partition, leader: NodeId, leaderEpoch: Epoch) {
    const { logger, lossReports, awaited } = deps;
    this.#deps = deps;
    this.partition = partition;
    this.leader = leader;
    this.leaderEpoch = leaderEpoch;
    this.#cutter = { partition, leaderEpoch, logger, lossReports, awaited, signal: this.#stopping.signal };
  }

  /** To be fetched from; undefined: nothing now. */
  get position(): FetchPosition | undefined {
    return this.#position;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  #stopped(): Promise<undefined> {
    return new Promise((resolve) => {
      this.#stopping.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }

  start(): void {
    if (this.#mustFlush) void this.#work(() => this.#flush());
    else this.#goOn();
  }

  /** Acts on nothing from now on; resolves when what is under way has ended (D-0.3, KAFKA-13266). */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#position = undefined;
    this.#timer?.cancel();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /**
   * Takes the leader's answer to `asked`. Its records may be used until what is returned resolves: then they are in the log, and
   * flushed where that is asked for.
   */
  take(asked: FetchPosition, answer: FetchPartitionData): Promise<void> | undefined {
    if (!this.#isAnswerTo(asked)) return undefined;
    const { errorCode, divergingEpoch } = answer;
    if (errorCode === ErrorCode.OFFSET_OUT_OF_RANGE) void this.#work(() => this.#outOfRange());
    else if (errorCode !== ErrorCode.NONE) this.#wait(`it answers ${errorName(errorCode)}`);
    else if (divergingEpoch.endOffset >= 0)
      this.#cut(asked, answer); // D-3.2
    else return this.#proceed(answer);
    return undefined;
  }

  /** D-3.1 (KAFKA-18991): a late answer says nothing of where this log ends now. */
  #isAnswerTo(asked: FetchPosition): boolean {
    const position = this.#position;
    return (
      !this.#isStopped &&
      position !== undefined &&
      position.fetchOffset === asked.fetchOffset &&
      position.currentLeaderEpoch === asked.currentLeaderEpoch
    );
  }

  #proceed(answer: FetchPartitionData): Promise<void> | undefined {
    if (!this.#matches) {
      this.#matches = true;
      if (isAwaited(this.#cutter)) {
        // Nobody waits for that: the records come again.
        void this.#work(() => reportNothingCut(this.#cutter));
        return undefined;
      }
    }
    const { records } = answer;
    if (records === null || records.length === 0) {
      this.#attempts = 0;
      this.#follow(answer);
      return undefined;
    }
    return this.#takeRecords(answer, records);
  }

  /** D-3.7. */
  #takeRecords(answer: LeaderOffsets, records: Buffer): Promise<void> | undefined {
    const { log, config } = this.partition;
    const { epochs } = log;
    const startOffset = earlierStart(records, log);
    const endOffset = startOffset ?? log.logEndOffset;
    const run = checkRun(records, { endOffset, latestEpoch: epochs.latestEpoch, leaderEpoch: this.leaderEpoch });
    if (run.kind === 'refused') {
      this.#refuse(run.reason);
      return undefined;
    }
    this.#attempts = 0;
    if (startOffset === undefined && log.isWarm && config.flushMode === 'async') {
      if (!this.#append(run.bytes)) return undefined;
      this.#follow(answer);
      this.#moved(run.bytes.length, answer);
      this.#goOn();
      return undefined;
    }
    return this.#work(async () => {
      if (startOffset !== undefined) {
        await log.truncateFullyAndStartAt(startOffset);
        this.partition.truncated();
      }
      while (!log.isWarm && !this.#isStopped) await log.warm();
      if (this.#isStopped || !this.#append(run.bytes)) return;
      if (this.#mustFlush) await this.#flush(); // D-3.9
      this.#follow(answer);
      this.#moved(run.bytes.length, answer);
    });
  }

  /** KIP-73: who is out of sync moves so many bytes per second. */
  #moved(bytes: number, { highWatermark }: LeaderOffsets): void {
    this.#isBehind = this.partition.log.logEndOffset < highWatermark;
    if (this.#isThrottled) this.#deps.throttles.follower.record(bytes);
  }

  get #isThrottled(): boolean {
    const { config, partition } = this.partition;
    return this.#isBehind && this.#deps.throttles.names(config.followerReplicationThrottledReplicas, partition);
  }

  /** As it is. False if the log fails. */
  #append(bytes: Buffer): boolean {
    const { log, config } = this.partition;
    try {
      log.appendAsFollower(bytes);
    } catch (error) {
      if (!isEnvError(error)) throw error;
      if (this.#position !== undefined) this.#setPosition(undefined);
      this.partition.fail(error);
      return false;
    }
    if (config.flushMode === 'async') this.partition.appendedAsFollower();
    return true;
  }

  get #mustFlush(): boolean {
    const { log, config } = this.partition;
    return config.flushMode === 'sync' && log.flushedEndOffset < log.logEndOffset;
  }

  #flush(): Promise<void> {
    return this.partition.log.flush();
  }

  #follow({ highWatermark, logStartOffset }: LeaderOffsets): void {
    if (this.#isStopped) return;
    this.partition.followed({ highWatermark });
    this.#leaderStartOffset = logStartOffset;
    this.#followLogStart();
  }

  /** D-3.7: up to what is committed. */
  #followLogStart(): void {
    const { log, highWatermark } = this.partition;
    const wanted = Math.min(this.#leaderStartOffset, highWatermark);
    if (wanted <= log.logStartOffset || this.#isMovingLogStart || this.#isStopped) return;
    this.#isMovingLogStart = true;
    const moved = log.advanceLogStart(wanted).finally(() => {
      this.#isMovingLogStart = false;
    });
    void this.#track(
      moved.then(() => {
        this.partition.logStartMoved();
        if (this.#position !== undefined) this.#goOn(); // the leader is to know (D-9.1)
        this.#followLogStart();
      }),
    );
  }

  #cut(asked: FetchPosition, { divergingEpoch, logStartOffset }: FetchPartitionData): void {
    const found = divergence(this.partition.log, asked, divergingEpoch);
    if (found.kind === 'refused') this.#refuse(found.reason);
    else void this.#work(() => cutTo(this.#cutter, found.point, logStartOffset));
  }

  /** D-3.8. */
  async #outOfRange(): Promise<void> {
    // A leader that is gone may not answer for long, and another role waits for the end of this.
    const bounds = await Promise.race([this.#deps.leaderBounds(this), this.#stopped()]);
    if (this.#isStopped) return;
    if (bounds === undefined) return this.#wait('it does not say where its log starts and ends');
    const { startOffset, endOffset } = bounds;
    const { logEndOffset } = this.partition.log;
    if (startOffset < 0 || startOffset > endOffset) {
      this.#refuse(`a log from ${startOffset} to ${endOffset}`);
    } else if (endOffset < logEndOffset) await cutTo(this.#cutter, endOffset, startOffset);
    else if (startOffset > logEndOffset) await beginAnew(this.#cutter, startOffset);
    else this.#wait(`${logEndOffset} is out of range for it, though it has ${startOffset} to ${endOffset}`);
  }

  #setPosition(position: FetchPosition | undefined): void {
    this.#position = position;
    this.#deps.moved(this);
  }

  #goOn(): void {
    if (this.#isStopped || this.partition.failure !== undefined) return;
    const { pauseMs } = this.#deps.throttles.follower;
    if (pauseMs > 0 && this.#isThrottled) return this.#pause(pauseMs);
    const { logEndOffset, logStartOffset, epochs } = this.partition.log;
    this.#setPosition({
      fetchOffset: logEndOffset,
      lastFetchedEpoch: epochs.latestEpoch,
      currentLeaderEpoch: this.leaderEpoch,
      logStartOffset,
    });
  }

  /** What the leader sends is not acted on. */
  #refuse(what: string): void {
    this.#wait(`what the leader sends is refused: ${what}`, 'answer');
  }

  /** Asks for nothing for a moment; says why, once of its kind. */
  #wait(reason: string, kind: 'answer' | 'leader' = 'leader'): void {
    const { random, logger, backoff } = this.#deps;
    const { topic, partition } = this.partition;
    this.#attempts += 1;
    if (!this.#told.has(kind) && (kind === 'answer' || this.#attempts >= ATTEMPTS_TO_TELL)) {
      this.#told.add(kind);
      logger.warn('fetch-refused', { topic, partition, leader: this.leader, leaderEpoch: this.leaderEpoch, reason });
    }
    this.#pause(backoffMs(random, 'replica.fetch.backoff', this.#attempts, backoff));
  }

  #pause(ms: Ms): void {
    if (this.#isStopped) return;
    this.#timer = this.#deps.clock.schedule(ms, () => {
      this.#timer = undefined;
      this.#goOn();
    });
    if (this.#position !== undefined) this.#setPosition(undefined);
  }

  /** Runs `task` while nothing is asked for; then goes on, unless it was told to wait. */
  #work(task: () => Promise<unknown>): Promise<void> {
    assert(this.#timer === undefined, 'a partition that waits has no work');
    if (this.#position !== undefined) this.#setPosition(undefined);
    return this.#track(
      task().then(() => {
        if (this.#timer === undefined) this.#goOn();
      }),
    );
  }

  #track(work: Promise<unknown>): Promise<void> {
    const tracked: Promise<void> = work
      .then(
        () => undefined,
        (error: unknown) => this.partition.fail(error),
      )
      .finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
    return tracked;
  }
}
