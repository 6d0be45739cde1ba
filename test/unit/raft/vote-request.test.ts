import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { step } from '../../../src/raft/step.ts';
import type { RaftEffect, VoteRequest } from '../../../src/raft/types.ts';
import { Lab } from './lab.ts';
import { CLUSTER, keyOf, keys, logOf, quorumState } from './notation.ts';

/** Node 1 of three, unattached in epoch 3, with a log up to epoch 2. */
function lab1(): Lab {
  const lab = new Lab();
  lab.add(1, [1, 2, 3], {
    disk: { quorumState: quorumState(3), snapshots: [], batches: logOf(keys(1, 2, 3), '1* 2* 2:a') },
  });
  lab.start(1);
  return lab;
}

const REQUEST: VoteRequest = {
  type: 'vote',
  clusterId: CLUSTER,
  voterKey: keyOf(1),
  candidateKey: keyOf(2),
  epoch: 3,
  lastEpoch: 2,
  logEndOffset: 4,
  preVote: false,
};

describe('R-4.4 validation of a vote request, in order', () => {
  for (const [what, change, error] of [
    ['another cluster', { clusterId: ZERO_UUID, epoch: 9 }, 'INCONSISTENT_CLUSTER_ID'],
    ['negative last epoch', { lastEpoch: -1, epoch: 9 }, 'INVALID_REQUEST'],
    ['negative log end', { logEndOffset: -1, epoch: 9 }, 'INVALID_REQUEST'],
    ['a vote in epoch 0', { epoch: 0, lastEpoch: 0 }, 'INVALID_REQUEST'],
    ['a vote with a log of its epoch', { lastEpoch: 9, epoch: 9 }, 'INVALID_REQUEST'],
    ['a pre-vote with a log above its epoch', { lastEpoch: 10, epoch: 9, preVote: true }, 'INVALID_REQUEST'],
    ['an old epoch', { epoch: 2, lastEpoch: 1 }, 'FENCED_LEADER_EPOCH'],
  ] as const) {
    it(`${what}: ${error}, and no change`, () => {
      const lab = lab1();
      expect(lab.ask(1, { ...REQUEST, ...change })).toMatchObject({ error, epoch: 3, granted: false });
      expect(lab.role(1)).toBe('unattached 3');
    });
  }

  it('another disk is asked: the epoch is taken in (R-13.1), no vote given', () => {
    const lab = lab1();
    const answer = lab.ask(1, { ...REQUEST, epoch: 5, voterKey: keyOf(1, 2) });
    expect(answer).toMatchObject({ error: 'INVALID_VOTER_KEY', epoch: 5, granted: false });
    expect(lab.node(1).disk.quorumState).toEqual(quorumState(5));
  });

  it('R-0.3a an open disk is asked with a log, or of one: no vote', () => {
    const open = { voterKey: { id: 1, directoryId: ZERO_UUID } };
    expect(lab1().ask(1, { ...REQUEST, ...open })).toMatchObject({ error: 'INVALID_VOTER_KEY' });
    expect(lab1().ask(1, { ...REQUEST, ...open, lastEpoch: 0, logEndOffset: 0 })).toMatchObject({
      error: 'NONE',
      granted: false,
      logEmpty: false,
    });
  });

  it('R-13.1 a pre-vote of a higher epoch raises the epoch too', () => {
    const lab = lab1();
    expect(lab.ask(1, { ...REQUEST, epoch: 7, preVote: true })).toMatchObject({ epoch: 7, granted: true });
    expect(lab.role(1)).toBe('unattached 7');
  });

  it('R-12.1 an observer has no vote in a first election', () => {
    const lab = new Lab();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    const open = { voterKey: { id: 9, directoryId: ZERO_UUID }, lastEpoch: 0, logEndOffset: 0 };
    expect(lab.ask(9, { ...REQUEST, ...open })).toMatchObject({ error: 'INVALID_VOTER_KEY' });
  });

  it('R-12.1, R-4.4 an observer whose identity is asked votes: the record that made it a voter may not have come yet', () => {
    const lab = new Lab();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    expect(lab.ask(9, { ...REQUEST, voterKey: keyOf(9) })).toMatchObject({ error: 'NONE', granted: true });
    expect(lab.node(9).disk.quorumState).toEqual(quorumState(3, -1, keyOf(2)));
    // which does not make it stand for election.
    lab.advance(20_000);
    expect(lab.role(9)).toBe('unattached 3');
  });
});

describe('R-4.7 granting', () => {
  it('R-0.3 in a higher epoch: epoch and vote are one write, before the answer', () => {
    const lab = lab1();
    const effects: RaftEffect[] = [];
    step(
      lab.node(1).state,
      { type: 'request', now: 0, call: 1, message: { ...REQUEST, epoch: 7, lastEpoch: 2 } },
      effects,
    );
    const writes = effects.filter((effect) => effect.type === 'writeQuorumState');
    expect(writes).toMatchObject([{ state: quorumState(7, -1, keyOf(2)) }]);
    const answer = effects.find((effect) => effect.type === 'reply');
    expect(answer).toMatchObject({ after: writes[0]?.op, message: { granted: true, epoch: 7 } });
  });

  for (const [what, change] of [
    ['a pre-vote', { preVote: true }],
    ['a candidate whose log is behind', { lastEpoch: 1 }],
    ['another disk', { voterKey: keyOf(1, 2) }],
  ] as const) {
    it(`R-0.5 in a higher epoch, ${what}: the epoch is written without a vote`, () => {
      const lab = lab1();
      lab.ask(1, { ...REQUEST, epoch: 7, ...change });
      expect(lab.node(1).disk.quorumState).toEqual(quorumState(7));
    });
  }

  it('M-5a the vote is on disk before the answer leaves, with a new election timeout', () => {
    const lab = lab1();
    lab.node(1).diskHangs = true;
    const at = () => lab.node(1).timers.get('election')?.at;
    lab.advance(500);
    const before = at();
    expect(lab.ask(1, REQUEST)).toBeUndefined();
    expect(at()).toBeGreaterThan(before ?? 0);
    lab.node(1).diskHangs = false;
    lab.run();
    expect(lab.node(1).disk.quorumState?.votedKey).toEqual(keyOf(2));
    expect(lab.sent.at(-1)?.message).toMatchObject({ granted: true, voter: keyOf(1) });
  });

  it('R-4.7 a pre-vote writes nothing and may be given to many', () => {
    const lab = lab1();
    for (const id of [2, 3]) {
      expect(lab.ask(1, { ...REQUEST, candidateKey: keyOf(id), preVote: true })).toMatchObject({ granted: true });
    }
    expect(lab.node(1).disk.quorumState).toEqual(quorumState(3));
  });

  it('R-0.1, R-0.5 one vote in an epoch, by node and disk; asked again it is repeated', () => {
    const lab = lab1();
    expect(lab.ask(1, REQUEST)).toMatchObject({ granted: true });
    expect(lab.ask(1, { ...REQUEST, candidateKey: keyOf(3) })).toMatchObject({ granted: false });
    expect(lab.ask(1, { ...REQUEST, candidateKey: keyOf(2, 2) })).toMatchObject({ granted: false });
    expect(lab.ask(1, REQUEST)).toMatchObject({ granted: true });
  });

  it('R-4.3 but not with a log that has become too short', () => {
    const lab = lab1();
    expect(lab.ask(1, REQUEST)).toMatchObject({ granted: true });
    expect(lab.ask(1, { ...REQUEST, logEndOffset: 3 })).toMatchObject({ granted: false });
  });

  it('R-0.5 the vote outlives pre-vote rounds in the same epoch (KIP-996)', () => {
    const lab = lab1();
    expect(lab.ask(1, REQUEST)).toMatchObject({ granted: true });
    lab.advance(6000);
    expect(lab.role(1)).toBe('prospective 3');
    expect(lab.node(1).told).toContain('prospective 3');
    expect(lab.ask(1, { ...REQUEST, candidateKey: keyOf(3) })).toMatchObject({ granted: false });
    expect(lab.node(1).disk.quorumState?.votedKey).toEqual(keyOf(2));
  });
});
