// Records on their way to one partition that travel, succeed and fail together. Plain state for the partition's sender.
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import type { Timer } from '../env/clock.ts';
import { BATCH_HEADER_BYTES, NO_SEQUENCE } from '../record/batch.ts';
import type { BatchOptions, NewRecord } from '../record/builder.ts';
import { buildBatch } from '../record/builder.ts';
import { recordBodyBytes } from '../record/record.ts';
import { ProduceError } from './produce-error.ts';

/** What a producer is told of a record that was appended as often as `acks` asks for. */
export interface ProduceResult {
  readonly topic: string;
  readonly partition: number;
  /** -1 if the broker remembers only that it has the record. */
  readonly offset: Offset;
  /** The record's, or the broker's with LogAppendTime. */
  readonly timestamp: number;
}

/** A producer's right to number its batches (KIP-98). */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: Epoch;
}

interface Waiter {
  readonly resolve: (result: ProduceResult) => void;
  readonly reject: (error: ProduceError) => void;
}

/** Length, timestamp delta and offset delta take at most so much more than in an estimate with deltas of 0. */
const RECORD_SLACK_BYTES = 5 + 9 + 4;

export function estimatedBytes(record: NewRecord): number {
  return recordBodyBytes(record, 0, 0) + RECORD_SLACK_BYTES;
}

export class ProduceBatch {
  readonly topic: string;
  readonly partition: number;
  /** When the first record came, by the monotonic clock. */
  readonly createdAt: Ms;
  /** Fails the batch when its delivery takes too long. */
  deadline: Timer | undefined;
  /** Runs out when the batch may wait no longer for more records. */
  linger: Timer | undefined;
  /** No more records; may be sent. */
  sealed = false;
  /** Both are set at the first attempt and kept for all others, unless the identity is given up. */
  identity: ProducerIdentity | undefined;
  baseSequence = NO_SEQUENCE;
  /** Whether some attempt may have put it into the log. */
  maybeAppended = false;
  /** Why the last attempt came to nothing, for who is told that it took too long. */
  lastProblem: string | undefined;
  /** All records were told. */
  done = false;
  /** Uncompressed, an upper bound. */
  estimatedBytes = BATCH_HEADER_BYTES;
  readonly #records: NewRecord[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #compression: BatchOptions['compression'];
  #encoded: Buffer | undefined;

  constructor(topic: string, partition: number, createdAt: Ms, compression: BatchOptions['compression']) {
    this.topic = topic;
    this.partition = partition;
    this.createdAt = createdAt;
    this.#compression = compression;
  }

  get count(): number {
    return this.#records.length;
  }

  add(record: NewRecord, bytes: number): Promise<ProduceResult> {
    this.#records.push(record);
    this.estimatedBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** The bytes to send; the same for every attempt with one identity and sequence. */
  encode(): Buffer {
    this.#encoded ??= buildBatch(this.#records, {
      ...(this.#compression === undefined ? {} : { compression: this.#compression }),
      ...this.identity,
      baseSequence: this.baseSequence,
    });
    return this.#encoded;
  }

  /** Takes on the numbers of the next attempts. */
  number(identity: ProducerIdentity, baseSequence: number): void {
    this.identity = identity;
    this.baseSequence = baseSequence;
    this.#encoded = undefined;
  }

  /** Forgets the numbers: only for a batch that surely was not appended. */
  unnumber(): void {
    this.identity = undefined;
    this.baseSequence = NO_SEQUENCE;
    this.#encoded = undefined;
  }

  succeed(baseOffset: Offset, logAppendTime: number): void {
    this.#finish();
    const { topic, partition } = this;
    for (const [i, { resolve }] of this.#waiters.entries()) {
      const offset = baseOffset < 0 ? -1 : baseOffset + i;
      const timestamp = logAppendTime >= 0 ? logAppendTime : (this.#records[i]?.timestamp ?? -1);
      resolve({ topic, partition, offset, timestamp });
    }
  }

  fail(reason: string, details: { cause?: unknown; kafkaError?: string | undefined } = {}): void {
    this.#finish();
    const outcome = this.maybeAppended ? 'unknown' : 'failed';
    const end = this.maybeAppended ? 'whether they are in the log is not known' : 'they are not in the log';
    const what = `${this.count} records for ${this.topic}-${this.partition} were not acknowledged, ${end}`;
    const error = new ProduceError(outcome, `${what}: ${reason}`, details);
    for (const { reject } of this.#waiters) reject(error);
  }

  #finish(): void {
    this.done = true;
    this.sealed = true;
    this.deadline?.cancel();
    this.linger?.cancel();
  }
}
