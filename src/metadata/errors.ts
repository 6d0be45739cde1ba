// Errors of single items, with Kafka's names and numbers (https://kafka.apache.org/protocol#protocol_error_codes).
import { printable } from '../base/printable.ts';
import type { ItemError } from '../gen/kvorum/v1/admin.ts';

/** The codes that metadata and controller answer with. */
const CODES = {
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NOT_LEADER_OR_FOLLOWER: 6,
  INVALID_TOPIC_EXCEPTION: 17,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_REPLICA_ASSIGNMENT: 39,
  INVALID_CONFIG: 40,
  NOT_CONTROLLER: 41,
  INVALID_REQUEST: 42,
  POLICY_VIOLATION: 44,
  OPERATION_NOT_ATTEMPTED: 55,
  LOG_DIR_NOT_FOUND: 57,
  REASSIGNMENT_IN_PROGRESS: 60,
  FENCED_LEADER_EPOCH: 74,
  PREFERRED_LEADER_NOT_AVAILABLE: 80,
  ELIGIBLE_LEADERS_NOT_AVAILABLE: 83,
  ELECTION_NOT_NEEDED: 84,
  NO_REASSIGNMENT_IN_PROGRESS: 85,
  INVALID_UPDATE_VERSION: 95,
  FEATURE_UPDATE_FAILED: 96,
  UNKNOWN_TOPIC_ID: 100,
  BROKER_ID_NOT_REGISTERED: 102,
  INELIGIBLE_REPLICA: 107,
  NEW_LEADER_ELECTED: 108,
} as const;

export type ItemErrorName = keyof typeof CODES;

/** `message`: one sentence that says what is wrong and how to mend it. */
export function itemError(name: ItemErrorName, message: string): ItemError {
  return { code: CODES[name], name, message: printable(message) };
}
