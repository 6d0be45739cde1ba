// together, exhaustively in a small scope: whatever a follower has, whatever snapshots the leader keeps, the
// follower ends with the leader's history, by cutting and appending or by loading, and never loses what it knew to be committed.
import { expect, it } from 'vitest';
import type { Batch, DurableState } from '../../../src/raft/types.ts';
import { Lab } from './lab.ts';
import type { Files } from './lab-node.ts';
import { dataOf, trimmed } from './lab-snapshots.ts';
import { quorumState, voterSet, votersRecord } from './notation.ts';

const VOTERS = voterSet(1);

/** Every list of 1 to `length` epochs out of 1..3 that begins with 1 and never goes down. */
function* histories(length: number, from: readonly number[] = [1]): Generator<readonly number[]> {
  yield from;
  if (length === 1) return;
  for (let epoch = from.at(-1) ?? 1; epoch <= 3; epoch++) yield* histories(length - 1, [...from, epoch]);
}

/** One batch for each epoch; the first names the voters. */
function batchesOf(epochs: readonly number[]): Batch[] {
  return epochs.map((epoch, baseOffset) => {
    const control = baseOffset === 0;
    return {
      baseOffset,
      epoch,
      control,
      records: [control ? votersRecord(VOTERS) : Buffer.from(`${epoch}@${baseOffset}`)],
    };
  });
}

function diskOf(epochs: readonly number[], ends: readonly number[]): DurableState & Files {
  return trimmed(batchesOf(epochs), ends, quorumState(3));
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** No snapshot, one, or two, at every place up to `end`. */
function* catalogues(end: number): Generator<readonly number[]> {
  yield [];
  for (let older = 1; older <= end; older++) {
    yield [older];
    for (let newer = older + 1; newer <= end; newer++) yield [older, newer];
  }
}

it('R-6.2, R-7.3, R-10.5 every follower log of up to 4 batches under every leader log of up to 4, with every catalogue', () => {
  let cases = 0;
  let loads = 0;
  for (const leader of histories(4)) {
    for (const follower of [[], ...histories(4)]) {
      const common = commonPrefix(leader, follower);
      // Two logs of one cluster: an epoch that both have after they part does not exist.
      if (leader.slice(common).some((epoch) => follower.slice(common).includes(epoch))) continue;
      for (const kept of catalogues(leader.length)) {
        // What the follower has a snapshot of is committed, so the leader has it.
        for (const own of [[], ...(common > 0 ? [[common]] : [])]) {
          const lab = new Lab();
          lab.add(1, [1], { disk: diskOf(leader, kept) });
          lab.start(1);
          lab.run();
          lab.add(2, [1], { disk: diskOf(follower, own) });
          lab.start(2);
          lab.advance(100);
          const [one, two] = [lab.node(1), lab.node(2)];
          const name = `${leader} kept ${kept} | ${follower} kept ${own}`;
          expect(two.told.join(), name).not.toMatch(/fatal|bad-/);
          expect(two.machine, name).toEqual(dataOf(batchesOf(leader)));
          expect(two.state.log.endOffset, name).toBe(one.state.log.endOffset);
          expect(two.state.highWatermark, name).toBe(one.state.highWatermark);
          expect(two.state.log.lastEpoch, name).toBe(one.state.log.lastEpoch);
          cases++;
          if (two.state.log.startOffset > (own[0] ?? 0)) loads++;
        }
      }
    }
  }
  expect(cases).toBeGreaterThan(2000);
  expect(loads).toBeGreaterThan(200);
});
