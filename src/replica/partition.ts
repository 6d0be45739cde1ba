// One replica of a partition on this broker: its log, its role, and the offsets that clients see.
// Invariant: logStartOffset <= highWatermark <= logEndOffset; consumers see offsets below highWatermark only (D-8.1).
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { TopicConfig } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import { EnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import type { PartitionState } from '../metadata/image.ts';
import { nextHighWatermark } from './high-watermark.ts';
import { LazyFlush } from './lazy-flush.ts';
import { OffsetWaiters } from './offset-waiters.ts';
import type { LeaderRole, Role } from './role.ts';
import { decideRole } from './role.ts';

/** Why an append that was made is not acknowledged. Its records may or may not survive. */
export type AckFailure = 'NOT_LEADER_OR_FOLLOWER' | 'KAFKA_STORAGE_ERROR';

export interface PartitionDeps {
  readonly brokerId: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told once, when the partition has gone offline for what its own log met: who tells the operator, and looks at the log dir. */
  readonly failed: (partition: Partition, error: EnvError) => void;
}

export class Partition {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly log: PartitionLog;
  readonly clock: Clock;
  #config: TopicConfig;
  readonly #brokerId: NodeId;
  readonly #logger: Logger;
  readonly #failed: PartitionDeps['failed'];
  #role: Role | undefined;
  #highWatermark: Offset;
  #failure: EnvError | undefined;
  #flushing = false;
  readonly #lazyFlush: LazyFlush;
  #retired = false;
  readonly #flushed = new OffsetWaiters<AckFailure>();
  readonly #committed = new OffsetWaiters<AckFailure>();
  readonly #watchers = new Set<() => void>();

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
    this.#brokerId = deps.brokerId;
    this.clock = deps.clock;
    this.#logger = deps.logger;
    this.#failed = deps.failed;
    this.#lazyFlush = new LazyFlush(deps.clock, () => this.#flushOnce());
    // D-6.5: what is known to be committed, until D-6.2 says more.
    this.#highWatermark = Math.max(log.logStartOffset, Math.min(knownHighWatermark, log.logEndOffset));
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
    if (this.leader !== undefined) this.appended();
  }

  /** The role if this broker leads and its disk works. */
  get leader(): LeaderRole | undefined {
    return this.#role?.kind === 'leader' && this.#failure === undefined ? this.#role : undefined;
  }

  get leaderEpoch(): Epoch {
    return this.#role?.state.leaderEpoch ?? -1;
  }

  get highWatermark(): Offset {
    return this.#highWatermark;
  }

  /** Set once the log failed: the partition is offline until the broker is started again (D-10.5). */
  get failure(): EnvError | undefined {
    return this.#failure;
  }

  /** Whether it was closed, or deleted with its topic. */
  get isRetired(): boolean {
    return this.#retired;
  }

  /** Applies a committed partition state (D-0). Once retired or failed it stays what it is. */
  async applyState(state: PartitionState): Promise<void> {
    if (this.#retired || this.#failure !== undefined) return;
    const change = decideRole(this.#role, state, this.#brokerId);
    switch (change.kind) {
      case 'stale':
        return;
      case 'update':
        this.#role = change.role;
        return this.advance();
      case 'stand-by':
        this.#role = { kind: 'standby', state };
        this.#endLeadership('NOT_LEADER_OR_FOLLOWER');
        return;
      case 'lead':
        await this.#lead(state);
    }
  }

  /** D-0.3: the epoch's start is durable before anything is appended in it. */
  async #lead(state: PartitionState): Promise<void> {
    this.#role = { kind: 'standby', state: { ...state, leader: -1 } };
    this.#endLeadership('NOT_LEADER_OR_FOLLOWER');
    try {
      await this.log.assignEpoch(state.leaderEpoch);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.#retired) return;
    this.#role = { kind: 'leader', state, epochStartOffset: this.log.logEndOffset };
    this.advance();
    this.#logger.info('partition-leader', {
      topic: this.topic,
      partition: this.partition,
      leaderEpoch: state.leaderEpoch,
      logEndOffset: this.log.logEndOffset,
    });
  }

  #endLeadership(failure: AckFailure): void {
    this.#flushed.fail(failure);
    this.#committed.fail(failure);
    this.#wake();
  }

  /** Takes the partition offline: its log cannot be trusted with more (R-14.2, D-10.5). A retired one's log is closed. */
  fail(error: unknown): void {
    if (!(error instanceof EnvError)) throw error;
    if (this.#failure !== undefined || this.#retired) return;
    this.goOffline(error);
    this.#failed(this, error);
  }

  /** Its log dir is offline, as who calls this knows. */
  goOffline(error: EnvError): void {
    if (this.#failure !== undefined || this.#retired) return;
    this.#failure = error;
    this.#endLeadership('KAFKA_STORAGE_ERROR');
  }

  /** After an append: gets it flushed if the topic asks for that, and moves the high watermark (D-6.8). */
  appended(): void {
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
    this.#flushed.reached(this.#countedEndOffset);
    const next = nextHighWatermark({
      current: this.#highWatermark,
      maximalIsrEndOffsets: [this.#countedEndOffset],
      committedIsrSize: role.state.isr.length,
      minInsyncReplicas: this.config.minInsyncReplicas,
      replicationFactor: role.state.replicas.length,
    });
    if (next === this.#highWatermark) return;
    this.#highWatermark = next;
    this.#committed.reached(next);
    this.#wake();
  }

  /** D-7.3, D-7.4: resolves when records below `endOffset` are acknowledged as `acks` asks; undefined if they are now. */
  acknowledged(endOffset: Offset, acks: 1 | -1): Promise<AckFailure | undefined> | undefined {
    // It failed before the caller could wait: nobody answers who waits from now on.
    if (this.#failure !== undefined) return Promise.resolve('KAFKA_STORAGE_ERROR');
    if (acks === 1) return this.#countedEndOffset >= endOffset ? undefined : this.#flushed.wait(endOffset);
    return this.#highWatermark >= endOffset ? undefined : this.#committed.wait(endOffset);
  }

  /** Calls back at every move of the high watermark and at the end of leadership, until the returned function is called. */
  watch(callback: () => void): () => void {
    this.#watchers.add(callback);
    return () => {
      this.#watchers.delete(callback);
    };
  }

  #wake(): void {
    for (const callback of [...this.#watchers]) callback();
  }

  /** The replica is going: to be closed, or deleted with its topic. For good. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#lazyFlush.cancel();
    this.#role = undefined;
    this.#endLeadership('NOT_LEADER_OR_FOLLOWER');
  }
}
