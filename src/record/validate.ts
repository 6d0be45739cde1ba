// What a broker checks of a batch before it appends it: of the header always, of the records where a rule needs it.
// Sources: ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator (kafka-protocol.md 19, 21; D-7.1).
import { unreachable } from '../base/assert.ts';
import type { BatchHeader } from './batch.ts';
import { BATCH_HEADER_BYTES, DELETE_HORIZON_FLAG, NO_PRODUCER_ID, NO_TIMESTAMP } from './batch.ts';
import { RecordCursor } from './cursor.ts';
import { RecordError } from './record.ts';
import { scanBatch } from './scan.ts';

/** Seven fields of a byte each at least: length, attributes, timestamp, offset, key, value, headers. */
const MIN_RECORD_BYTES = 7;
/** More than this no batch is decompressed to. */
const MAX_CONTENT_BYTES = 256 * 1024 * 1024;

/** Kafka's error by name, and a sentence for the client. */
export interface BatchRefusal {
  readonly error:
    | 'CORRUPT_MESSAGE'
    | 'INVALID_RECORD'
    | 'INVALID_TIMESTAMP'
    | 'MESSAGE_TOO_LARGE'
    | 'UNSUPPORTED_COMPRESSION_TYPE';
  readonly message: string;
  /** The records at fault by position in the batch, where single ones are. */
  readonly records?: readonly { readonly index: number; readonly message: string }[];
}

function refuse(error: BatchRefusal['error'], message: string): BatchRefusal {
  return { error, message };
}

/**
 * Checks what a client wants appended to one partition: exactly one whole batch v2 of at most `maxMessageBytes`
 * (`max.message.bytes`), intact by its CRC, with a header that makes sense for a client. Looks at no single record.
 */
export function validateBatch(records: Buffer, maxMessageBytes: number): BatchRefusal | undefined {
  const scan = scanBatch(records, 0);
  switch (scan.kind) {
    case 'end':
      return refuse('INVALID_RECORD', 'no record batch for the partition');
    case 'truncated':
      return refuse('CORRUPT_MESSAGE', `record batch is longer than the ${records.length} bytes sent`);
    case 'malformed':
      return refuse('INVALID_RECORD', scan.reason);
    case 'batch':
      break;
    default:
      return unreachable(scan);
  }
  const batch = scan.batch;
  if (batch.end !== records.length) {
    return refuse('INVALID_RECORD', `more than one record batch: ${records.length - batch.end} bytes follow the first`);
  }
  if (batch.sizeInBytes > maxMessageBytes) {
    return refuse(
      'MESSAGE_TOO_LARGE',
      `record batch of ${batch.sizeInBytes} bytes, max.message.bytes is ${maxMessageBytes}`,
    );
  }
  if (batch.computeCrc() !== batch.crc) return refuse('CORRUPT_MESSAGE', 'record batch does not match its CRC');
  return checkHeader(batch) ?? checkProducer(batch);
}

function checkHeader(batch: BatchHeader): BatchRefusal | undefined {
  const { recordsCount, lastOffsetDelta } = batch;
  if (batch.compression === undefined) {
    return refuse('UNSUPPORTED_COMPRESSION_TYPE', `unknown compression in attributes ${batch.attributes}`);
  }
  if (batch.isControl) return refuse('INVALID_RECORD', 'clients may not write control records');
  if (batch.attributes & DELETE_HORIZON_FLAG) return refuse('INVALID_RECORD', 'clients may not set a delete horizon');
  if (recordsCount <= 0) return refuse('INVALID_RECORD', `record batch with ${recordsCount} records`);
  if (lastOffsetDelta !== recordsCount - 1) {
    return refuse('INVALID_RECORD', `last offset delta ${lastOffsetDelta} for ${recordsCount} records`);
  }
  // So that nobody takes offsets by the billion: each batch of that kind would begin a segment of its own.
  const mostBytes = batch.compression === 'none' ? batch.sizeInBytes - BATCH_HEADER_BYTES : MAX_CONTENT_BYTES;
  if (recordsCount * MIN_RECORD_BYTES > mostBytes) {
    return refuse('INVALID_RECORD', `record batch of ${batch.sizeInBytes} bytes cannot hold ${recordsCount} records`);
  }
  if (batch.timestampType === 'LogAppendTime') {
    return refuse('INVALID_TIMESTAMP', 'clients may not set the timestamp type to LogAppendTime');
  }
  for (const timestamp of [batch.baseTimestamp, batch.maxTimestamp]) {
    if (timestamp < NO_TIMESTAMP || !Number.isSafeInteger(timestamp)) {
      return refuse('INVALID_TIMESTAMP', `timestamp ${timestamp}`);
    }
  }
  return undefined;
}

/** A producer id comes with an epoch and a sequence, and a transaction with a producer id. */
function checkProducer(batch: BatchHeader): BatchRefusal | undefined {
  const { producerId, producerEpoch, baseSequence } = batch;
  if (producerId === NO_PRODUCER_ID) {
    return batch.isTransactional
      ? refuse('INVALID_RECORD', 'transactional record batch without producer id')
      : undefined;
  }
  if (producerId < 0 || !Number.isSafeInteger(producerId)) return refuse('INVALID_RECORD', `producer id ${producerId}`);
  if (producerEpoch < 0) return refuse('INVALID_RECORD', `producer epoch ${producerEpoch} with a producer id`);
  if (baseSequence < 0) return refuse('INVALID_RECORD', `sequence ${baseSequence} with a producer id`);
  return undefined;
}

export interface RecordRules {
  /** Every record needs a key, as in a compacted topic. */
  readonly keysRequired?: boolean;
  /** Range of CreateTime timestamps, inclusive; records without one pass. */
  readonly oldestTimestamp?: number;
  readonly newestTimestamp?: number;
}

type RecordFault = NonNullable<BatchRefusal['records']>[number];

/**
 * Checks each record of a batch that passed {@link validateBatch}, given their bytes (see {@link recordContent}): count, contiguous
 * offsets, the rules given. Costs time per record, and memory only for those that are refused.
 */
export function validateRecords(batch: BatchHeader, content: Buffer, rules: RecordRules): BatchRefusal | undefined {
  const faults: RecordFault[] = [];
  let error: BatchRefusal['error'] = 'INVALID_RECORD';
  const cursor = new RecordCursor();
  cursor.open(content, 0, content.length, batch.recordsCount, 0);
  try {
    for (let index = 0; cursor.next(); index++) {
      const timestamp = batch.baseTimestamp + cursor.timestampDelta();
      if (cursor.offset !== index) {
        faults.push({ index, message: `offset delta ${cursor.offset} instead of ${index}` });
      } else if (rules.keysRequired === true && cursor.keyStart === -1) {
        faults.push({ index, message: 'a compacted topic takes no record without a key' });
      } else if (timestamp !== NO_TIMESTAMP && !withinRange(timestamp, rules)) {
        error = 'INVALID_TIMESTAMP';
        faults.push({ index, message: `timestamp ${timestamp} is out of the allowed range` });
      }
    }
  } catch (thrown) {
    if (thrown instanceof RecordError) return refuse('INVALID_RECORD', thrown.message);
    throw thrown;
  }
  if (faults.length === 0) return undefined;
  const { recordsCount } = batch;
  return {
    error,
    message: `${faults.length} of ${recordsCount} records refused: ${faults[0]?.message}`,
    records: faults,
  };
}

function withinRange(timestamp: number, rules: RecordRules): boolean {
  return timestamp >= (rules.oldestTimestamp ?? -Infinity) && timestamp <= (rules.newestTimestamp ?? Infinity);
}
