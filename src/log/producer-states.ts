// What a partition knows of its idempotent producers (T-1): per producer id the epoch and the last five batches.
// A function of the log's prefix and nothing else (T-3.1): `check` looks, `update` is called once the batch is in the log
// (T-1.6). State of one producer: batches have ascending sequences (modulo the wrap) and offsets, all of `epoch`.
// T-1.7: time is the log's own, the newest timestamp of the prefix. A batch counts as of the log's time when it came, so that old
// timestamps, or none, expire nobody early; what is expired counts as unknown, whether it is still in memory or not.
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import type { BatchHeader } from '../record/batch.ts';
import { addToSequence, NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP } from '../record/batch.ts';

/** As many as a client has in flight; Kafka's ProducerStateEntry.NUM_BATCHES_TO_RETAIN. */
export const BATCHES_TO_RETAIN = 5;

export interface ProducerBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  /** The batch's maximal timestamp. */
  readonly timestamp: number;
}

export interface ProducerState {
  readonly producerId: number;
  epoch: Epoch;
  /** The maximal timestamp of the last batch, control batches included; -1 if it has none. */
  lastTimestamp: number;
  /** The log's newest timestamp once that batch was in it (T-1.7). */
  logTime: number;
  /** Of the last marker, where it is known; -1 else. */
  coordinatorEpoch: Epoch;
  /** Of the transaction that is open; -1: none. */
  currentTxnFirstOffset: Offset;
  /** Oldest first, at most {@link BATCHES_TO_RETAIN}. Empty after a control batch that raised the epoch. */
  batches: ProducerBatch[];
}

export type ProducerCheck =
  | { readonly kind: 'ok' }
  | { readonly kind: 'duplicate'; readonly batch: ProducerBatch }
  | { readonly kind: 'refused'; readonly error: ProducerRefusal };

/** Kafka's error names. */
export type ProducerRefusal = 'OUT_OF_ORDER_SEQUENCE_NUMBER' | 'INVALID_PRODUCER_EPOCH';

const OK: ProducerCheck = { kind: 'ok' };

export class ProducerStates {
  readonly #states = new Map<number, ProducerState>();
  readonly #expirationMs: Ms;
  #newestTimestamp: number;

  /** Empty, of a log whose newest timestamp so far is that. `expirationMs`: producer.id.expiration.ms; never unless given. */
  constructor(expirationMs: Ms = Number.POSITIVE_INFINITY, newestTimestamp: number = NO_TIMESTAMP) {
    this.#expirationMs = expirationMs;
    this.#newestTimestamp = newestTimestamp;
  }

  /** Those in memory, expired ones included. */
  get size(): number {
    return this.#states.size;
  }

  /** Of the batches seen; -1 if none had a timestamp. */
  get newestTimestamp(): number {
    return this.#newestTimestamp;
  }

  /** Undefined if it is unknown, or expired (T-1.7). */
  get(producerId: number): Readonly<ProducerState> | undefined {
    return this.#known(producerId);
  }

  #known(producerId: number): ProducerState | undefined {
    const state = this.#states.get(producerId);
    return state === undefined || this.#isExpired(state) ? undefined : state;
  }

  *values(): Generator<Readonly<ProducerState>> {
    for (const state of this.#states.values()) if (!this.#isExpired(state)) yield state;
  }

  /** Gives back the memory of those that count as unknown anyway. */
  removeExpired(): void {
    for (const [producerId, state] of this.#states) if (this.#isExpired(state)) this.#states.delete(producerId);
  }

  #isExpired(state: ProducerState): boolean {
    return state.currentTxnFirstOffset < 0 && this.#newestTimestamp - state.logTime > this.#expirationMs;
  }

  /** Takes over a state read from a snapshot. */
  restore(state: ProducerState): void {
    this.#states.set(state.producerId, state);
  }

  /** Whether a client's batch may follow (T-1.5: never asked for batches that come by replication). Changes nothing. */
  check(batch: BatchHeader): ProducerCheck {
    if (!batch.hasProducerId) return OK;
    const state = this.get(batch.producerId);
    // T-1.4: of an unknown producer, any sequence is accepted.
    if (state === undefined) return OK;
    const { producerEpoch, baseSequence } = batch;
    // T-1.3
    if (producerEpoch < state.epoch) return { kind: 'refused', error: 'INVALID_PRODUCER_EPOCH' };
    if (producerEpoch > state.epoch) return baseSequence === 0 ? OK : outOfOrder();
    const last = state.batches.at(-1);
    // A marker raised the epoch and no batch followed: the new epoch starts at 0.
    if (last === undefined) return baseSequence === 0 ? OK : outOfOrder();
    // T-1.2
    const lastSequence = batch.lastSequence;
    const duplicate = state.batches.find(
      (known) => known.firstSequence === baseSequence && known.lastSequence === lastSequence,
    );
    if (duplicate !== undefined) return { kind: 'duplicate', batch: duplicate };
    return baseSequence === addToSequence(last.lastSequence, 1) ? OK : outOfOrder();
  }

  /** Takes note of a batch that is in the log, whoever wrote it. To be told of all batches: each one may move the log's time. */
  update(batch: BatchHeader): void {
    const before = batch.hasProducerId ? this.#known(batch.producerId) : undefined;
    const maxTimestamp = storable(batch.maxTimestamp);
    this.#passTo(maxTimestamp);
    if (batch.hasProducerId) this.#note(batch, maxTimestamp, before ?? this.#begin(batch.producerId));
  }

  #passTo(timestamp: number): void {
    if (timestamp <= this.#newestTimestamp) return;
    // Who wrote while the log knew no time did so now at the latest.
    if (this.#newestTimestamp < 0) for (const state of this.#states.values()) state.logTime = timestamp;
    this.#newestTimestamp = timestamp;
  }

  #begin(producerId: number): ProducerState {
    const state: ProducerState = {
      producerId,
      epoch: NO_PRODUCER_EPOCH,
      lastTimestamp: NO_TIMESTAMP,
      logTime: NO_TIMESTAMP,
      coordinatorEpoch: -1,
      currentTxnFirstOffset: -1,
      batches: [],
    };
    this.#states.set(producerId, state);
    return state;
  }

  #note(batch: BatchHeader, maxTimestamp: number, state: ProducerState): void {
    const { producerEpoch } = batch;
    if (producerEpoch !== state.epoch) {
      state.epoch = producerEpoch;
      state.batches = [];
    }
    state.lastTimestamp = maxTimestamp;
    state.logTime = this.#newestTimestamp;
    if (batch.isControl) state.currentTxnFirstOffset = -1;
    else if (batch.isTransactional && state.currentTxnFirstOffset < 0) state.currentTxnFirstOffset = batch.baseOffset;
    // Markers carry no sequence.
    if (batch.isControl || batch.baseSequence === NO_SEQUENCE) return;
    if (state.batches.length === BATCHES_TO_RETAIN) state.batches.shift();
    state.batches.push({
      firstSequence: batch.baseSequence,
      lastSequence: batch.lastSequence,
      firstOffset: batch.baseOffset,
      lastOffset: batch.lastOffset,
      timestamp: maxTimestamp,
    });
  }
}

/** A timestamp may be any 64-bit number; those beyond the safe integers are as far away as a snapshot can say. */
function storable(timestamp: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, timestamp));
}

function outOfOrder(): ProducerCheck {
  return { kind: 'refused', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };
}
