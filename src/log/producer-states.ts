// What a partition knows of its idempotent producers (T-1): per producer id the epoch and the last five batches.
// A function of the log's prefix and nothing else (T-3.1): `check` looks, `update` is called once the batch is in the log
// (T-1.6). State of one producer: batches have ascending sequences (modulo the wrap) and offsets, all of `epoch`.
import type { Epoch, Offset } from '../base/ids.ts';
import type { BatchHeader } from '../record/batch.ts';
import { addToSequence, NO_PRODUCER_EPOCH, NO_SEQUENCE } from '../record/batch.ts';

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
  /** Of the last batch, control batches included. */
  lastTimestamp: number;
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

  get size(): number {
    return this.#states.size;
  }

  get(producerId: number): Readonly<ProducerState> | undefined {
    return this.#states.get(producerId);
  }

  values(): Iterable<Readonly<ProducerState>> {
    return this.#states.values();
  }

  /** Takes over a state read from a snapshot. */
  restore(state: ProducerState): void {
    this.#states.set(state.producerId, state);
  }

  /** Whether a client's batch may follow (T-1.5: never asked for batches that come by replication). Changes nothing. */
  check(batch: BatchHeader): ProducerCheck {
    if (!batch.hasProducerId) return OK;
    const state = this.#states.get(batch.producerId);
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

  /** Takes note of a batch that is in the log, whoever wrote it. */
  update(batch: BatchHeader): void {
    if (!batch.hasProducerId) return;
    const { producerId, producerEpoch, maxTimestamp } = batch;
    let state = this.#states.get(producerId);
    if (state === undefined) {
      state = { producerId, epoch: NO_PRODUCER_EPOCH, lastTimestamp: maxTimestamp, batches: [] };
      this.#states.set(producerId, state);
    }
    if (producerEpoch !== state.epoch) {
      state.epoch = producerEpoch;
      state.batches = [];
    }
    state.lastTimestamp = maxTimestamp;
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

function outOfOrder(): ProducerCheck {
  return { kind: 'refused', error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' };
}
