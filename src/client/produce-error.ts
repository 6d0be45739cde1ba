// Why a record was not produced, and above all whether it can still be in the log: the difference between a definite
// failure and an unknown outcome is what a careful user, and every checker of histories, needs.
import type { ErrorName } from '../protocol/error-codes.ts';
import { errorInfo } from '../protocol/error-codes.ts';

export class ProduceError extends Error {
  override name = 'ProduceError';
  /** `failed`: surely not in the log, now or later. `unknown`: it may be, or may yet become so. */
  readonly outcome: 'failed' | 'unknown';
  /** Kafka's name of the error, where a broker's answer decided. */
  readonly kafkaError: string | undefined;

  constructor(
    outcome: 'failed' | 'unknown',
    message: string,
    details: { cause?: unknown; kafkaError?: string | undefined },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.outcome = outcome;
    this.kafkaError = details.kafkaError;
  }
}

/**
 * Errors that a leader answers before it has written anything. All others may come after the write: a leader that is
 * deposed while it waits for its replicas answers NOT_LEADER_OR_FOLLOWER for a batch that its successor may hold.
 */
const NEVER_APPENDED: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'CORRUPT_MESSAGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REQUEST',
  'INVALID_REQUIRED_ACKS',
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'NOT_ENOUGH_REPLICAS',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'UNSUPPORTED_VERSION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
]);

/** Whether a batch that got this answer may nevertheless have been appended by that attempt. */
export function mayBeAppended(errorCode: number): boolean {
  const info = errorInfo(errorCode);
  return info === undefined || !NEVER_APPENDED.has(info.name);
}
