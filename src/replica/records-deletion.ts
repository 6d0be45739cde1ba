// DeleteRecords on one partition (D-9.1, behaviour 58): the start of the log moves up to an offset that is committed. Asked of
// the leader; Kafka's order of checks.
import type { Offset } from '../base/ids.ts';
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

/** Deletes what lies below `offset`, any 64-bit number. Done for good when it resolves. */
export async function deleteRecords(partition: Partition, offset: number | bigint): Promise<DeletedRecords> {
  const error = refusal(partition, offset);
  if (error !== undefined) return refused(error);
  const { log, highWatermark } = partition;
  try {
    // A batch that holds an earlier offset too stays until its segment goes; no reader is shown the start of it.
    await log.advanceLogStart(offset === TO_HIGH_WATERMARK ? highWatermark : Number(offset));
  } catch (failure) {
    if (!isEnvError(failure)) throw failure;
    if (partition.isRetired) return refused('NOT_LEADER_OR_FOLLOWER');
    partition.fail(failure);
    return refused('KAFKA_STORAGE_ERROR');
  }
  partition.logStartMoved();
  return { error: 'NONE', lowWatermark: lowWatermarkOf([log.logStartOffset]) };
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

/** Below it, no live replica has anything; `logStartOffsets`: of all of them, the leader's own among them (D-9.1). */
function lowWatermarkOf(logStartOffsets: readonly Offset[]): Offset {
  return Math.min(...logStartOffsets);
}
