// Bytes of the core's own records, which control batches carry: who leads an epoch, who the voters are (R-5.1, R-0.3a), and that
// a minority went on alone. Layout: int16 type (Kafka's control record types), int16 version, body. A replica key is int32 id and 16 bytes directory id,
// a voter is its key and the endpoint as uint16 length and UTF-8.
import { asBuffer, ByteReader, BytesError, ByteWriter } from '../base/bytes.ts';
import type { NodeId, Offset } from '../base/ids.ts';
import { uuidFromBytes, uuidToBytes, ZERO_UUID } from '../base/uuid.ts';
import type { ReplicaKey, Voter } from './types.ts';

/** First record of every epoch. */
export interface LeaderChangeRecord {
  readonly type: 'leaderChange';
  readonly leader: ReplicaKey;
  /** The voter set at the election. */
  readonly voters: readonly ReplicaKey[];
  /** Those of them whose votes made the leader, itself included. */
  readonly grantingVoters: readonly ReplicaKey[];
}

/** The voter set from this record on (R-0.3a, R-11.3); sorted by id, ids distinct, every directory id known. */
export interface VotersRecord {
  readonly type: 'voters';
  readonly voters: readonly Voter[];
}

/**
 * whoever reads the log later shall know that an operator made this replica the only voter, whatever the others had:
 * first of its batch, the new voter set after it.
 */
export interface RecoveryRecord {
  readonly type: 'recovery';
  readonly replica: ReplicaKey;
  /** In force before: from those that are gone, committed records may be missing. */
  readonly previousVoters: readonly Voter[];
  /** Everything below was surely committed. */
  readonly committedEndOffset: Offset;
  /** By the wall clock of the one who did it, in milliseconds since 1970. */
  readonly timestampMs: number;
}

export type ControlRecord = LeaderChangeRecord | VotersRecord | RecoveryRecord;

const LEADER_CHANGE = 2;
const VOTERS = 6;
/** None of Kafka's. */
const RECOVERY = 1000;
const VERSION = 0;

/** Longest endpoint in bytes: a host name of 255 and a port. */
export const MAX_ENDPOINT_BYTES = 261;

/** The record's bytes. RangeError if a directory id is not a Uuid. */
export function encodeControlRecord(record: ControlRecord): Buffer {
  const writer = new ByteWriter();
  switch (record.type) {
    case 'leaderChange':
      writeType(writer, LEADER_CHANGE);
      writeKey(writer, record.leader);
      writeKeys(writer, record.voters);
      writeKeys(writer, record.grantingVoters);
      break;
    case 'voters':
      writeType(writer, VOTERS);
      writeVoters(writer, record.voters);
      break;
    case 'recovery':
      writeType(writer, RECOVERY);
      writeKey(writer, record.replica);
      writeVoters(writer, record.previousVoters);
      writer.int64(record.committedEndOffset);
      writer.int64(record.timestampMs);
      break;
  }
  return writer.finish();
}

/** The record, or undefined where the bytes are none (a peer's input: expected, never a throw). */
export function decodeControlRecord(bytes: Uint8Array): ControlRecord | undefined {
  try {
    const reader = new ByteReader(asBuffer(bytes));
    const record = readRecord(reader);
    return reader.remaining === 0 ? record : undefined;
  } catch (error) {
    if (error instanceof BytesError) return undefined;
    throw error;
  }
}

function readRecord(reader: ByteReader): ControlRecord | undefined {
  const type = reader.int16();
  if (reader.int16() !== VERSION) return undefined;
  switch (type) {
    case LEADER_CHANGE:
      return {
        type: 'leaderChange',
        leader: readKey(reader),
        voters: readKeys(reader),
        grantingVoters: readKeys(reader),
      };
    case VOTERS: {
      const voters = readVoters(reader);
      return isVoterSet(voters) ? { type: 'voters', voters } : undefined;
    }
    case RECOVERY:
      return {
        type: 'recovery',
        replica: readKey(reader),
        previousVoters: readVoters(reader),
        committedEndOffset: reader.int64(),
        timestampMs: reader.int64(),
      };
    default:
      return undefined;
  }
}

/** Whether that may be a voter set: somebody, ascending ids, disks known. */
export function isVoterSet(voters: readonly Voter[]): boolean {
  let previous: NodeId = -1;
  for (const voter of voters) {
    if (voter.id <= previous || voter.directoryId === ZERO_UUID) return false;
    if (Buffer.byteLength(voter.endpoint) > MAX_ENDPOINT_BYTES) return false;
    previous = voter.id;
  }
  return voters.length > 0;
}

function writeType(writer: ByteWriter, type: number): void {
  writer.int16(type);
  writer.int16(VERSION);
}

function writeKey(writer: ByteWriter, key: ReplicaKey): void {
  writer.int32(key.id);
  writer.bytes(uuidToBytes(key.directoryId));
}

function writeKeys(writer: ByteWriter, keys: readonly ReplicaKey[]): void {
  writer.uint16(keys.length);
  for (const key of keys) writeKey(writer, key);
}

function readKey(reader: ByteReader): ReplicaKey {
  const id = reader.int32();
  return { id, directoryId: uuidFromBytes(reader.bytes(16)) };
}

function readKeys(reader: ByteReader): ReplicaKey[] {
  const keys: ReplicaKey[] = [];
  for (let left = reader.uint16(); left > 0; left--) keys.push(readKey(reader));
  return keys;
}

function writeVoters(writer: ByteWriter, voters: readonly Voter[]): void {
  writer.uint16(voters.length);
  for (const voter of voters) {
    writeKey(writer, voter);
    writer.uint16(Buffer.byteLength(voter.endpoint));
    writer.utf8(voter.endpoint);
  }
}

function readVoters(reader: ByteReader): Voter[] {
  const voters: Voter[] = [];
  for (let left = reader.uint16(); left > 0; left--) {
    const { id, directoryId } = readKey(reader);
    voters.push({ id, directoryId, endpoint: reader.utf8(reader.uint16()) });
  }
  return voters;
}
