// Turns what a fetch brought for one partition into records, batch by batch and only when they are asked for.
import type { Offset } from '../base/ids.ts';
import type { BatchHeader } from '../record/batch.ts';
import type { KafkaRecord } from '../record/record.ts';
import { decodeRecords, RecordError } from '../record/record.ts';
import { splitBatches } from '../record/scan.ts';
import { ClientError } from './client-error.ts';

/** Which records of the bytes are wanted: offsets in [from, end). */
export interface WantedRange {
  readonly from: Offset;
  /** Undefined: to the end. */
  readonly end: Offset | undefined;
}

/** The whole batches of a fetch answer; a cut one at the end comes again with the next fetch. */
export function wholeBatches(records: Buffer): BatchHeader[] {
  return [...splitBatches(records)];
}

/** The wanted records of a batch. Control batches hold none. ClientError BAD_RESPONSE for damaged ones. */
export function recordsOf(batch: BatchHeader, wanted: WantedRange, checkCrc: boolean, what: string): KafkaRecord[] {
  if (batch.isControl) return [];
  if (checkCrc && batch.computeCrc() !== batch.crc) {
    throw new ClientError('BAD_RESPONSE', `${what}: the batch at offset ${batch.baseOffset} does not match its CRC`);
  }
  try {
    const { from, end = Infinity } = wanted;
    return decodeRecords(batch).filter(({ offset }) => offset >= from && offset < end);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new ClientError('BAD_RESPONSE', `${what}: ${error.message}`, { cause: error });
  }
}
