import { describe, expect, it } from 'vitest';
import type { VoteRequest, VoteResponse } from '../../../src/raft/types.ts';
import { electionSafety } from '../../../src/sim/raft/checks/election-safety.ts';
import { epochMonotone } from '../../../src/sim/raft/checks/epoch-monotone.ts';
import { leaderCompleteness } from '../../../src/sim/raft/checks/leader-completeness.ts';
import { oneVote } from '../../../src/sim/raft/checks/one-vote.ts';
import { legalTransitions } from '../../../src/sim/raft/checks/transitions.ts';
import { replicaKey } from '../../../src/sim/raft/replica-key.ts';
import { History, violationOf } from './history.ts';

function voteRequest(history: History, candidate: number, epoch: number, preVote = false): VoteRequest {
  return {
    type: 'vote',
    clusterId: 'c',
    voterKey: history.key(1),
    candidateKey: history.key(candidate),
    epoch,
    lastEpoch: 0,
    logEndOffset: 0,
    preVote,
  };
}

function voteResponse(history: History, voter: number, epoch: number, granted: boolean): VoteResponse {
  return { type: 'vote', error: 'NONE', epoch, leaderId: -1, granted, voter: history.key(voter), logEmpty: true };
}

describe('S-R1 election safety', () => {
  const checkers = [electionSafety];

  it('rejects two leaders of one epoch', () => {
    const history = new History({ checkers }).startAll().elect(0, 1, 1, 2);
    expect(violationOf(() => history.elect(1, 1, 2))).toBe('S-R1');
  });

  it('rejects a leader that leads its epoch again after a restart', () => {
    const history = new History({ checkers }).startAll().elect(0, 1, 1, 2).crash(0).start(0, 'candidate', 1);
    expect(violationOf(() => history.role(0, 'leader', 1, 0))).toBe('S-R1');
  });

  it('rejects a follower of a leader that nobody elected', () => {
    const history = new History({ checkers }).startAll();
    expect(violationOf(() => history.role(1, 'follower', 3, 2))).toBe('S-R1');
  });

  it('accepts two leaders at a time, of two epochs', () => {
    expect(violationOf(() => new History().startAll().elect(0, 1, 1, 2).elect(1, 2, 2).follow(2, 1))).toBeUndefined();
  });
});

describe('S-R2 one vote', () => {
  const checkers = () => [oneVote()];

  it('rejects two votes of one epoch, the second after a restart', () => {
    const history = new History({ checkers: checkers() }).startAll().state(1, 4, { vote: 0 }).crash(1);
    // The disk forgets, as if the vote had not been written durably.
    history.node(1).disk.writtenState = undefined;
    expect(violationOf(() => history.start(1, 'unattached', 0).state(1, 4, { vote: 2 }))).toBe('S-R2');
  });

  it('rejects a vote that leaves before it is durable', () => {
    const history = new History({ checkers: checkers() }).startAll().writeState(1, 4, { vote: 0 });
    const request = voteRequest(history, 0, 4);
    expect(violationOf(() => history.send(1, voteResponse(history, 1, 4, true), request))).toBe('S-R2');
  });

  it('rejects a candidate that asks before its own vote is durable', () => {
    const history = new History({ checkers: checkers() }).startAll().writeState(0, 4, { vote: 0 });
    expect(violationOf(() => history.send(0, voteRequest(history, 0, 4)))).toBe('S-R2');
  });

  it('rejects a vote forgotten while the epoch stays (R-0.5)', () => {
    const history = new History({ checkers: checkers() }).startAll().state(1, 4, { vote: 0 });
    expect(violationOf(() => history.state(1, 4))).toBe('S-R2');
  });

  it('accepts the same vote again, pre-votes for many, and a vote sent when its voter has gone on', () => {
    const history = new History({ checkers: checkers() }).startAll().state(1, 4, { vote: 0 });
    const answer = (candidate: number, epoch: number, preVote: boolean) =>
      history.send(1, voteResponse(history, 1, epoch, true), voteRequest(history, candidate, epoch, preVote));
    expect(
      violationOf(() => {
        answer(0, 4, false);
        answer(2, 4, true);
        history.state(1, 5, { vote: 2 });
        answer(0, 4, false);
        answer(2, 5, false);
        answer(0, 5, true);
      }),
    ).toBeUndefined();
  });

  it('accepts a vote of the same node on another disk', () => {
    const history = new History({ checkers: checkers() }).startAll().state(1, 4, { vote: 0 });
    history.crash(1, 0, replicaKey(1, 1, 1)).start(1, 'unattached', 0);
    expect(violationOf(() => history.state(1, 4, { vote: 2 }))).toBeUndefined();
  });
});

describe('S-R3 monotone epoch', () => {
  const checkers = [epochMonotone];

  it('rejects a lower epoch in memory', () => {
    const history = new History({ checkers }).startAll().role(0, 'unattached', 5);
    expect(violationOf(() => history.role(0, 'unattached', 4))).toBe('S-R3');
  });

  it('rejects a lower epoch on disk', () => {
    const history = new History({ checkers }).startAll().state(0, 5);
    expect(violationOf(() => history.writeState(0, 4))).toBe('S-R3');
  });

  it('rejects a start below the durable epoch', () => {
    const history = new History({ checkers }).startAll().state(0, 5).crash(0);
    expect(violationOf(() => history.start(0, 'unattached', 4))).toBe('S-R3');
  });

  it('accepts a lower epoch after a crash that lost an unsynced one', () => {
    const history = new History()
      .startAll()
      .state(0, 2)
      .role(0, 'unattached', 2)
      .writeState(0, 5)
      .role(0, 'unattached', 5);
    expect(violationOf(() => history.crash(0).start(0, 'unattached', 2).state(0, 3))).toBeUndefined();
  });
});

describe('S-R5 leader completeness', () => {
  const checkers = [leaderCompleteness];

  it('rejects a leader without what a lower epoch committed', () => {
    const history = new History({ checkers }).startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0).commit(0, 1);
    expect(violationOf(() => history.elect(2, 2, 1))).toBe('S-R5');
  });

  it('rejects a leader with another batch in the place of a committed one', () => {
    const history = new History({ checkers })
      .startAll()
      .elect(0, 1, 1, 2)
      .append(0, 1, 'a')
      .sync(0)
      .follow(1, 0)
      .commit(0, 2);
    history.append(2, 1, 'leader 1', 'b');
    expect(violationOf(() => history.role(2, 'leader', 2, 2))).toBe('S-R5');
  });

  it('accepts a late winner of an epoch below the one that committed (H-4)', () => {
    const history = new History({ voters: 3 })
      .startAll()
      .elect(0, 1, 1, 2)
      .sync(0)
      .follow(1, 0)
      .follow(2, 0)
      .commit(0, 1);
    // Node 2 wins epoch 2 with the vote of 1; before it learns so, node 1 is elected in 3 by 0 and commits.
    history.role(2, 'prospective', 1, 0).state(2, 2, { vote: 2 }).role(2, 'candidate', 2);
    history.state(1, 2, { vote: 2 }).role(1, 'unattached', 2);
    history.elect(1, 3, 0).sync(1).follow(0, 1).commit(1, 2);
    expect(violationOf(() => history.state(2, 2, { leader: 2, vote: 2 }).role(2, 'leader', 2, 2))).toBeUndefined();
  });
});

describe('S-R15 transitions', () => {
  const checkers = [legalTransitions];

  it.each([
    ['a leader that steps back into candidacy', (h: History) => h.elect(0, 1).role(0, 'candidate', 2)],
    [
      'a follower of another leader in the same epoch',
      (h: History) => h.role(0, 'follower', 1, 1).role(0, 'follower', 1, 2),
    ],
    ['candidacy without a pre-vote', (h: History) => h.role(0, 'candidate', 1)],
    ['candidacy that skips an epoch', (h: History) => h.role(0, 'prospective', 0).role(0, 'candidate', 2)],
    ['a follower of nobody', (h: History) => h.role(0, 'follower', 1)],
    ['an observer that asks for votes', (h: History) => h.role(3, 'prospective', 0)],
    [
      'a resigned leader that follows in its own epoch',
      (h: History) => h.elect(0, 1).role(0, 'resigned', 1).role(0, 'follower', 1, 1),
    ],
  ])('rejects %s', (_what, history) => {
    expect(violationOf(() => history(new History({ observers: 1, checkers }).startAll()))).toBe('S-R15');
  });

  it('rejects a start as anything but resigned in the epoch it led (R-1.3)', () => {
    const history = new History({ checkers }).startAll().elect(0, 1, 1, 2).crash(0);
    expect(violationOf(() => history.start(0, 'candidate', 1))).toBe('S-R15');
  });

  it('rejects a wiped node that campaigns under its old number', () => {
    const history = new History({ checkers }).startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0);
    history
      .crash(1, 0, replicaKey(1, 1, 1))
      .start(1, 'unattached', 0)
      .copy(1, 0);
    expect(violationOf(() => history.role(1, 'prospective', 0))).toBe('S-R15');
  });

  it('accepts a candidate that finds a leader of its own epoch, and a restart as candidate (R-1.4)', () => {
    const history = new History().startAll().role(1, 'prospective', 0).state(1, 1, { vote: 1 }).role(1, 'candidate', 1);
    history.crash(1).start(1, 'candidate', 1).elect(0, 1, 2);
    expect(violationOf(() => history.state(1, 1, { leader: 0, vote: 1 }).role(1, 'follower', 1, 0))).toBeUndefined();
  });
});
