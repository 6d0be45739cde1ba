import { describe, expect, test } from 'vitest';
import type { TrueBatch, TrueLog } from '../../../src/check/partition-truth.ts';
import { PartitionTruth } from '../../../src/check/partition-truth.ts';

/** Batches of one record each, of these epochs; `mark` makes them other records. */
function batches(epochs: readonly number[], mark = 0): TrueBatch[] {
  return epochs.map((leaderEpoch, i) => ({ baseOffset: i, nextOffset: i + 1, leaderEpoch, crc: 100 * mark + i }));
}

function log(brokerId: number, its: readonly TrueBatch[], durable = its.length): TrueLog {
  return { brokerId, batches: its, counts: (batch) => its.indexOf(batch) < durable };
}

const THREE = batches([0, 0, 0]);

/** Brokers 1 and 2 have three batches of epoch 0, which broker 1 has committed. */
function committed(): PartitionTruth {
  const truth = new PartitionTruth('orders-0');
  expect(truth.begins('broker1#1', 0, log(1, []))).toBeUndefined();
  expect(truth.advanced(0, 3, log(1, THREE))).toBeUndefined();
  expect(truth.mustHold(log(2, THREE), 2, 'in the ISR')).toBeUndefined();
  return truth;
}

describe('S-M11', () => {
  test('who may be elected has all that is committed', () => {
    const truth = committed();
    expect(truth.mustHold(log(3, THREE.slice(0, 2)), 3, 'in the ISR')?.property).toBe('S-M11');
    expect(truth.mustHold(undefined, 3, 'in the ELR')?.detail).toContain('broker 3, in the ELR of orders-0');
    expect(truth.mustHold(log(3, [...THREE, ...batches([0, 0, 0, 0]).slice(3)]), 3, 'in the ISR')).toBeUndefined();
  });

  test('the same offsets of another epoch are other records', () => {
    expect(committed().mustHold(log(3, batches([0, 0, 1], 1)), 3, 'in the ISR')?.property).toBe('S-M11');
  });

  test('with log.flush.mode=sync what is not durable does not count', () => {
    expect(committed().mustHold(log(3, THREE, 2), 3, 'in the ISR')?.detail).toContain('not durable');
  });

  test('a broker that lost its log need not have it before its registration is committed, and afterwards must', () => {
    const truth = committed();
    expect(truth.crashed(2, THREE.slice(1), log(2, THREE.slice(0, 1)))).toBe(true);
    expect(truth.mustHold(log(2, THREE.slice(0, 1)), 2, 'in the ISR')).toBeUndefined();
    truth.registered(2, false);
    expect(truth.mustHold(log(2, THREE.slice(0, 1)), 2, 'in the ISR')?.property).toBe('S-M11');
  });

  test('a power cut may take what its leader commits only afterwards: it is lossy, though nothing committed is gone yet', () => {
    const truth = committed();
    const longer = batches([0, 0, 0, 0]);
    truth.mustHold(log(2, longer), 2, 'in the ISR');
    expect(truth.crashed(2, longer.slice(3), log(2, THREE))).toBe(false);
    expect(truth.advanced(0, 4, log(1, longer))).toBeUndefined();
    expect(truth.mustHold(log(2, THREE), 2, 'in the ISR')).toBeUndefined();
    truth.registered(2, false);
    expect(truth.mustHold(log(2, THREE), 2, 'in the ISR')?.property).toBe('S-M11');
  });

  test('a power cut that takes nothing changes nothing', () => {
    const truth = committed();
    expect(truth.crashed(2, [], log(2, THREE))).toBe(false);
    expect(truth.isLossy(2)).toBe(false);
  });

  test('who was never looked at loses committed records too', () => {
    expect(committed().crashed(3, THREE, log(3, []))).toBe(true);
  });
});

describe('S-M3', () => {
  test('an epoch has one leader, and one life of it', () => {
    const truth = committed();
    expect(truth.begins('broker1#1', 0, log(1, THREE))).toBeUndefined();
    expect(truth.begins('broker1#2', 0, log(1, THREE))?.property).toBe('S-M3');
    expect(truth.begins('broker2#1', 0, log(2, THREE))?.property).toBe('S-M3');
  });
});

describe('S-D6, S-D7', () => {
  test('a leader commits what it has written, and where that matters what is durable', () => {
    expect(committed().advanced(0, 5, log(1, THREE))?.property).toBe('S-D6');
    expect(committed().advanced(0, 4, log(1, batches([0, 0, 0, 0]), 3))?.property).toBe('S-D6');
  });

  test('a leader that has something else below its high watermark', () => {
    const truth = committed();
    expect(truth.advanced(1, 3, log(3, batches([0, 0, 1], 1)))?.property).toBe('S-D7');
  });

  test('a leader that was replaced and does not know it may commit less than its successor did', () => {
    const truth = committed();
    expect(truth.advanced(0, 2, log(2, THREE.slice(0, 2)))).toBeUndefined();
    expect(truth.endOffset).toBe(3);
  });
});

describe('S-D3', () => {
  test('nobody cuts what is committed', () => {
    const truth = committed();
    expect(truth.removed(2, THREE.slice(2), log(2, THREE.slice(0, 2)))?.property).toBe('S-D3');
  });

  test('what is not committed may be cut, and after an unclean election what its leader does not have', () => {
    const truth = committed();
    const longer = [...THREE, ...batches([0, 0, 0, 0], 1).slice(3)];
    truth.mustHold(log(2, longer), 2, 'in the ISR');
    expect(truth.removed(2, longer.slice(3), log(2, THREE))).toBeUndefined();
    truth.electedUncleanly(1);
    expect(truth.begins('broker3#1', 1, log(3, THREE.slice(0, 1)))).toBeUndefined();
    expect(truth.losses).toMatchObject([{ fromOffset: 1, toOffset: 3, leaderEpoch: 1 }]);
    expect(truth.removed(2, THREE.slice(1), log(2, THREE.slice(0, 1)))).toBeUndefined();
  });

  test('also where it is there again before anybody looks at the disk', () => {
    const truth = committed();
    expect(truth.cuts(2, log(2, THREE))?.property).toBe('S-D3');
    expect(truth.cuts(3, log(2, [...THREE, ...batches([0, 0, 0, 0], 1).slice(3)]))).toBeUndefined();
    expect(truth.cuts(1, log(2, THREE.slice(0, 1)))).toBeUndefined();
  });

  test('who lost power may have to cut, until the controller knows', () => {
    const truth = committed();
    truth.crashed(2, THREE.slice(2), log(2, THREE.slice(0, 2)));
    expect(truth.cuts(1, log(2, THREE.slice(0, 2)))).toBeUndefined();
    truth.registered(2, false);
    expect(truth.cuts(1, log(2, THREE.slice(0, 2)))?.property).toBe('S-D3');
  });
});

describe('S-D7', () => {
  const other = [...THREE.slice(0, 2), ...batches([0, 0, 1], 1).slice(2)];

  test('what a follower takes for committed is what its leader has there', () => {
    const truth = committed();
    expect(truth.heard(1, 2, log(4, other))).toBeUndefined();
    expect(truth.heard(1, 3, log(4, other))?.property).toBe('S-D7');
    expect(truth.heard(1, 3, log(2, THREE))).toBeUndefined();
  });

  test('a leader that another was elected over uncleanly says what is void', () => {
    const truth = committed();
    truth.electedUncleanly(2);
    expect(truth.heard(1, 3, log(4, other))).toBeUndefined();
    truth.begins('broker3#1', 2, log(3, THREE));
    expect(truth.heard(1, 3, log(4, other))).toBeUndefined();
    expect(truth.heard(2, 3, log(4, other))?.property).toBe('S-D7');
  });
});

describe('unclean elections', () => {
  test('one who has everything costs nothing', () => {
    const truth = committed();
    truth.electedUncleanly(1);
    truth.begins('broker3#1', 1, log(3, THREE));
    expect(truth.losses).toEqual([]);
  });

  test('nothing is decided before its leader begins: it may still get what it lacks', () => {
    const truth = committed();
    truth.electedUncleanly(1);
    expect(truth.mustHold(log(3, []), 3, 'in the ISR')).toBeUndefined();
    expect(truth.begins('broker1#1', 0, log(1, THREE))).toBeUndefined();
    expect(truth.isUndecided).toBe(true);
    truth.begins('broker3#1', 1, log(3, THREE.slice(0, 2)));
    expect(truth.losses).toMatchObject([{ fromOffset: 2, toOffset: 3, leaderEpoch: 1 }]);
  });

  test('what an old leader commits afterwards is lost at once, and nobody must hold it', () => {
    const truth = committed();
    truth.electedUncleanly(1);
    truth.begins('broker3#1', 1, log(3, THREE.slice(0, 2)));
    expect(truth.advanced(0, 4, log(1, batches([0, 0, 0, 0])))).toBeUndefined();
    expect(truth.losses.at(-1)).toMatchObject({ fromOffset: 3, toOffset: 4, leaderEpoch: 1 });
    expect(truth.mustHold(log(3, THREE.slice(0, 2)), 3, 'in the ISR')).toBeUndefined();
    expect(truth.highest).toBe(4);
  });

  test('what was committed in its epoch is lost by nobody', () => {
    const truth = committed();
    truth.electedUncleanly(1);
    const own = batches([0, 0, 1, 1]);
    truth.begins('broker3#1', 1, log(3, own.slice(0, 2)));
    truth.advanced(1, 4, log(3, own));
    expect(truth.mustHold(log(2, THREE), 2, 'in the ISR')?.property).toBe('S-M11');
  });

  test('the only replica of a partition leads again with what it has', () => {
    const truth = committed();
    truth.crashed(1, THREE.slice(1), log(1, THREE.slice(0, 1)));
    truth.registered(1, true);
    expect(truth.mustHold(log(1, THREE.slice(0, 1)), 1, 'in the ELR')).toBeUndefined();
    truth.begins('broker1#2', 1, log(1, THREE.slice(0, 1)));
    expect(truth.losses).toMatchObject([{ fromOffset: 1, toOffset: 3, leaderEpoch: 1 }]);
  });
});
