import { describe, expect, test } from 'vitest';
import { crc32c } from '../../../src/codec/crc32c.ts';
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  readProducerSnapshot,
  straySnapshots,
} from '../../../src/log/producer-snapshot.ts';
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

describe('T-1.7 expiry', () => {
  const DAY = 86_400_000;

  function at(timestamp: number, producerId: number, baseSequence = 0): BatchHeader {
    return new BatchHeader(batch({ producerId, producerEpoch: 0, baseSequence, timestamp }));
  }

  function other(timestamp: number): BatchHeader {
    return new BatchHeader(batch({ timestamp }));
  }

  test('a producer that the log has outlived is unknown: any sequence is accepted, and a repetition is not known again', () => {
    const states = new ProducerStates(DAY);
    expect(offer(states, at(1000, 7))).toBe('ok');
    offer(states, other(1000 + DAY));
    expect(offer(states, at(1000, 7))).toBe('duplicate');
    expect(offer(states, at(1000, 7, 5))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    // Batches without a producer are part of the log's time.
    states.update(other(1001 + DAY));
    expect(states.get(7)).toBeUndefined();
    expect(offer(states, at(1001 + DAY, 7, 5))).toBe('ok');
    expect(states.get(7)?.batches).toHaveLength(1);
    expect(offer(states, at(1001 + DAY, 7, 7))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  test('it does not matter whether an expired one was removed from memory', () => {
    const [kept, removed] = [new ProducerStates(DAY), new ProducerStates(DAY)];
    for (const states of [kept, removed]) {
      states.update(at(1000, 7, 3));
      states.update(other(5000 + DAY));
    }
    removed.removeExpired();
    expect([kept.size, removed.size]).toEqual([1, 0]);
    for (const states of [kept, removed]) states.update(at(1000, 7, 9));
    expect([...kept.values()]).toEqual([...removed.values()]);
    expect(kept.get(7)?.batches.map(({ firstSequence }) => firstSequence)).toEqual([9]);
  });

  test('old timestamps, or none, expire nobody early', () => {
    const states = new ProducerStates(DAY);
    states.update(at(-1, 7));
    states.update(other(10 * DAY));
    states.update(at(-1, 8));
    states.update(at(1000, 9));
    for (const producerId of [7, 8, 9]) expect(states.get(producerId)).toBeDefined();
    states.update(other(11 * DAY + 1));
    for (const producerId of [7, 8, 9]) expect(states.get(producerId)).toBeUndefined();
  });

  test('a producer with an open transaction stays; its marker renews it', () => {
    const states = new ProducerStates(DAY);
    const transactional = (control: boolean, timestamp: number, baseOffset: number) =>
      new BatchHeader(
        batch({
          producerId: 7,
          producerEpoch: 0,
          baseSequence: 0,
          transactional: true,
          control,
          timestamp,
          baseOffset,
        }),
      );
    states.update(transactional(false, 1000, 40));
    states.update(transactional(false, 1000, 41));
    states.update(other(9 * DAY));
    expect(states.get(7)?.currentTxnFirstOffset).toBe(40);
    states.update(transactional(true, 9 * DAY, 42));
    states.update(other(10 * DAY));
    expect(states.get(7)?.currentTxnFirstOffset).toBe(-1);
    states.update(other(11 * DAY));
    expect(states.get(7)).toBeUndefined();
  });
});

describe('producer snapshot', () => {
  function sample(): ProducerStates {
    const states = new ProducerStates();
    for (let i = 0; i < 7; i++) states.update(header(3, i, 1, i));
    states.update(
      new BatchHeader(batch({ producerId: 900, producerEpoch: 0, baseSequence: MAX, baseOffset: 8, count: 3 })),
    );
    states.update(new BatchHeader(batch({ producerId: 901, producerEpoch: 2, control: true, baseOffset: 11 })));
    return states;
  }

  test('round trip', () => {
    const bytes = encodeProducerSnapshot(sample(), 9);
    const read = decodeProducerSnapshot(bytes, 9);
    expect([...(read?.values() ?? [])]).toEqual([...sample().values()]);
    expect(read?.newestTimestamp).toBe(1000);
  });

  test('timestamps that no number can say exactly are stored as far away as can be', () => {
    const states = new ProducerStates();
    const far = batch({ producerId: 7, producerEpoch: 0, baseSequence: 0 });
    far.writeBigInt64BE(2n ** 63n - 1n, 35);
    states.update(new BatchHeader(far));
    const read = decodeProducerSnapshot(encodeProducerSnapshot(states, 1), 1);
    expect(read?.get(7)?.lastTimestamp).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('T-1.7 what expired is not written, and expires after a load as it would have', () => {
    const states = new ProducerStates(100);
    states.update(header(0, 0));
    states.update(new BatchHeader(batch({ timestamp: 1090 })));
    const loaded = decodeProducerSnapshot(encodeProducerSnapshot(states, 2), 2, 100);
    expect(loaded?.size).toBe(1);
    loaded?.update(new BatchHeader(batch({ timestamp: 1101 })));
    expect(loaded?.get(7)).toBeUndefined();
    if (loaded !== undefined)
      expect(readProducerSnapshot(encodeProducerSnapshot(loaded, 3))).toMatchObject({ producers: [] });
  });

  /** As Kafka writes it. */
  function kafkas(): Buffer {
    const bytes = Buffer.alloc(10 + 46);
    bytes.writeInt16BE(1, 0);
    bytes.writeInt32BE(1, 6);
    bytes.writeBigInt64BE(4711n, 10);
    bytes.writeInt16BE(5, 18);
    bytes.writeInt32BE(1, 20);
    bytes.writeBigInt64BE(99n, 24);
    bytes.writeInt32BE(3, 32);
    bytes.writeBigInt64BE(123_456n, 36);
    bytes.writeInt32BE(-1, 44);
    bytes.writeBigInt64BE(-1n, 48);
    bytes.writeUInt32BE(crc32c(bytes, 6), 2);
    return bytes;
  }

  test('a file of Kafka’s is read', () => {
    expect(readProducerSnapshot(kafkas())).toEqual({
      producers: [
        {
          producerId: 4711,
          epoch: 5,
          lastTimestamp: 123_456,
          logTime: 123_456,
          coordinatorEpoch: -1,
          currentTxnFirstOffset: -1,
          batches: [{ firstSequence: MAX - 1, lastSequence: 1, firstOffset: 96, lastOffset: 99, timestamp: 123_456 }],
        },
      ],
      offset: undefined,
      newestTimestamp: 123_456,
    });
    expect(decodeProducerSnapshot(kafkas(), 100)?.size).toBe(1);
  });

  test('the first part of ours is what Kafka would write: the last batch of each producer', () => {
    const states = new ProducerStates();
    const last = {
      producerId: 4711,
      producerEpoch: 5,
      baseSequence: MAX - 1,
      baseOffset: 96,
      count: 4,
      timestamp: 123_456,
    };
    states.update(new BatchHeader(batch({ ...last, baseSequence: MAX - 3, baseOffset: 94, count: 2 })));
    states.update(new BatchHeader(batch(last)));
    const [ours, theirs] = [encodeProducerSnapshot(states, 100), kafkas()];
    expect(ours.subarray(6, theirs.length).toString('hex')).toBe(theirs.subarray(6).toString('hex'));
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

  test('an intact CRC over nonsense is told in words', () => {
    const signed = (bytes: Buffer): Buffer => {
      bytes.writeUInt32BE(crc32c(bytes, 6), 2);
      return bytes;
    };
    const many = kafkas();
    many.writeInt32BE(2_000_000_000, 6);
    expect(readProducerSnapshot(signed(many))).toMatch(/no room for 2000000000 producers/);
    expect(readProducerSnapshot(signed(Buffer.concat([kafkas(), Buffer.alloc(20)])))).toMatch(
      /bytes after its producers/,
    );
    const ours = encodeProducerSnapshot(sample(), 9);
    expect(readProducerSnapshot(signed(Buffer.concat([ours, Buffer.alloc(1)])))).toMatch(/bytes after its trailer/);
    const other = kafkas();
    other.writeInt16BE(2, 0);
    expect(readProducerSnapshot(other)).toMatch(/version 2 is not known/);
  });

  test('strays go: those at segments, and the newest above them, stay', () => {
    expect(straySnapshots([0, 5, 10, 15, 20, 25], [0, 10, 20])).toEqual([5, 15]);
    expect(straySnapshots([0, 5, 17], [0, 10, 20])).toEqual([5, 17]);
    expect(straySnapshots([25, 30], [0, 20])).toEqual([25]);
    expect(straySnapshots([], [0])).toEqual([]);
  });
});
