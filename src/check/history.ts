// What clients did and saw and what the logs hold in the end, as plain data: the same for simulated and for real runs.
// A record is told by its text (key and value), which no two writes of a history share. Times are of one clock for all.
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

export function placeName({ topic, partition }: Place): string {
  return `${topic}-${partition}`;
}

/** `failed`: surely not in the log, now or later. `unknown`: not answered, or answered with "perhaps". */
export type WriteOutcome = 'acknowledged' | 'failed' | 'unknown';

/** One record that a client sent with acks=all. */
export interface Write extends Place {
  readonly text: string;
  /** The producer instance; order is kept within one. */
  readonly producer: string;
  /** Ascending in the order of sending. */
  readonly order: number;
  readonly invokedAtMs: Ms;
  readonly outcome: WriteOutcome;
  /** As acknowledged; -1 where the broker knew only that it is a duplicate, and where it is not acknowledged. */
  readonly offset: Offset;
  /** When the outcome was known; without it nothing is concluded from the time. */
  readonly answeredAtMs?: Ms;
  /** Of the batch, where somebody saw it in a log; without it the epoch is taken from reads and logs, if it is there. */
  readonly leaderEpoch?: Epoch;
}

/** One record that a consumer got. */
export interface Read extends Place {
  /** The consumer instance with one assignment: offsets go up by one within it. */
  readonly session: string;
  readonly offset: Offset;
  readonly leaderEpoch: Epoch;
  readonly text: string;
}

export interface LogRecord {
  readonly offset: Offset;
  readonly leaderEpoch: Epoch;
  readonly text: string;
  /** -1 without an idempotent producer. */
  readonly producerId: number;
  readonly producerEpoch: Epoch;
  readonly sequence: number;
}

/** What the leader's log holds at the end. */
export interface FinalLog extends Place {
  readonly topicId: Uuid;
  /** By offset. */
  readonly records: readonly LogRecord[];
}

/**
 * A tail that was allowed to be lost: power went while a log that is flushed without its acknowledgements waiting
 * (`log.flush.mode=async`) had records that were not synced.
 */
export interface TailLoss extends Place {
  readonly atMs: Ms;
  /** Everything before it was durable. */
  readonly fromOffset: Offset;
  /** Of the last batch at that time. */
  readonly leaderEpoch: Epoch;
}

/** What one replica says of its own log in the loss ledger; see ReplicaLossRecord in metadata.proto. */
export interface LossRange {
  readonly brokerId: NodeId;
  /** `gone`: it will never say what it had; its offsets are -1. */
  readonly kind: 'led' | 'cut' | 'hole' | 'short' | 'gone';
  /** In which the replica leads or follows. */
  readonly leaderEpoch: Epoch;
  /** [fromOffset, toOffset); equal: it lost nothing. */
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  /** What it knew to be committed; -1: nothing. */
  readonly highWatermark: Offset;
}

/** One entry of the loss ledger (S-D8): an unclean election, or a replica that found out by itself. */
export interface LossEntry extends Place {
  /** Elected uncleanly; -1: there was no election. */
  readonly leader: NodeId;
  readonly oldLeaderEpoch: Epoch;
  /** What was acknowledged in an earlier epoch may be gone, nothing of this one or a later one. */
  readonly newLeaderEpoch: Epoch;
  readonly ranges: readonly LossRange[];
  /** Replicas that have not said yet what they had. While there are any, or any never will, more may be gone than the entry says. */
  readonly awaited: readonly NodeId[];
}

export interface ClientHistory {
  readonly writes: readonly Write[];
  readonly reads: readonly Read[];
  readonly logs: readonly FinalLog[];
  readonly losses: readonly TailLoss[];
  /** As the cluster tells it at the end. */
  readonly ledger: readonly LossEntry[];
}

/** The logs by place. */
export function logsByPlace(logs: readonly FinalLog[]): Map<string, FinalLog> {
  return new Map(logs.map((log) => [placeName(log), log]));
}

/** The items in groups with equal keys, in the order of their first ones. */
export function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
