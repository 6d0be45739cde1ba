import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReplicaDescription } from '../../../src/gen/kvorum/v1/admin.ts';
import { partingOffset, possibleLoss } from '../../../src/server/possible-loss.ts';

type Epochs = [leaderEpoch: number, startOffset: number][];

function replica(brokerId: number, epochs: Epochs, logEndOffset: number, fields: Partial<ReplicaDescription> = {}) {
  return {
    topic: 't',
    partition: 0,
    brokerId,
    role: 'standby',
    failure: '',
    leaderEpoch: 9,
    logStartOffset: epochs[0]?.[1] ?? logEndOffset,
    highWatermark: logEndOffset,
    logEndOffset,
    epochs: epochs.map(([leaderEpoch, startOffset]) => ({ leaderEpoch, startOffset })),
    followers: [],
    pendingIsr: [],
    ...fields,
  };
}

describe('of logs whose replicas all answer', () => {
  const elected = replica(
    1,
    [
      [0, 0],
      [2, 80],
    ],
    100,
    { highWatermark: 90 },
  );

  it('what others have beyond the end of the elected one goes', () => {
    const others = [
      replica(
        2,
        [
          [0, 0],
          [2, 80],
        ],
        130,
        { highWatermark: 120 },
      ),
      replica(3, [[0, 0]], 70),
    ];
    expect(possibleLoss(1, [1, 2, 3], [elected, ...others])).toEqual({
      firstOffset: 100,
      knownEndOffset: 130,
      highWatermark: 120,
      silent: [],
      silentFromOffset: -1,
    });
  });

  it('what they have otherwise goes, from where the epochs part', () => {
    const other = replica(
      2,
      [
        [0, 0],
        [1, 80],
        [3, 85],
      ],
      95,
      { highWatermark: 95 },
    );
    expect(possibleLoss(1, [1, 2], [elected, other])).toMatchObject({ firstOffset: 80, knownEndOffset: 95 });
  });

  it('nothing goes where the elected one has everything', () => {
    const other = replica(
      2,
      [
        [0, 0],
        [2, 80],
      ],
      95,
      { highWatermark: 80 },
    );
    const loss = possibleLoss(1, [1, 2], [elected, other]);
    expect(loss).toEqual({
      firstOffset: 100,
      knownEndOffset: 100,
      highWatermark: 90,
      silent: [],
      silentFromOffset: -1,
    });
  });

  it('an epoch in which nothing was written says nothing', () => {
    const led = replica(
      1,
      [
        [0, 0],
        [4, 50],
      ],
      50,
    );
    expect(possibleLoss(1, [1, 2], [led, replica(2, [[0, 0]], 60)])).toMatchObject({
      firstOffset: 50,
      knownEndOffset: 60,
    });
  });

  it('an empty log loses all that others have', () => {
    expect(possibleLoss(1, [1, 2], [replica(1, [], 0), replica(2, [[0, 0]], 60)])).toMatchObject({
      firstOffset: 0,
      knownEndOffset: 60,
    });
  });

  it('where no epoch is common the worst is taken', () => {
    const other = replica(2, [[1, 30]], 60);
    expect(possibleLoss(1, [1, 2], [replica(1, [[2, 20]], 60), other])).toMatchObject({
      firstOffset: 20,
      knownEndOffset: 60,
    });
  });
});

describe('of silent replicas', () => {
  const elected = replica(1, [[0, 0]], 100, { highWatermark: 90 });

  it('names them, and from where on they may have other records', () => {
    expect(possibleLoss(1, [1, 2, 3], [elected, replica(3, [[0, 0]], 40)])).toEqual({
      firstOffset: 100,
      knownEndOffset: 100,
      highWatermark: 90,
      silent: [2],
      silentFromOffset: 90,
    });
  });

  it('takes one that is offline for silent', () => {
    const offline = replica(2, [], -1, { role: 'offline', logStartOffset: -1, highWatermark: -1 });
    expect(possibleLoss(1, [1, 2], [elected, offline])).toMatchObject({ silent: [2], silentFromOffset: 90 });
  });

  it('knows nothing where the elected one is silent', () => {
    expect(possibleLoss(2, [1, 2], [elected])).toEqual({
      firstOffset: -1,
      knownEndOffset: 100,
      highWatermark: 90,
      silent: [2],
      silentFromOffset: -1,
    });
  });
});

// A log is the epochs of its records; two logs that were replicated agree up to a point, and have no record alike after it.
const histories = fc
  .record({
    common: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 8 }),
    left: fc.array(fc.integer({ min: 4, max: 6 }), { maxLength: 5 }),
    right: fc.array(fc.integer({ min: 7, max: 9 }), { maxLength: 5 }),
  })
  .map(({ common, left, right }) => {
    const sorted = (epochs: number[]): number[] => epochs.toSorted((a, b) => a - b);
    return { common: common.length, left: sorted([...common, ...left]), right: sorted([...common, ...right]) };
  });

function described(log: number[]): ReplicaDescription {
  const starts = log.flatMap((epoch, offset): Epochs => (epoch === log[offset - 1] ? [] : [[epoch, offset]]));
  return replica(1, starts, log.length, { logStartOffset: 0 });
}

it('finds where any two logs part, as reading them would', () => {
  fc.assert(
    fc.property(histories, ({ common, left, right }) => {
      expect(partingOffset(described(left), described(right))).toBe(common);
      expect(partingOffset(described(left), described(left.slice(0, common)))).toBe(common);
    }),
  );
});
