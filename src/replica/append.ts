// Produce on one partition, leader side (D-7): every check before any change, then one synchronous append. The batch is checked
// as a whole (size, CRC, header, sequence); its records are looked at only where the topic's configs need it (append-rules.ts).
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { BatchRefusal } from '../record/validate.ts';
import { validateBatch } from '../record/validate.ts';
import { applyRules } from './append-rules.ts';
import type { AckFailure, Partition } from './partition.ts';

export interface AppendRefused {
  readonly kind: 'refused';
  readonly error: ErrorName;
  readonly message: string;
  readonly records?: BatchRefusal['records'];
}

export interface Appended {
  readonly kind: 'appended';
  readonly baseOffset: Offset;
  /** -1 with CreateTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: Offset;
  /** Resolves when it is acknowledged as asked; undefined if it is already (or acks=0). */
  readonly acknowledged: Promise<AckFailure | undefined> | undefined;
}

function refused(error: ErrorName, message: string): AppendRefused {
  return { kind: 'refused', error, message };
}

/** Appends one batch as a client sent it; the buffer is changed in place. */
export function appendToPartition(partition: Partition, records: Buffer, acks: 0 | 1 | -1): AppendRefused | Appended {
  const role = partition.leader;
  if (partition.failure !== undefined) return refused('KAFKA_STORAGE_ERROR', partition.failure.message);
  if (role === undefined) return refused('NOT_LEADER_OR_FOLLOWER', 'this broker does not lead the partition');
  const { config, log } = partition;
  const { isr, leaderEpoch } = role.state;
  if (acks === -1 && !role.hasEnoughInSync) {
    return refused('NOT_ENOUGH_REPLICAS', `${isr.length} in-sync replicas, acks=all needs ${role.minIsr}`); // D-7.1
  }
  const refusal = validateBatch(records, config.maxMessageBytes);
  if (refusal !== undefined) return { kind: 'refused', ...refusal };
  const ruled = applyRules(records, config, partition.clock);
  if ('refusal' in ruled) return { kind: 'refused', ...ruled.refusal };
  try {
    const result = log.append(ruled.bytes, leaderEpoch);
    if (result.kind === 'refused')
      return refused(result.error, 'the batch does not continue what its producer sent before');
    if (result.kind === 'appended') partition.appended(result.baseOffset);
    // D-7.5: a duplicate is acknowledged under the same condition as the first write.
    return {
      kind: 'appended',
      baseOffset: result.baseOffset,
      logAppendTimeMs: result.kind === 'appended' ? result.logAppendTime : logAppendTimeOf(partition, result.timestamp),
      logStartOffset: log.logStartOffset,
      acknowledged: acks === 0 ? undefined : partition.acknowledged(result.lastOffset + 1, acks),
    };
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    partition.fail(error);
    return refused('KAFKA_STORAGE_ERROR', error.message);
  }
}

/** Of a batch that is in the log already. */
function logAppendTimeOf(partition: Partition, timestamp: number): number {
  return partition.config.timestampType === 'LogAppendTime' ? timestamp : -1;
}
