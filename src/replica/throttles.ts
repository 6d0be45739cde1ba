// KIP-73: what replicas out of sync may move per second, as leader and as follower, of the partitions that the topics name. Who is in sync
// is never held back, and so neither is an acknowledgement. A rate that was passed is made up for by pauses, until it is kept on average.
import type { Ms, NodeId } from '../base/ids.ts';
import { listItems } from '../config/key.ts';
import type { NodeValues } from '../config/node-keys.ts';
import type { Clock } from '../env/clock.ts';

/** What was not used is kept for so long; Kafka's quota window is 11 s. */
const MAX_SAVED_MS: Ms = 1000;
/** Who pauses looks again after this: the rate, or who is named, may be another. */
const LOOK_AGAIN_MS: Ms = 1000;

export type ReplicationRates = Pick<
  NodeValues,
  'leader.replication.throttled.rate' | 'follower.replication.throttled.rate'
>;

/** Bytes per second of one side. */
export class ReplicationQuota {
  readonly #clock: Clock;
  #bytesPerSecond: number;
  /** When all that was moved is paid for. */
  #paidAt: Ms;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidAt = clock.now();
  }

  set bytesPerSecond(value: number) {
    if (value !== this.#bytesPerSecond) this.#paidAt = this.#clock.now();
    this.#bytesPerSecond = value;
  }

  /** So many bytes were moved. */
  record(bytes: number): void {
    const earliest = this.#clock.now() - MAX_SAVED_MS;
    this.#paidAt = Math.max(this.#paidAt, earliest) + (bytes * 1000) / this.#bytesPerSecond;
  }

  /** Before it is looked again whether more may be moved; 0: now. */
  get pauseMs(): Ms {
    return Math.min(Math.max(0, this.#paidAt - this.#clock.now()), LOOK_AGAIN_MS);
  }
}

export class ReplicationThrottles {
  readonly leader: ReplicationQuota;
  readonly follower: ReplicationQuota;
  readonly #brokerId: NodeId;
  /** What the topics' lists say, as few topics have one. */
  readonly #lists = new Map<string, ReadonlySet<string>>();

  constructor(clock: Clock, brokerId: NodeId, rates: ReplicationRates) {
    this.#brokerId = brokerId;
    this.leader = new ReplicationQuota(clock, rates['leader.replication.throttled.rate']);
    this.follower = new ReplicationQuota(clock, rates['follower.replication.throttled.rate']);
  }

  update(rates: ReplicationRates): void {
    this.leader.bytesPerSecond = rates['leader.replication.throttled.rate'];
    this.follower.bytesPerSecond = rates['follower.replication.throttled.rate'];
  }

  /** Whether a list of a topic, `*` or `<partition>:<broker>,…`, names the replica of this broker. */
  names(list: string, partition: number): boolean {
    if (list === '') return false;
    if (list === '*') return true;
    let replicas = this.#lists.get(list);
    if (replicas === undefined) {
      if (this.#lists.size > 1000) this.#lists.clear();
      replicas = new Set(listItems(list));
      this.#lists.set(list, replicas);
    }
    return replicas.has(`${partition}:${this.#brokerId}`);
  }
}
