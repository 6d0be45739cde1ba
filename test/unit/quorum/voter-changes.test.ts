// Changes of the voter set through the driver: committed, refused with a code, or of unknown outcome.
import { describe, expect, test } from 'vitest';
import { VoterChangeRefused, VoterChangeUnknown } from '../../../src/quorum/voter-changes.ts';
import type { VoterChange } from '../../../src/raft/types.ts';
import type { Member, Trio } from './trio.ts';
import { elected } from './trio.ts';

async function outcome(trio: Trio, member: Member, change: VoterChange): Promise<unknown> {
  let settled: { readonly value: unknown } | undefined;
  member.quorum?.changeVoters(change).then(
    (value) => {
      settled = { value };
    },
    (error: unknown) => {
      settled = { value: error };
    },
  );
  await trio.world.runUntil(() => settled !== undefined, 60_000, 'an outcome');
  return settled?.value;
}

const removal = ({ id, directoryId }: Member): VoterChange => ({ type: 'remove', replica: { id, directoryId } });

async function ready() {
  const { trio, leader } = await elected();
  leader.append('a');
  await trio.committed(['a']);
  const [first, second] = trio.members.filter((member) => member !== leader) as [Member, Member];
  return { trio, leader, first, second };
}

describe('a change', () => {
  test('resolves with its offset when it is committed; the voter set is that of the log everywhere', async () => {
    const { trio, leader, first, second } = await ready();
    const endOffset = leader.quorum?.describe().logEndOffset;
    expect(await outcome(trio, leader, removal(first))).toEqual({ offset: endOffset });
    await trio.world.runFor(500);
    for (const member of trio.members) {
      const voters = member.quorum?.describe().voters.map(({ replica }) => replica.id);
      expect(voters).toEqual([leader.id, second.id].sort((a, b) => a - b));
    }
    const { id, directoryId } = first;
    const voter = { id, directoryId, endpoint: `c${id}:9093` };
    expect(await outcome(trio, leader, { type: 'add', voter })).toMatchObject({ offset: expect.any(Number) });
    expect(leader.quorum?.describe().voters).toHaveLength(3);
  });

  test('is refused with a code and a reason, and nothing happened', async () => {
    const { trio, leader, first } = await ready();
    const before = leader.quorum?.describe().logEndOffset;
    const refusals: [Member, VoterChange, string][] = [
      [first, removal(leader), 'NOT_LEADER'],
      [
        leader,
        { type: 'add', voter: { id: first.id, directoryId: first.directoryId, endpoint: 'x:1' } },
        'DUPLICATE_VOTER',
      ],
      [leader, { type: 'remove', replica: { id: 9, directoryId: first.directoryId } }, 'VOTER_NOT_FOUND'],
      [leader, { type: 'add', voter: { id: 9, directoryId: first.directoryId, endpoint: 'x:1' } }, 'NOT_CAUGHT_UP'],
    ];
    for (const [at, change, code] of refusals) {
      const error = await outcome(trio, at, change);
      expect(error).toBeInstanceOf(VoterChangeRefused);
      expect((error as VoterChangeRefused).code).toBe(code);
      expect((error as VoterChangeRefused).message).not.toBe('');
    }
    expect(leader.quorum?.describe().logEndOffset).toBe(before);
  });

  test('has an unknown outcome when the leadership ends before it is committed, or the node stops', async () => {
    const { trio, leader, first } = await ready();
    trio.world.network.isolate(`c${leader.id}`);
    expect(await outcome(trio, leader, removal(first))).toBeInstanceOf(VoterChangeUnknown);
    trio.world.network.heal();
    const next = await trio.elected();
    await trio.world.runFor(1000);
    trio.world.network.isolate(`c${next.id}`);
    const cut = outcome(trio, next, removal(trio.members.find((member) => member !== next) as Member));
    trio.world.after(100, () => void next.quorum?.stop());
    expect(await cut).toBeInstanceOf(VoterChangeUnknown);
  });
});

test('the committed log is read as it is, waited for, and not beyond what is committed', async () => {
  const { trio, leader, first } = await ready();
  const quorum = first.quorum;
  const read = quorum?.readCommitted(0, 1 << 20);
  if (read?.type !== 'batches') throw new Error('nothing read');
  expect(read.batches.map(({ control }) => control)).toEqual([true, false]);
  expect(read.endOffset).toBe(3);
  expect(quorum?.readCommitted(1, 1)).toMatchObject({ batches: [{ baseOffset: 0 }], endOffset: 2 });
  expect(quorum?.readCommitted(3, 1)).toEqual({ type: 'batches', batches: [], endOffset: 3 });
  const waits: string[] = [];
  void quorum?.whenCommitted(4).then((value) => waits.push(`4 ${value}`));
  void quorum?.whenCommitted(9, 300).then((value) => waits.push(`9 ${value}`));
  void quorum?.whenCommitted(8).then((value) => waits.push(`8 ${value}`));
  leader.append('b');
  await trio.committed(['a', 'b']);
  await trio.world.runFor(10);
  expect(waits).toEqual(['4 true']);
  await trio.world.runFor(400);
  expect(waits).toEqual(['4 true', '9 false']);
  // Appended, but nobody is there to commit it.
  trio.world.network.isolate(`c${leader.id}`);
  leader.append('lost');
  expect(leader.quorum?.readCommitted(4, 1)).toMatchObject({ batches: [] });
  void first.quorum?.stop();
  await trio.world.runFor(1000);
  expect(waits).toEqual(['4 true', '9 false', '8 false']);
});
