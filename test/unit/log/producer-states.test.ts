import { describe, expect, test } from 'vitest';
import { decodeProducerSnapshot, encodeProducerSnapshot } from '../../../src/log/producer-snapshot.ts';
import { ProducerStates } from '../../../src/log/producer-states.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import { batch } from './fixture.ts';

const MAX = 0x7fff_ffff;

function header(producerEpoch: number, baseSequence: number, count = 1, baseOffset = 0): BatchHeader {
  return new BatchHeader(batch({ producerId: 7, producerEpoch, baseSequence, count, baseOffset }));
}

/** The outcome in a word; what is in order is noted. */
function offer(states: ProducerStates, batchHeader: BatchHeader): string {
  const check = states.check(batchHeader);
  if (check.kind === 'ok') states.update(batchHeader);
  return check.kind === 'refused' ? check.error : check.kind;
}

describe('T-1 producer checks', () => {
  test('T-1.3 sequences follow each other; gaps and steps back are refused', () => {
    const states = new ProducerStates();
    expect(offer(states, header(0, 0, 3))).toBe('ok');
    expect(offer(states, header(0, 4))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(0, 3, 2))).toBe('ok');
    expect(offer(states, header(0, 4))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(0, 5))).toBe('ok');
  });

  test('T-1.2 each of the last five batches is known again with its offsets, an older one is refused', () => {
    const states = new ProducerStates();
    for (let i = 0; i < 6; i++) expect(offer(states, header(0, i * 2, 2, 100 + i * 2))).toBe('ok');
    for (let i = 1; i < 6; i++) {
      const check = states.check(header(0, i * 2, 2));
      expect(check).toMatchObject({ kind: 'duplicate', batch: { firstOffset: 100 + i * 2, lastOffset: 101 + i * 2 } });
    }
    expect(offer(states, header(0, 0, 2))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(0, 2, 1))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  test('T-1.3 sequences wrap from 2^31-1 to 0, also inside a batch', () => {
    const states = new ProducerStates();
    expect(offer(states, header(0, MAX - 1, 2))).toBe('ok');
    expect(offer(states, header(0, 1))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(0, 0))).toBe('ok');
    expect(offer(states, header(0, MAX - 1, 2))).toBe('duplicate');
    const inside = new ProducerStates();
    expect(offer(inside, header(0, MAX - 1, 4))).toBe('ok');
    expect(inside.get(7)?.batches.at(-1)?.lastSequence).toBe(1);
    expect(offer(inside, header(0, 2))).toBe('ok');
  });

  test('T-1.3 epochs: an older one is refused, a newer one starts at 0 and forgets the batches', () => {
    const states = new ProducerStates();
    expect(offer(states, header(1, 0, 5))).toBe('ok');
    expect(offer(states, header(0, 5))).toBe('INVALID_PRODUCER_EPOCH');
    expect(offer(states, header(2, 5))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(2, 0))).toBe('ok');
    expect(offer(states, header(2, 0, 5))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(1, 0, 5))).toBe('INVALID_PRODUCER_EPOCH');
  });

  test('T-1.4 of an unknown producer any sequence is accepted', () => {
    expect(offer(new ProducerStates(), header(3, 12345))).toBe('ok');
  });

  test('T-1.6 a check changes nothing', () => {
    const states = new ProducerStates();
    states.check(header(0, 0));
    expect(states.size).toBe(0);
  });

  test('a marker raises the epoch and carries no sequence', () => {
    const states = new ProducerStates();
    states.update(header(0, 0));
    states.update(new BatchHeader(batch({ producerId: 7, producerEpoch: 1, control: true })));
    expect(states.get(7)).toMatchObject({ epoch: 1, batches: [] });
    expect(offer(states, header(1, 1))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(offer(states, header(1, 0))).toBe('ok');
  });
});

describe('producer snapshot', () => {
  function sample(): ProducerStates {
    const states = new ProducerStates();
    for (let i = 0; i < 7; i++) states.update(header(3, i, 1, i));
    states.update(new BatchHeader(batch({ producerId: 900, producerEpoch: 0, baseSequence: MAX, baseOffset: 8 })));
    return states;
  }

  test('round trip', () => {
    const bytes = encodeProducerSnapshot(sample(), 9);
    const read = decodeProducerSnapshot(bytes, 9);
    expect([...(read?.values() ?? [])]).toEqual([...sample().values()]);
  });

  test('T-3.1 every damaged, cut or misnamed snapshot counts as absent', () => {
    const bytes = encodeProducerSnapshot(sample(), 9);
    expect(decodeProducerSnapshot(bytes, 8)).toBeUndefined();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      expect(decodeProducerSnapshot(damaged, 9), `byte ${at}`).toBeUndefined();
      expect(decodeProducerSnapshot(bytes.subarray(0, at), 9), `cut at ${at}`).toBeUndefined();
    }
  });
});
