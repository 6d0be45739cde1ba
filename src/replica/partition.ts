// One replica of a partition on this broker: its log, its role, and the offsets that clients see.
// Invariant: logStartOffset <= highWatermark <= logEndOffset; consumers see offsets below highWatermark only (D-8.1).
// One role ends before the next begins: who was waited for is answered, and a follower has stopped to write (D-0.3, D-0.4).
import { assert } from '../base/assert.ts';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { TopicConfig } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import { EnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { PartitionState } from '../metadata/image.ts';
import { LazyFlush } from './lazy-flush.ts';
import type { LeadershipDeps } from './leadership.ts';
import { Leadership } from './leadership.ts';
import type { LossReports } from './loss-reports.ts';
import { OffsetWaiters } from './offset-waiters.ts';
import type { FollowerHandle, Role } from './role.ts';
import { decideRole } from './role.ts';
import { lossAtStart } from './start-loss.ts';
import { Watchers } from './watchers.ts';

/** Why an append that was made is not acknowledged. Its records may or may not survive. */
export type AckFailure = 'NOT_LEADER_OR_FOLLOWER' | 'KAFKA_STORAGE_ERROR' | 'NOT_ENOUGH_REPLICAS_AFTER_APPEND';

export interface PartitionDeps extends LeadershipDeps {
  readonly brokerId: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lossReports: LossReports;
  /** The leader epochs of losses that wait for what this replica has to say, rising. */
  readonly awaited: (partition: Partition) => readonly Epoch[];
  /** Begins to fetch from the leader that the state names, in its leader epoch. */
  readonly follow: (partition: Partition, state: PartitionState) => FollowerHandle;
  /** Told once, when the partition has gone offline for what its own log met: who tells the operator, and looks at the log dir. */
  readonly failed: (partition: Partition, error: EnvError) => void;
}

export class Partition {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly log: PartitionLog;
  readonly clock: Clock;
  readonly #deps: PartitionDeps;
  #config: TopicConfig;
  #role: Role | undefined;
  #highWatermark: Offset;
  /** What it knew to be committed in an earlier life, and does not have. */
  #missedHighWatermark: Offset = 0;
  #failure: EnvError | undefined;
  #flushing = false;
  readonly #lazyFlush: LazyFlush;
  #retired = false;
  readonly #flushed = new OffsetWaiters<AckFailure>();
  readonly #committed = new OffsetWaiters<AckFailure>();
  readonly #watchers = new Watchers();
  readonly #recordWatchers = new Watchers();

  constructor(
    deps: PartitionDeps,
    identity: { readonly topic: string; readonly topicId: Uuid; readonly partition: number },
    log: PartitionLog,
    config: TopicConfig,
    /** What the last checkpoint says; a hint (D-6.7). */
    knownHighWatermark: Offset = 0,
  ) {
    this.topic = identity.topic;
    this.topicId = identity.topicId;
    this.partition = identity.partition;
    this.log = log;
    this.#config = config;
    this.#deps = deps;
    this.clock = deps.clock;
    this.#lazyFlush = new LazyFlush(deps.clock, () => this.#flushOnce());
    // D-6.5: what is known to be committed, until D-6.2 says more.
    this.#highWatermark = Math.max(log.logStartOffset, Math.min(knownHighWatermark, log.logEndOffset));
    if (knownHighWatermark > log.logEndOffset) this.#missedHighWatermark = knownHighWatermark;
  }

  /** In force now. */
  get config(): TopicConfig {
    return this.#config;
  }

  /** Others are in force from now on; the high watermark never falls (D-6.4), whatever they say. */
  updateConfig(config: TopicConfig): void {
    if (this.#retired || this.#failure !== undefined) return;
    try {
      this.log.updateConfig(config);
    } catch (error) {
      return this.fail(error);
    }
    this.#config = config;
    this.advance();
    // Who waits until now for no flush may wait for one.
    if (this.leader !== undefined) this.#flushAppended();
  }

  /** What this replica is; undefined before the first state, and once it is retired. */
  get role(): Role | undefined {
    return this.#role;
  }

  /** The role if this broker leads and its disk works. */
  get leader(): Leadership | undefined {
    return this.#role?.kind === 'leader' && this.#failure === undefined ? this.#role : undefined;
  }

  get leaderEpoch(): Epoch {
    return this.#role?.state.leaderEpoch ?? -1;
  }

  get highWatermark(): Offset {
    return this.#highWatermark;
  }

  /** The high watermark, or a greater one of an earlier life whose records this replica does not have any more. */
  get knownHighWatermark(): Offset {
    return Math.max(this.#highWatermark, this.#missedHighWatermark);
  }

  /** Set once the log failed: the partition is offline until the broker is started again (D-10.5). */
  get failure(): EnvError | undefined {
    return this.#failure;
  }

  /** Whether it was closed, or deleted with its topic. */
  get isRetired(): boolean {
    return this.#retired;
  }

  /** Applies a committed partition state (D-0), one after the other. Once retired or failed it stays what it is. */
  async applyState(state: PartitionState): Promise<void> {
    if (this.#retired || this.#failure !== undefined) return;
    const role = this.#role;
    const change = decideRole(role, state, this.#deps.brokerId);
    switch (change.kind) {
      case 'stale':
        return;
      case 'known':
        this.leader?.complete(state);
        return this.advance();
      case 'update':
        assert(role !== undefined, 'a role that goes on is there');
        if (role.kind !== 'leader') this.#role = { ...role, state };
        else if (role.update(state)) this.#wakeAll();
        return this.reconsider();
      case 'lead':
        return this.#lead(state);
      case 'follow':
        return this.#follow(state);
      case 'stand-by':
        return this.#standBy(state);
    }
  }

  /** D-0.3, D-0.4: nothing of the role before goes on when this resolves. */
  async #standBy(state: PartitionState): Promise<void> {
    const before = this.#role;
    this.#role = { kind: 'standby', state };
    await this.#endRole(before, 'NOT_LEADER_OR_FOLLOWER');
  }

  /** D-0.3: the epoch's start is durable before anything is appended in it. */
  async #lead(state: PartitionState): Promise<void> {
    await this.#standBy({ ...state, leader: NO_NODE });
    if (this.#isOver) return;
    try {
      await this.log.assignEpoch(state.leaderEpoch);
    } catch (error) {
      return this.fail(error);
    }
    if (this.#isOver) return;
    const loss = lossAtStart(this, state);
    const leadership = new Leadership(this.#deps, this, state, loss === undefined);
    this.#role = leadership;
    const { topic, partition, log } = this;
    const { leaderEpoch } = state;
    this.#deps.logger.info('partition-leader', { topic, partition, leaderEpoch, logEndOffset: log.logEndOffset });
    this.reconsider();
    if (loss === undefined) return this.#tellLedger(leadership);
    this.#deps.logger.warn('leader-without-records', { topic, ...loss });
    void this.#deps.lossReports.report(loss, leadership.signal).then((isReported) => {
      if (!isReported) return;
      this.#missedHighWatermark = 0;
      leadership.recovered();
    });
  }

  /** S-D8: a leader that was elected cleanly cuts nothing; it may not have had the time to say so as a follower. */
  #tellLedger({ state: { leaderEpoch }, signal }: Leadership): void {
    if (!this.#deps.awaited(this).some((epoch) => epoch <= leaderEpoch)) return;
    const { topicId, partition, log, knownHighWatermark: highWatermark } = this;
    const range = { fromOffset: log.logEndOffset, toOffset: log.logEndOffset };
    void this.#deps.lossReports.report(
      { topicId, partition, leaderEpoch, kind: 'cut', ...range, highWatermark },
      signal,
    );
  }

  /** D-0.4 */
  async #follow(state: PartitionState): Promise<void> {
    await this.#standBy(state);
    if (this.#isOver) return;
    this.#role = { kind: 'follower', state, following: this.#deps.follow(this, state) };
  }

  get #isOver(): boolean {
    return this.#retired || this.#failure !== undefined;
  }

  /** Resolves when it has ended; who waited is answered at once. */
  async #endRole(role: Role | undefined, failure: AckFailure): Promise<void> {
    if (role?.kind === 'leader') role.end();
    this.#flushed.fail(failure);
    this.#committed.fail(failure);
    this.#wakeAll();
    if (role?.kind === 'follower') await role.following.stop();
  }

  /** As leader: who may be in the ISR may be others now, or the time has come to look (D-6.8). */
  reconsider(): void {
    this.isrChanged();
    this.leader?.consider();
  }

  /** As leader: the committed ISR, or how many are enough, may be others now (D-5.3). */
  isrChanged(): void {
    this.advance();
    const role = this.leader;
    // D-7.3: what is not acknowledged by now may have to wait for long.
    if (role !== undefined && role.maximalIsr.length < role.minIsr) {
      this.#committed.fail('NOT_ENOUGH_REPLICAS_AFTER_APPEND');
    }
  }

  /** As follower, after an append: what flush.messages and flush.ms ask for. */
  appendedAsFollower(): void {
    this.#lazyFlush.appended(this.log.logEndOffset - this.log.flushedEndOffset, this.config);
  }

  /** As follower: what an answer of the leader says, once its records are in the log (D-3.7). */
  followed(leader: { readonly highWatermark: Offset }): void {
    const { logStartOffset, logEndOffset } = this.log;
    if (logEndOffset >= this.#missedHighWatermark) this.#missedHighWatermark = 0;
    const next = Math.max(logStartOffset, Math.min(leader.highWatermark, logEndOffset));
    if (next === this.#highWatermark) return;
    this.#highWatermark = next;
    this.#wakeAll();
  }

  /** As follower: the log was truncated (D-3.6). */
  truncated(): void {
    const { logStartOffset, logEndOffset } = this.log;
    this.#highWatermark = Math.max(logStartOffset, Math.min(this.#highWatermark, logEndOffset));
    this.#wakeAll();
  }

  /** Takes the partition offline: its log cannot be trusted with more (R-14.2, D-10.5). A retired one's log is closed. */
  fail(error: unknown): void {
    if (!(error instanceof EnvError)) throw error;
    if (this.#failure !== undefined || this.#retired) return;
    this.goOffline(error);
    this.#deps.failed(this, error);
  }

  /** Its log dir is offline, as who calls this knows. */
  goOffline(error: EnvError): void {
    if (this.#failure !== undefined || this.#retired) return;
    this.#failure = error;
    void this.#endRole(this.#role, 'KAFKA_STORAGE_ERROR');
  }

  /** After an append as leader at `baseOffset`: gets it flushed if the topic asks for that, and moves the high watermark (D-6.8). */
  appended(baseOffset: Offset): void {
    this.leader?.appended(baseOffset);
    this.#flushAppended();
    this.#recordWatchers.wake();
  }

  #flushAppended(): void {
    if (this.config.flushMode === 'async') {
      this.advance();
      this.#lazyFlush.appended(this.log.logEndOffset - this.log.flushedEndOffset, this.config);
    } else if (!this.#flushing) void this.#flush();
  }

  /** One flush after the other while there is something unflushed: everybody who arrived meanwhile shares the next. */
  async #flush(): Promise<void> {
    this.#flushing = true;
    try {
      while (this.log.flushedEndOffset < this.log.logEndOffset && this.#failure === undefined && !this.#retired) {
        await this.log.flush();
        this.advance();
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#flushing = false;
    }
  }

  async #flushOnce(): Promise<void> {
    try {
      if (this.#failure === undefined && !this.#retired) await this.log.flush();
    } catch (error) {
      this.fail(error);
    }
  }

  /** This replica's own log end as it counts for commit (M-8). */
  get #countedEndOffset(): Offset {
    return this.config.flushMode === 'sync' ? this.log.flushedEndOffset : this.log.logEndOffset;
  }

  /** D-6: moves the high watermark as far as it may go, and answers who waited. */
  advance(): void {
    const role = this.leader;
    if (role === undefined) return;
    const ownEndOffset = this.#countedEndOffset;
    this.#flushed.reached(ownEndOffset);
    const next = role.nextHighWatermark(this.#highWatermark, ownEndOffset);
    if (next === this.#highWatermark) return;
    assert(next > this.#highWatermark && next <= this.log.logEndOffset, 'the high watermark rises, up to the log end');
    this.#highWatermark = next;
    this.#committed.reached(next);
    this.#wakeAll();
  }

  /** D-7.3, D-7.4: resolves when records below `endOffset` are acknowledged as `acks` asks; undefined if they are now. */
  acknowledged(endOffset: Offset, acks: 1 | -1): Promise<AckFailure | undefined> | undefined {
    // It failed before the caller could wait: nobody answers who waits from now on.
    if (this.#failure !== undefined) return Promise.resolve('KAFKA_STORAGE_ERROR');
    if (acks === 1) return this.#countedEndOffset >= endOffset ? undefined : this.#flushed.wait(endOffset);
    return this.#highWatermark >= endOffset ? undefined : this.#committed.wait(endOffset);
  }

  /** Calls back at every move of the high watermark or the log start and at the end of a role, until the returned function is called. */
  watch(callback: () => void): () => void {
    return this.#watchers.add(callback);
  }

  /** As `watch`, and also when there are more records at the end of the log, committed or not. */
  watchRecords(callback: () => void): () => void {
    return this.#recordWatchers.add(callback);
  }

  /** Retention, or DeleteRecords, has moved the start of the log. */
  logStartMoved(): void {
    this.#wakeAll();
  }

  #wakeAll(): void {
    this.#watchers.wake();
    this.#recordWatchers.wake();
  }

  /** The replica is going: to be closed, or deleted with its topic. For good. Resolves when its role has ended. */
  async retire(): Promise<void> {
    const role = this.#role;
    this.#retired = true;
    this.#lazyFlush.cancel();
    if (role?.kind !== 'follower') this.#role = undefined;
    await this.#endRole(role, 'NOT_LEADER_OR_FOLLOWER');
    this.#role = undefined;
  }
}
