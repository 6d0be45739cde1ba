// Unclean elections: what the ledger names may be gone, and nothing else (S-D8). Each checker against a bad history and a good one
// that looks bad.
import { describe, expect, test } from 'vitest';
import { violationsOf } from '../../../src/check/client-history.ts';
import type { ClientHistory } from '../../../src/check/history.ts';
import { linesOf, parseHistory } from '../../../src/check/history-lines.ts';
import { checkReplicasAgree } from '../../../src/check/replicas.ts';
import { ENTRY, history, LOSS, log, lossy, range, read, record, write } from './fixture.ts';

const HAZARDS = { uncleanElections: true, lossyDisks: false };

/** The ids of what is violated. */
function violated(it: ClientHistory, session = 'final', hazards = HAZARDS): string[] {
  return violationsOf(it, session, hazards).map(({ property }) => property);
}

test('a history without a loss and one whose losses are in the ledger pass', () => {
  expect(violated(history(), 'c', { uncleanElections: false, lossyDisks: false })).toEqual([]);
  expect(violated(lossy())).toEqual([]);
});

describe('S-D1: an acknowledged record that is gone must be in a range of an epoch after its own', () => {
  test('without an entry, in another partition, beside the range', () => {
    expect(violated(lossy({ ledger: [] }))).toContain('S-D1');
    expect(violated(lossy({ ledger: [{ ...ENTRY, partition: 1 }] }))).toContain('S-D1');
    expect(violated(lossy({ ledger: [{ ...ENTRY, ranges: [range(1, 1, 2)] }] }))).toContain('S-D1');
    expect(violated(lossy({ ledger: [{ ...ENTRY, ranges: [range(1, 2, 3)] }] }))).toContain('S-D1');
  });

  test('written in the epoch of the election, or later', () => {
    const writes = [...lossy().writes, write(3, { offset: 2, leaderEpoch: 1 })];
    expect(violated(lossy({ writes }))).toContain('S-D1');
    // A consumer saw it: that tells the epoch too.
    const seen = { session: 'd', leaderEpoch: 1, text: 'p-3=' };
    const unsaid = [...lossy().writes, write(3, { offset: 2 })];
    expect(violated(lossy({ writes: unsaid, reads: [...lossy().reads, read(2, seen)] }))).toContain('S-D1');
    expect(violated(lossy({ writes: unsaid }))).not.toContain('S-D1');
  });

  test('while a replica is awaited more may be gone, of earlier epochs', () => {
    const open = { ...ENTRY, ranges: [range(2, 1, 1, { kind: 'led' })], awaited: [1] };
    expect(violated(lossy({ ledger: [open] }))).toEqual([]);
    const writes = [...lossy().writes, write(3, { offset: 2, leaderEpoch: 1 })];
    expect(violated(lossy({ writes, ledger: [open] }))).toContain('S-D1');
  });

  test('so it is for good with a replica that will never say what it had', () => {
    const gone = range(1, -1, -1, { kind: 'gone', highWatermark: -1 });
    expect(violated(lossy({ ledger: [{ ...ENTRY, ranges: [gone] }] }))).toEqual([]);
    expect(violated(lossy({ ledger: [{ ...ENTRY, partition: 1, ranges: [gone] }] }))).toContain('S-D1');
  });

  test('a hole is no loss: the leader had it, and deleted it', () => {
    expect(violated(lossy({ ledger: [{ ...ENTRY, ranges: [range(1, 1, 3, { kind: 'hole' })] }] }))).toContain('S-D1');
  });

  test('a duplicate without an offset may be gone where anything is', () => {
    const writes = [write(0), write(1, { offset: -1 }), write(0, { producer: 'q', text: 'q-0=', offset: 1 })];
    const reads = lossy().reads.filter(({ session }) => session === 'final');
    expect(violated(lossy({ writes, reads }))).toEqual([]);
    expect(violated(lossy({ writes, reads, ledger: [{ ...ENTRY, ranges: [range(1, 1, 1)] }] }))).toEqual(['S-D1']);
  });
});

describe('S-D2', () => {
  test('what is there is in order, also around what is gone', () => {
    const writes = [write(0, { offset: 5 }), write(1, { offset: 1 }), write(2, { offset: 4 })];
    const records = [0, 1, 2, 3, 4, 5].map((offset) => record(offset, { text: `other-${offset}` }));
    records[5] = record(5, { text: 'p-0=' });
    records[4] = record(4, { text: 'p-2=' });
    // `p-1=` is gone and may be: the ones before and after it are still the wrong way round.
    expect(violated(lossy({ writes, reads: [], logs: [log(records)] }))).toContain('S-D2');
  });

  test('of records whose offsets nobody was told, the order is that of the log', () => {
    const untold = [0, 1, 2].map((order) => write(order, { offset: -1 }));
    expect(violated(history({ writes: untold }), 'c')).toEqual([]);
    const swapped = [log([record(0), record(1, { text: 'p-2=' }), record(2, { text: 'p-1=' })])];
    expect(violated(history({ writes: untold, logs: swapped, reads: [] }))).toContain('S-D2');
  });

  test('an offset may be given again where the first record is gone', () => {
    expect(violated(lossy())).not.toContain('S-D2');
    expect(violated(lossy({ ledger: [] }))).toContain('S-D2');
  });
});

test('S-D3, S-M4: losses without a reason', () => {
  const calm = { uncleanElections: false, lossyDisks: false };
  expect(violated(lossy(), 'final', calm)).toContain('S-M4');
  const own = { ...ENTRY, leader: -1 };
  expect(violated(lossy({ ledger: [own] }), 'final', calm)).toContain('S-D3');
  // Nor do they excuse anything.
  expect(violated(lossy({ ledger: [own] }), 'final', calm)).toContain('S-D1');
  expect(violated(lossy({ ledger: [own] }), 'final')).toContain('S-D3');
  expect(violated(lossy({ ledger: [own] }), 'final', { ...calm, lossyDisks: true })).toEqual([]);
  // A follower that tells late, under an entry of its own, what an election cost.
  const late = [{ ...ENTRY, ranges: [] }, own];
  expect(violated(lossy({ ledger: late }))).toEqual([]);
});

describe('S-D5: behind what was acknowledged before', () => {
  const writes = [
    write(0, { offset: 1, answeredAtMs: 50 }),
    write(0, { producer: 'q', text: 'q-0=', offset: 0, invokedAtMs: 60 }),
  ];
  const logs = [log([record(0, { text: 'q-0=', producerId: 8 }), record(1, { text: 'p-0=' })])];

  test('sent after the answer', () => {
    expect(violated(history({ writes, logs, reads: [] }))).toContain('S-D5');
  });

  test('sent at the same time', () => {
    const together = writes.map((it) => ({ ...it, invokedAtMs: 50 }));
    expect(violated(history({ writes: together, logs, reads: [] }))).not.toContain('S-D5');
  });

  test('behind what is there: the one that is gone does not count', () => {
    const gone = lossy().writes.map((it) => ({ ...it, answeredAtMs: it.invokedAtMs + 1 }));
    const after = gone.map((it) => (it.producer === 'q' ? { ...it, invokedAtMs: 900, answeredAtMs: 901 } : it));
    expect(violated(lossy({ writes: after }))).toEqual([]);
    expect(violated(lossy({ writes: after, ledger: [] }))).toContain('S-D5');
  });
});

describe('S-D8: the ledger', () => {
  test('names as lost what is there', () => {
    const over = { ...ENTRY, ranges: [range(1, 0, 3)] };
    expect(violated(lossy({ ledger: [over] }))).toEqual(['S-D8']);
  });

  test('may name what was never committed, and what is there', () => {
    const unsure = { ...ENTRY, ranges: [range(1, 1, 3), range(3, 0, 9, { highWatermark: 0 })] };
    expect(violated(lossy({ ledger: [unsure] }))).toEqual([]);
  });

  test('a lost record that a later election brings back', () => {
    // Broker 3 was down when broker 2 cut `p-1=` and `p-2=`, and is elected uncleanly after it: `q-0=` goes in its turn.
    const second = { ...ENTRY, leader: 3, oldLeaderEpoch: 1, newLeaderEpoch: 2, ranges: [range(2, 1, 2)] };
    const writes = lossy().writes;
    const reads = [...lossy().reads.filter(({ session }) => session !== 'final'), ...history().reads].map((it, i) =>
      i < 3 ? it : { ...it, session: 'final' },
    );
    const back = { writes, reads, logs: history().logs, losses: [], ledger: [ENTRY, second] };
    expect(violated(back)).toEqual([]);
    // Without the first one nothing explains it.
    expect(violated({ ...back, ledger: [second] })).toContain('S-D8');
  });

  test('a consumer that goes on over a cut without a word', () => {
    const reads = [...lossy().reads];
    reads.push(read(1, { session: 'd' }), read(2, { session: 'd', leaderEpoch: 1, text: 'q-1=' }));
    const it = lossy({
      reads: [...reads, read(2, { session: 'final', leaderEpoch: 1, text: 'q-1=' })],
      writes: [...lossy().writes, write(1, { producer: 'q', text: 'q-1=', offset: 2 })],
      logs: [
        log([
          ...(lossy().logs[0]?.records ?? []),
          record(2, { text: 'q-1=', leaderEpoch: 1, producerId: 8, sequence: 1 }),
        ]),
      ],
    });
    expect(violated(it)).toEqual(['S-D8']);
    // Told of the loss it begins anew.
    const told = it.reads.map((one) =>
      one.session === 'd' && one.leaderEpoch === 1 ? { ...one, session: 'd2' } : one,
    );
    expect(violated({ ...it, reads: told })).toEqual([]);
  });
});

test('S-C1: a record that was read and is in no range', () => {
  expect(violated(lossy({ ledger: [{ ...ENTRY, ranges: [range(1, 1, 2)] }] }))).toContain('S-C1');
  // In the epoch of the election itself nothing that was read goes.
  const reads = [...lossy().reads, read(2, { session: 'd', leaderEpoch: 1, text: 'p-9=' })];
  expect(violated(lossy({ reads, writes: [...lossy().writes, write(9, { outcome: 'unknown', offset: -1 })] }))).toEqual(
    ['S-C1'],
  );
});

test('S-C2: two records at an offset that no loss explains', () => {
  expect(violated(lossy({ ledger: [] }))).toContain('S-C2');
  const reads = lossy().reads.map((it) => ({ ...it, leaderEpoch: 0 }));
  expect(violated(lossy({ reads }))).toContain('S-C2');
});

describe('S-D7: replicas', () => {
  const batch = (baseOffset: number, crc: number) => ({ baseOffset, leaderEpoch: 0, crc });
  const replica = (brokerId: number, highWatermark: number, ...batches: ReturnType<typeof batch>[]) => ({
    topic: 't',
    partition: 0,
    brokerId,
    highWatermark,
    batches,
  });

  test('that differ, or lack something, below both high watermarks', () => {
    const first = replica(1, 6, batch(0, 7), batch(3, 8));
    expect(checkReplicasAgree([first, replica(2, 6, batch(0, 7), batch(3, 9))])).toMatchObject({ property: 'S-D7' });
    expect(checkReplicasAgree([first, replica(2, 6, batch(0, 7))])).toMatchObject({ property: 'S-D7' });
    const other = { ...batch(3, 8), leaderEpoch: 1 };
    expect(checkReplicasAgree([first, replica(2, 6, batch(0, 7), other)])).toMatchObject({ property: 'S-D7' });
  });

  test('may differ above it, begin later, and be of other partitions', () => {
    const first = replica(1, 6, batch(0, 7), batch(3, 8), batch(6, 1));
    expect(checkReplicasAgree([first, replica(2, 3, batch(0, 7), batch(3, 9))])).toBeUndefined();
    expect(checkReplicasAgree([first, replica(2, 6, batch(3, 8))])).toBeUndefined();
    expect(checkReplicasAgree([first, { ...replica(2, 6, batch(0, 9)), partition: 1 }])).toBeUndefined();
    expect(checkReplicasAgree([first, replica(2, 0)])).toBeUndefined();
  });
});

test('a history is the same after writing and reading', () => {
  const it = lossy({ losses: [LOSS] });
  expect(parseHistory([...linesOf(it), ''])).toEqual(it);
  expect(() => parseHistory(['{"kind":"write"', ''])).toThrow('line 1 of the history is not JSON');
  expect(() => parseHistory([...linesOf(it), '{"kind":"toString"}'])).toThrow(
    'line 13 of the history is none of write, read',
  );
});
