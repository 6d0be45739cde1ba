// DeleteRecords on one partition (D-9.1, behaviour 58): the start of the log moves up to an offset that is committed, here and then on
// every live replica. Asked of the leader; Kafka's order of checks.
import type { Ms, Offset } from '../base/ids.ts';
import { deletes } from '../config/topic-config.ts';
import { isEnvError } from '../env/error.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { Partition } from './partition.ts';

/** In place of an offset: up to the high watermark. */
const TO_HIGH_WATERMARK = -1;

export interface DeletedRecords {
  readonly error: ErrorName;
  /** The first offset that is left on every live replica; -1 with an error. */
  readonly lowWatermark: Offset;
}

/** A replica that is not live any more is waited for until the next look. */
const LOOK_MS: Ms = 500;

/**
 * Deletes what lies below `offset`, any 64-bit number. Done for good when it resolves; REQUEST_TIMED_OUT: here, but not within
 * `timeoutMs` on every live replica.
 */
export async function deleteRecords(
  partition: Partition,
  offset: number | bigint,
  timeoutMs: Ms,
): Promise<DeletedRecords> {
  const error = refusal(partition, offset);
  if (error !== undefined) return refused(error);
  const { log, highWatermark, clock } = partition;
  const deadline = clock.now() + timeoutMs;
  const startOffset = offset === TO_HIGH_WATERMARK ? highWatermark : Number(offset);
  try {
    // A batch that holds an earlier offset too stays until its segment goes; no reader is shown the start of it.
    await log.advanceLogStart(startOffset);
  } catch (failure) {
    if (!isEnvError(failure)) throw failure;
    if (partition.isRetired) return refused('NOT_LEADER_OR_FOLLOWER');
    partition.fail(failure);
    return refused('KAFKA_STORAGE_ERROR');
  }
  partition.logStartMoved();
  for (;;) {
    const lowWatermark = partition.leader?.lowWatermark(log.logStartOffset);
    if (lowWatermark === undefined) return refused('NOT_LEADER_OR_FOLLOWER');
    if (lowWatermark >= startOffset) return { error: 'NONE', lowWatermark };
    const leftMs = deadline - clock.now();
    if (leftMs <= 0) return refused('REQUEST_TIMED_OUT');
    await nextMove(partition, Math.min(leftMs, LOOK_MS));
  }
}

/** Resolves when a log start has moved, or a role has ended, or after `limitMs`. */
function nextMove(partition: Partition, limitMs: Ms): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.cancel();
      stop();
      resolve();
    };
    const timer = partition.clock.schedule(limitMs, finish);
    const stop = partition.watch(finish);
  });
}

function refused(error: ErrorName): DeletedRecords {
  return { error, lowWatermark: -1 };
}

function refusal(partition: Partition, offset: number | bigint): ErrorName | undefined {
  if (partition.failure !== undefined) return 'KAFKA_STORAGE_ERROR';
  if (partition.leader === undefined) return 'NOT_LEADER_OR_FOLLOWER';
  if (!deletes(partition.config)) return 'POLICY_VIOLATION';
  if (offset === TO_HIGH_WATERMARK) return undefined;
  return offset < 0 || offset > partition.highWatermark ? 'OFFSET_OUT_OF_RANGE' : undefined;
}
