// Errors of single items, with Kafka's names and numbers (https://kafka.apache.org/protocol#protocol_error_codes).
import type { ItemError } from '../gen/kvorum/v1/admin.ts';

/** The codes that metadata and controller answer with. */
const CODES = {
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  INVALID_TOPIC_EXCEPTION: 17,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_REPLICA_ASSIGNMENT: 39,
  INVALID_CONFIG: 40,
  INVALID_REQUEST: 42,
  POLICY_VIOLATION: 44,
  UNKNOWN_TOPIC_ID: 100,
} as const;

export type ItemErrorName = keyof typeof CODES;

/** `message`: one sentence that says what is wrong and how to mend it. */
export function itemError(name: ItemErrorName, message: string): ItemError {
  return { code: CODES[name], name, message };
}
