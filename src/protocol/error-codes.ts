// Every error code of the Kafka protocol by its name: number, what a client does about it, and what it means.

/**
 * `final`: asking again gives the same answer. `retry`: asking again later may succeed.
 * `refresh`: as retry, but only after fetching metadata anew, since leader, topic or listener is not what was thought.
 */
export type ErrorReaction = 'final' | 'retry' | 'refresh';

interface ErrorEntry<Code extends number> {
  readonly code: Code;
  readonly reaction: ErrorReaction;
  readonly meaning: string;
}

function error<const Code extends number>(code: Code, reaction: ErrorReaction, meaning: string): ErrorEntry<Code> {
  return { code, reaction, meaning };
}

const TABLE = {
  UNKNOWN_SERVER_ERROR: error(-1, 'final', 'The server failed in a way it did not expect.'),
  NONE: error(0, 'final', 'Success.'),
  OFFSET_OUT_OF_RANGE: error(1, 'final', 'The offset lies before the start or beyond the end of the log.'),
  CORRUPT_MESSAGE: error(2, 'retry', 'A batch has a wrong checksum, size or layout.'),
  UNKNOWN_TOPIC_OR_PARTITION: error(3, 'refresh', 'There is no such topic or partition here.'),
  INVALID_FETCH_SIZE: error(4, 'final', 'The fetch size makes no sense.'),
  LEADER_NOT_AVAILABLE: error(5, 'refresh', 'The partition has no leader at present.'),
  NOT_LEADER_OR_FOLLOWER: error(6, 'refresh', 'This broker does not lead, or does not hold, the partition.'),
  REQUEST_TIMED_OUT: error(7, 'retry', 'The time given for the request ran out; it may have taken effect.'),
  BROKER_NOT_AVAILABLE: error(8, 'final', 'The broker asked for is not alive.'),
  REPLICA_NOT_AVAILABLE: error(9, 'refresh', 'The replica asked for is not there.'),
  MESSAGE_TOO_LARGE: error(10, 'final', 'A batch is larger than max.message.bytes allows.'),
  STALE_CONTROLLER_EPOCH: error(11, 'final', 'Another controller has taken over since.'),
  OFFSET_METADATA_TOO_LARGE: error(12, 'final', 'The text that goes with a committed offset is too long.'),
  NETWORK_EXCEPTION: error(13, 'refresh', 'The connection broke before the response came.'),
  COORDINATOR_LOAD_IN_PROGRESS: error(14, 'retry', 'The coordinator is still reading its state.'),
  COORDINATOR_NOT_AVAILABLE: error(15, 'retry', 'No coordinator can be named at present.'),
  NOT_COORDINATOR: error(16, 'retry', 'Another broker coordinates this group or transactional id.'),
  INVALID_TOPIC_EXCEPTION: error(17, 'final', 'The topic name is not allowed, or not for this operation.'),
  RECORD_LIST_TOO_LARGE: error(18, 'final', 'A batch is larger than a whole segment.'),
  NOT_ENOUGH_REPLICAS: error(19, 'retry', 'Nothing was written: too few replicas are in sync.'),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: error(20, 'retry', 'Written, but too few replicas stayed in sync to vouch for it.'),
  INVALID_REQUIRED_ACKS: error(21, 'final', 'The acks asked for are none of -1, 0 and 1.'),
  ILLEGAL_GENERATION: error(22, 'final', 'The group is in another generation.'),
  INCONSISTENT_GROUP_PROTOCOL: error(23, 'final', 'The member shares no protocol with the rest of the group.'),
  INVALID_GROUP_ID: error(24, 'final', 'The group id is not allowed.'),
  UNKNOWN_MEMBER_ID: error(25, 'final', 'The group has no such member.'),
  INVALID_SESSION_TIMEOUT: error(26, 'final', 'The session timeout lies outside what the broker allows.'),
  REBALANCE_IN_PROGRESS: error(27, 'final', 'The group is rebalancing: join again.'),
  INVALID_COMMIT_OFFSET_SIZE: error(28, 'final', 'The commit is larger than a record may be.'),
  TOPIC_AUTHORIZATION_FAILED: error(29, 'final', 'The user may not do this with the topic.'),
  GROUP_AUTHORIZATION_FAILED: error(30, 'final', 'The user may not do this with the group.'),
  CLUSTER_AUTHORIZATION_FAILED: error(31, 'final', 'The user may not do this with the cluster.'),
  INVALID_TIMESTAMP: error(32, 'final', 'A record timestamp lies outside the allowed range.'),
  UNSUPPORTED_SASL_MECHANISM: error(33, 'final', 'The broker does not offer this SASL mechanism.'),
  ILLEGAL_SASL_STATE: error(34, 'final', 'The request may not come at this point of authentication.'),
  UNSUPPORTED_VERSION: error(35, 'final', 'The broker does not serve this version of the API.'),
  TOPIC_ALREADY_EXISTS: error(36, 'final', 'There is a topic of this name already.'),
  INVALID_PARTITIONS: error(37, 'final', 'The number of partitions is not allowed.'),
  INVALID_REPLICATION_FACTOR: error(38, 'final', 'The replication factor is below 1 or above the number of brokers.'),
  INVALID_REPLICA_ASSIGNMENT: error(39, 'final', 'The replica assignment makes no sense.'),
  INVALID_CONFIG: error(40, 'final', 'A configuration key or value is not allowed.'),
  NOT_CONTROLLER: error(41, 'retry', 'Another node is the active controller.'),
  INVALID_REQUEST: error(42, 'final', 'The request contradicts itself or the protocol.'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: error(43, 'final', 'The stored record format cannot answer this.'),
  POLICY_VIOLATION: error(44, 'final', 'A configured policy forbids this.'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: error(45, 'final', 'A batch does not follow the last one of its producer.'),
  DUPLICATE_SEQUENCE_NUMBER: error(46, 'final', 'A batch was written before, too long ago to say where.'),
  INVALID_PRODUCER_EPOCH: error(47, 'final', 'A newer epoch of this producer is at work.'),
  INVALID_TXN_STATE: error(48, 'final', 'The transaction is not in a state that allows this.'),
  INVALID_PRODUCER_ID_MAPPING: error(49, 'final', 'The producer id does not belong to the transactional id.'),
  INVALID_TRANSACTION_TIMEOUT: error(50, 'final', 'The transaction timeout is above transaction.max.timeout.ms.'),
  CONCURRENT_TRANSACTIONS: error(51, 'retry', 'The previous operation on the transaction has not ended.'),
  TRANSACTION_COORDINATOR_FENCED: error(52, 'final', 'A newer coordinator took over this producer.'),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: error(53, 'final', 'The user may not use this transactional id.'),
  SECURITY_DISABLED: error(54, 'final', 'Security is switched off, so there is nothing to ask or change.'),
  OPERATION_NOT_ATTEMPTED: error(55, 'final', 'Not tried, because another part of the request failed.'),
  KAFKA_STORAGE_ERROR: error(56, 'refresh', 'The disk that holds the partition failed.'),
  LOG_DIR_NOT_FOUND: error(57, 'final', 'The broker has no such log directory.'),
  SASL_AUTHENTICATION_FAILED: error(58, 'final', 'The credentials are wrong.'),
  UNKNOWN_PRODUCER_ID: error(59, 'final', 'Nothing is known of this producer any more.'),
  REASSIGNMENT_IN_PROGRESS: error(60, 'final', 'The partition is being reassigned.'),
  DELEGATION_TOKEN_AUTH_DISABLED: error(61, 'final', 'Delegation tokens are switched off.'),
  DELEGATION_TOKEN_NOT_FOUND: error(62, 'final', 'There is no such delegation token.'),
  DELEGATION_TOKEN_OWNER_MISMATCH: error(63, 'final', 'The user neither owns nor may renew the token.'),
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: error(64, 'final', 'Tokens cannot be requested over this kind of connection.'),
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: error(65, 'final', 'The user may not do this with the token.'),
  DELEGATION_TOKEN_EXPIRED: error(66, 'final', 'The token is too old.'),
  INVALID_PRINCIPAL_TYPE: error(67, 'final', 'This type of principal is not supported.'),
  NON_EMPTY_GROUP: error(68, 'final', 'The group still has members.'),
  GROUP_ID_NOT_FOUND: error(69, 'final', 'There is no such group.'),
  FETCH_SESSION_ID_NOT_FOUND: error(70, 'retry', 'The fetch session is gone: begin a new one.'),
  INVALID_FETCH_SESSION_EPOCH: error(71, 'retry', 'The fetch session is at another epoch.'),
  LISTENER_NOT_FOUND: error(72, 'refresh', 'The leader has no listener like the one asked through.'),
  TOPIC_DELETION_DISABLED: error(73, 'final', 'Deleting topics is switched off.'),
  FENCED_LEADER_EPOCH: error(74, 'refresh', 'The leader epoch in the request is older than the broker knows.'),
  UNKNOWN_LEADER_EPOCH: error(75, 'retry', 'The leader epoch in the request is newer than the broker knows.'),
  UNSUPPORTED_COMPRESSION_TYPE: error(76, 'final', 'The compression may not be used with this request.'),
  STALE_BROKER_EPOCH: error(77, 'final', 'The broker has registered anew since.'),
  OFFSET_NOT_AVAILABLE: error(78, 'retry', 'A new leader does not know its high watermark yet.'),
  MEMBER_ID_REQUIRED: error(79, 'final', 'Join again with the member id given here.'),
  PREFERRED_LEADER_NOT_AVAILABLE: error(80, 'refresh', 'The preferred leader cannot lead at present.'),
  GROUP_MAX_SIZE_REACHED: error(81, 'final', 'The group is full.'),
  FENCED_INSTANCE_ID: error(82, 'final', 'Another member has taken over the group instance id.'),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: error(83, 'refresh', 'No replica that may lead is alive.'),
  ELECTION_NOT_NEEDED: error(84, 'refresh', 'The partition is led as asked for already.'),
  NO_REASSIGNMENT_IN_PROGRESS: error(85, 'final', 'The partition is not being reassigned.'),
  GROUP_SUBSCRIBED_TO_TOPIC: error(86, 'final', 'The group still reads the topic whose offsets should go.'),
  INVALID_RECORD: error(87, 'final', 'A record breaks a rule of the topic or the format.'),
  UNSTABLE_OFFSET_COMMIT: error(88, 'retry', 'A transaction that commits these offsets is still open.'),
  THROTTLING_QUOTA_EXCEEDED: error(89, 'retry', 'The quota is used up.'),
  PRODUCER_FENCED: error(90, 'final', 'A newer producer uses the same transactional id.'),
  RESOURCE_NOT_FOUND: error(91, 'final', 'The request names something that does not exist.'),
  DUPLICATE_RESOURCE: error(92, 'final', 'The request names the same thing twice.'),
  UNACCEPTABLE_CREDENTIAL: error(93, 'final', 'The credential is not good enough.'),
  INCONSISTENT_VOTER_SET: error(94, 'final', 'Sender or receiver is not among the expected voters.'),
  INVALID_UPDATE_VERSION: error(95, 'final', 'The feature version asked for is not allowed.'),
  FEATURE_UPDATE_FAILED: error(96, 'final', 'The features could not be updated.'),
  PRINCIPAL_DESERIALIZATION_FAILURE: error(97, 'final', 'A forwarded principal could not be read.'),
  SNAPSHOT_NOT_FOUND: error(98, 'final', 'There is no such snapshot.'),
  POSITION_OUT_OF_RANGE: error(99, 'final', 'The position lies outside the snapshot.'),
  UNKNOWN_TOPIC_ID: error(100, 'refresh', 'There is no topic of this id here.'),
  DUPLICATE_BROKER_REGISTRATION: error(101, 'final', 'Another broker is registered under this id.'),
  BROKER_ID_NOT_REGISTERED: error(102, 'final', 'No broker is registered under this id.'),
  INCONSISTENT_TOPIC_ID: error(103, 'refresh', 'The topic has another id here.'),
  INCONSISTENT_CLUSTER_ID: error(104, 'final', 'The sender belongs to another cluster.'),
  TRANSACTIONAL_ID_NOT_FOUND: error(105, 'final', 'There is no such transactional id.'),
  FETCH_SESSION_TOPIC_ID_ERROR: error(106, 'retry', 'A fetch session mixes topic names and ids.'),
  INELIGIBLE_REPLICA: error(107, 'final', 'A replica may not join the in-sync set now.'),
  NEW_LEADER_ELECTED: error(108, 'final', 'The change was made, and moved leadership elsewhere.'),
  OFFSET_MOVED_TO_TIERED_STORAGE: error(109, 'final', 'The offset is only in tiered storage.'),
  FENCED_MEMBER_EPOCH: error(110, 'final', 'The member was put out of the group: give up everything and rejoin.'),
  UNRELEASED_INSTANCE_ID: error(111, 'final', 'Another member still uses the group instance id.'),
  UNSUPPORTED_ASSIGNOR: error(112, 'final', 'The group cannot use this assignor.'),
  STALE_MEMBER_EPOCH: error(113, 'final', 'The member must learn its new epoch by a heartbeat first.'),
  MISMATCHED_ENDPOINT_TYPE: error(114, 'final', 'The request came to a broker and is for controllers, or the reverse.'),
  UNSUPPORTED_ENDPOINT_TYPE: error(115, 'final', 'This type of endpoint is not known.'),
  UNKNOWN_CONTROLLER_ID: error(116, 'final', 'There is no controller of this id.'),
  UNKNOWN_SUBSCRIPTION_ID: error(117, 'final', 'The telemetry subscription is unknown or outdated.'),
  TELEMETRY_TOO_LARGE: error(118, 'final', 'The telemetry pushed is too large.'),
  INVALID_REGISTRATION: error(119, 'final', 'The controller refuses this registration.'),
  TRANSACTION_ABORTABLE: error(120, 'final', 'The transaction must be aborted; the producer may go on after that.'),
  INVALID_RECORD_STATE: error(121, 'final', 'The record is not in a state that allows the acknowledgement.'),
  SHARE_SESSION_NOT_FOUND: error(122, 'retry', 'The share session is gone: begin a new one.'),
  INVALID_SHARE_SESSION_EPOCH: error(123, 'retry', 'The share session is at another epoch.'),
  FENCED_STATE_EPOCH: error(124, 'final', 'The share group state is at another epoch.'),
  INVALID_VOTER_KEY: error(125, 'final', 'The request is meant for another incarnation of this voter.'),
  DUPLICATE_VOTER: error(126, 'final', 'The node is a voter already.'),
  VOTER_NOT_FOUND: error(127, 'final', 'The node is no voter.'),
  INVALID_REGULAR_EXPRESSION: error(128, 'final', 'The pattern is not a valid regular expression.'),
  REBOOTSTRAP_REQUIRED: error(129, 'final', 'The client must start again from its bootstrap servers.'),
  STREAMS_INVALID_TOPOLOGY: error(130, 'final', 'The streams topology makes no sense.'),
  STREAMS_INVALID_TOPOLOGY_EPOCH: error(131, 'final', 'The epoch of the streams topology makes no sense.'),
  STREAMS_TOPOLOGY_FENCED: error(132, 'final', 'The epoch of the streams topology is outdated.'),
  SHARE_SESSION_LIMIT_REACHED: error(133, 'retry', 'The broker holds as many share sessions as it may.'),
} as const;

export type ErrorName = keyof typeof TABLE;

/** The number by name: `ErrorCode.NOT_LEADER_OR_FOLLOWER` is 6. */
export const ErrorCode = Object.fromEntries(Object.entries(TABLE).map(([name, { code }]) => [name, code])) as {
  readonly [Name in ErrorName]: (typeof TABLE)[Name]['code'];
};

export interface ErrorInfo {
  readonly name: ErrorName;
  readonly code: number;
  readonly reaction: ErrorReaction;
  /** One sentence. */
  readonly meaning: string;
  /** Whether a client may ask again. */
  readonly retriable: boolean;
}

/** Every code, ascending. */
export const ALL_ERRORS: readonly ErrorInfo[] = Object.entries(TABLE).map(([name, entry]) => ({
  name: name as ErrorName,
  ...entry,
  retriable: entry.reaction !== 'final',
}));

const byCode: ReadonlyMap<number, ErrorInfo> = new Map(ALL_ERRORS.map((info) => [info.code, info]));

/** What a code means; undefined for one that this list lacks. */
export function errorInfo(code: number): ErrorInfo | undefined {
  return byCode.get(code);
}

/** For people: the name, or `error 4711` for a code that this list lacks. */
export function errorName(code: number): string {
  return byCode.get(code)?.name ?? `error ${code}`;
}
