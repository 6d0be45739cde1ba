// Control records: what brokers and controllers write between the records of clients. The key says which kind (int16
// version, int16 type), the value is of that kind. Layout: Kafka's ControlRecordType, EndTransactionMarker, LeaderChangeMessage.
import { ByteReader, BytesError } from '../../base/bytes.ts';
import type { KafkaRecord } from '../../record/record.ts';

const TYPES = [
  'ABORT',
  'COMMIT',
  'LEADER_CHANGE',
  'SNAPSHOT_HEADER',
  'SNAPSHOT_FOOTER',
  'KRAFT_VERSION',
  'KRAFT_VOTERS',
] as const;

export interface ControlContent {
  /** `UNKNOWN` for a type of a newer version, `MALFORMED` for a key that is none. */
  readonly type: (typeof TYPES)[number] | 'UNKNOWN' | 'MALFORMED';
  /** Of the transaction coordinator that ended the transaction. */
  readonly coordinatorEpoch?: number;
  readonly leaderId?: number;
  readonly voters?: readonly number[];
  readonly kraftVersion?: number;
}

export function decodeControl({ key, value }: Pick<KafkaRecord, 'key' | 'value'>): ControlContent {
  if (key === null || key.length < 4) return { type: 'MALFORMED' };
  const type = TYPES[key.readInt16BE(2)] ?? 'UNKNOWN';
  try {
    return { type, ...fieldsOf(type, new ByteReader(value ?? Buffer.alloc(0))) };
  } catch (error) {
    if (error instanceof BytesError) return { type: 'MALFORMED' };
    throw error;
  }
}

function fieldsOf(type: ControlContent['type'], reader: ByteReader): Omit<ControlContent, 'type'> {
  switch (type) {
    case 'ABORT':
    case 'COMMIT':
      reader.int16();
      return { coordinatorEpoch: reader.int32() };
    case 'LEADER_CHANGE': {
      const version = reader.int16();
      const leaderId = reader.int32();
      const count = reader.uvarint() - 1;
      const voters: number[] = [];
      for (let i = 0; i < count; i++) {
        voters.push(reader.int32());
        if (version > 0) reader.bytes(16);
        skipTags(reader);
      }
      return { leaderId, voters };
    }
    case 'KRAFT_VERSION':
      reader.int16();
      return { kraftVersion: reader.int16() };
    default:
      return {};
  }
}

function skipTags(reader: ByteReader): void {
  for (let left = reader.uvarint(); left > 0; left--) {
    reader.uvarint();
    reader.bytes(reader.uvarint());
  }
}
