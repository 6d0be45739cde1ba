// One leader epoch of one partition: what its followers have (D-2.4), the ISR and the change of it that is under way (D-4, D-5), and how
// far the high watermark may go (D-6). Made anew for each leader epoch, and over with it; has no timers.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { effectiveMinIsr } from '../metadata/effective-min-isr.ts';
import type { PartitionState } from '../metadata/image.ts';
import type { AlterationOutcome, AlterPartitions } from './alter-partitions.ts';
import { nextHighWatermark } from './high-watermark.ts';
import type { FollowerPosition, FollowerState, PendingChange } from './isr.ts';
import { afterFetch, hasCaughtUp, isInSync, maximalIsr } from './isr.ts';
import { altered, lostReplicas, membersOf } from './isr-change.ts';

export interface LeadershipDeps {
  readonly brokerId: NodeId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly replicaLagTimeMaxMs: Ms;
  readonly alterPartitions: AlterPartitions;
  /** Of this broker's registration. */
  readonly brokerEpoch: () => Offset;
  /** Of a broker's newest registration that is known here; undefined: there is none. */
  readonly registeredEpoch: (brokerId: NodeId) => Offset | undefined;
  /**
   * Whether a replica may be in the ISR as far as is known here (C-5.1): registered with that epoch, unfenced, not shutting down, the log
   * dir online that the state names.
   */
  readonly eligible: (state: PartitionState, brokerId: NodeId, brokerEpoch: Offset) => boolean;
}

/** The partition that is led. */
export interface LedPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly log: { readonly logEndOffset: Offset };
  readonly config: { readonly minInsyncReplicas: number };
  readonly highWatermark: Offset;
  /** Moves the high watermark as far as it may go: the ISR is another, or somebody is not waited for any more (D-6.8). */
  advance(): void;
  /** The committed ISR is another. */
  isrChanged(): void;
}

/** After an answer that a change was not carried out, before one is asked for again. */
const REFUSED_BACKOFF_MS: Ms = 500;
/** Who was put out of the ISR is fenced, or goes: the metadata may say so some batches later. Until then only a fetch shows that it lives. */
const PUT_OUT_MS: Ms = 1000;

export class Leadership {
  readonly kind = 'leader';
  /** LESO: where the log ended when this epoch began (D-0.3). */
  readonly epochStartOffset: Offset;
  readonly #deps: LeadershipDeps;
  readonly #led: LedPartition;
  readonly #logger: Logger;
  /** D-4.3 */
  readonly #beganMs: Ms;
  #state: PartitionState;
  #pending: PendingChange | undefined;
  /** Ends the request for `#pending`. */
  #asking: AbortController | undefined;
  #askAgainMs: Ms = Number.NEGATIVE_INFINITY;
  #putOutMs: Ms = Number.NEGATIVE_INFINITY;
  /** By broker: those that have fetched in this epoch (D-0.3). */
  readonly #followers = new Map<NodeId, FollowerState>();
  /** Both of `#state` and `#pending`. */
  #maximalIsr: readonly NodeId[] = [];
  #outside: readonly NodeId[] = [];
  /** What there is a line of in the log. */
  readonly #told = new Set<string>();
  #isRecovered: boolean;
  readonly #over = new AbortController();

  /** `isRecovered` false: an unclean leader that has something to do before it may say that it has recovered (C-5.8). */
  constructor(deps: LeadershipDeps, led: LedPartition, state: PartitionState, isRecovered = true) {
    this.#deps = deps;
    this.#led = led;
    const { topic, partition } = led;
    this.#logger = deps.logger.child({ topic, partition, leaderEpoch: state.leaderEpoch });
    this.#beganMs = deps.clock.now();
    this.epochStartOffset = led.log.logEndOffset;
    this.#state = state;
    this.#isRecovered = isRecovered;
    this.#membersChanged();
  }

  /** As committed, as far as is known: its ISR is the committed one. */
  get state(): PartitionState {
    return this.#state;
  }

  /** Aborted when the leader epoch is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** The change that was asked for; its outcome is not known yet. */
  get pending(): PendingChange | undefined {
    return this.#pending;
  }

  /** D-5.2 */
  get maximalIsr(): readonly NodeId[] {
    return this.#maximalIsr;
  }

  get followers(): ReadonlyMap<NodeId, FollowerState> {
    return this.#followers;
  }

  /** C-10.1: by the configs of the image in which the state came. */
  get minIsr(): number {
    return effectiveMinIsr(this.#led.config.minInsyncReplicas, this.#state);
  }

  /** D-7.1: acks=all can be kept. */
  get hasEnoughInSync(): boolean {
    return this.#state.isr.length >= this.minIsr;
  }

  /**
   * A newer state of this leader epoch: what was asked for is in it, or can never be carried out (D-5.5). True: what followers had that
   * lost their logs since is forgotten, and they are to say what they have now.
   */
  update(state: PartitionState): boolean {
    const before = this.#state;
    this.#state = state;
    const lost = lostReplicas(before, state).filter((id) => this.#followers.delete(id));
    this.#forgetPending();
    this.#askAgainMs = Number.NEGATIVE_INFINITY;
    if (before.isr.some((id) => !state.isr.includes(id))) this.#putOutMs = this.#deps.clock.now();
    this.#membersChanged();
    this.#tellChange(before);
    return lost.length > 0;
  }

  /** D-0.1: the state that this leader knows from an answer, as the metadata shows it. What is pending stays so (B27). */
  complete(state: PartitionState): void {
    this.#state = state;
    this.#membersChanged();
  }

  /** The leader epoch is over, or the replica. For good. */
  end(): void {
    this.#over.abort();
    this.#forgetPending();
  }

  /** How far the high watermark may go. */
  nextHighWatermark(current: Offset, ownEndOffset: Offset): Offset {
    return nextHighWatermark({
      current,
      ownEndOffset,
      slowestEndOffset: this.#slowestEndOffset(),
      committedIsrSize: this.#state.isr.length,
      minIsr: this.minIsr,
    });
  }

  /** Of all others that are waited for. */
  #slowestEndOffset(): Offset {
    let slowest = Number.POSITIVE_INFINITY;
    for (const id of this.#maximalIsr) {
      // Of one that has not fetched in this epoch it is not known what it has (D-6.5).
      if (id !== this.#deps.brokerId) slowest = Math.min(slowest, this.#followers.get(id)?.logEndOffset ?? 0);
    }
    for (const id of this.#outside) {
      const follower = this.#followers.get(id);
      if (follower !== undefined && follower.logEndOffset < slowest && this.#isJoining(follower)) {
        slowest = follower.logEndOffset;
      }
    }
    return slowest;
  }

  /** D-6.3: out of the ISR, but not behind, and eligible (KAFKA-15021). Who was put out and has not fetched since may be dead. */
  #isJoining(follower: FollowerState): boolean {
    if (follower.lastFetchMs < this.#putOutMs) return false;
    const leader = { logEndOffset: this.#led.log.logEndOffset, nowMs: this.#deps.clock.now() };
    return isInSync(follower, leader, this.#deps.replicaLagTimeMaxMs) && this.#isEligible(follower);
  }

  /** D-9.1: no live replica has anything below it; `own`: where the leader's log starts. */
  lowWatermark(own: Offset): Offset {
    const { brokerId, registeredEpoch, eligible } = this.#deps;
    let lowest = own;
    for (const id of this.#state.replicas) {
      const epoch = id === brokerId ? undefined : registeredEpoch(id);
      if (epoch === undefined || !eligible(this.#state, id, epoch)) continue;
      lowest = Math.min(lowest, this.#followers.get(id)?.logStartOffset ?? 0);
    }
    return lowest;
  }

  /** A valid fetch: D-2.4, then D-4.1. */
  fetched(position: FollowerPosition): void {
    const { brokerId } = position;
    const leader = {
      logEndOffset: this.#led.log.logEndOffset,
      nowMs: this.#deps.clock.now(),
      sinceMs: this.#state.isr.includes(brokerId) ? this.#beganMs : Number.NEGATIVE_INFINITY,
    };
    const follower = afterFetch(this.#followers.get(brokerId), position, leader);
    this.#followers.set(brokerId, follower);
    if (this.#outside.includes(brokerId)) this.#expand([follower]);
  }

  /** At an append at `baseOffset`: who had everything until now has not lagged yet, though it may not have had to fetch for long. */
  appended(baseOffset: Offset): void {
    for (const follower of this.#followers.values()) {
      if (follower.logEndOffset !== baseOffset) continue;
      this.#followers.set(follower.brokerId, { ...follower, lastCaughtUpMs: this.#deps.clock.now() });
    }
  }

  /** C-5.8: what an unclean leader had to do first is done. */
  recovered(): void {
    this.#isRecovered = true;
    this.consider();
  }

  /** Asks for what is due: that it has recovered, that who lags leaves the ISR, that who has caught up joins. */
  consider(): void {
    if (this.#pending !== undefined || this.#isOver) return;
    if (this.#state.recovering) {
      if (this.#isRecovered) this.#ask('recover', this.#state.isr, []);
      return;
    }
    const lagging = this.#state.isr.length > 1 ? this.#lagging() : [];
    const remaining = this.#state.isr.filter((id) => !lagging.includes(id));
    if (lagging.length > 0) this.#ask('shrink', remaining, []);
    else if (this.#outside.length > 0 && this.#deps.clock.now() - this.#putOutMs >= PUT_OUT_MS) {
      this.#expand([...this.#followers.values()]);
    }
  }

  #lagging(): NodeId[] {
    const leader = { logEndOffset: this.#led.log.logEndOffset, nowMs: this.#deps.clock.now() };
    const { brokerId, replicaLagTimeMaxMs } = this.#deps;
    return this.#state.isr.filter((id) => {
      if (id === brokerId) return false;
      const follower = this.#followers.get(id);
      return follower === undefined
        ? leader.nowMs - this.#beganMs > replicaLagTimeMaxMs
        : !isInSync(follower, leader, replicaLagTimeMaxMs);
    });
  }

  /** D-4.1: of `candidates` those that may join; each is judged and named as it is in this one value (KAFKA-15221). */
  #expand(candidates: readonly FollowerState[]): void {
    if (this.#pending !== undefined || this.#state.recovering) return;
    const leader = { highWatermark: this.#led.highWatermark, epochStartOffset: this.epochStartOffset };
    const joining = candidates.filter(
      (follower) =>
        this.#outside.includes(follower.brokerId) && hasCaughtUp(follower, leader) && this.#isEligible(follower),
    );
    if (joining.length > 0) this.#ask('expand', this.#state.isr, joining);
  }

  #isEligible({ brokerId, brokerEpoch }: FollowerState): boolean {
    return this.#deps.eligible(this.#state, brokerId, brokerEpoch);
  }

  #ask(kind: PendingChange['kind'], staying: readonly NodeId[], joining: readonly FollowerState[]): void {
    if (this.#isOver || this.#deps.clock.now() < this.#askAgainMs) return;
    const members = membersOf(this.#deps, this.#followers, staying, joining);
    if (members === undefined) return;
    const { topicId, partition } = this.#led;
    const { leaderEpoch, partitionEpoch, isr } = this.#state;
    const pending: PendingChange = { kind, members };
    const asking = new AbortController();
    this.#pending = pending;
    this.#asking = asking;
    this.#membersChanged();
    const to = members.map(({ brokerId }) => brokerId);
    const isRepeated = this.#askAgainMs > Number.NEGATIVE_INFINITY;
    if (!isRepeated) this.#logger.info('isr-change-asked', { change: kind, partitionEpoch, from: isr, to });
    const alteration = { topicId, partition, leaderEpoch, partitionEpoch, isr: members, recovering: false };
    void this.#deps.alterPartitions.alter(alteration, asking.signal).then((outcome) => {
      if (outcome !== undefined && this.#pending === pending && !this.#isOver) this.#answered(pending, outcome);
    });
  }

  #answered(pending: PendingChange, outcome: AlterationOutcome): void {
    if (outcome.kind !== 'altered') {
      const { error, message } = outcome;
      this.tellOnce(`isr ${error}`, 'warn', { event: 'isr-change-refused', change: pending.kind, error, message });
    }
    if (outcome.kind === 'superseded') return; // D-5.5: pending until the metadata shows what came first
    const before = this.#state;
    if (outcome.kind === 'altered') {
      const after = altered(before, outcome);
      if (after === undefined) return;
      this.#state = after;
    } else {
      this.#askAgainMs = this.#deps.clock.now() + REFUSED_BACKOFF_MS;
    }
    this.#forgetPending();
    this.#membersChanged();
    this.#tellChange(before);
    this.#led.isrChanged();
    this.consider();
  }

  #forgetPending(): void {
    this.#pending = undefined;
    this.#asking?.abort();
    this.#asking = undefined;
  }

  #membersChanged(): void {
    const { isr, replicas } = this.#state;
    this.#maximalIsr = maximalIsr(isr, this.#pending);
    this.#outside = replicas.filter((id) => !this.#maximalIsr.includes(id));
    // A replica that is none any more, or is one again later, is not what it was.
    for (const id of this.#followers.keys()) if (!replicas.includes(id)) this.#followers.delete(id);
  }

  #tellChange(before: PartitionState): void {
    const { isr, partitionEpoch, recovering } = this.#state;
    if (before.recovering && !recovering) this.#logger.info('partition-recovered', { partitionEpoch });
    if (isr.length === before.isr.length && isr.every((id) => before.isr.includes(id))) return;
    this.#logger.info('isr-changed', { partitionEpoch, from: before.isr, to: isr });
  }

  /** KIP-903: the newest incarnation of a broker that is known here; -1 if none is. */
  newestEpoch(brokerId: NodeId): Offset {
    const { registeredEpoch } = this.#deps;
    return Math.max(this.#followers.get(brokerId)?.brokerEpoch ?? -1, registeredEpoch(brokerId) ?? -1);
  }

  /** A line of the log, unless there was one for this `key` in this epoch. */
  tellOnce(
    key: string,
    level: 'info' | 'warn',
    line: { readonly event: string; readonly [fact: string]: unknown },
  ): void {
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const { event, ...facts } = line;
    this.#logger[level](event, facts);
  }
}
