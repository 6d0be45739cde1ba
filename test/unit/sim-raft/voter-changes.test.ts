// S-R11, and what voter changes mean to the other properties: bad histories that are rejected, tricky good ones that are not.
import { describe, expect, it } from 'vitest';
import type { ReplicaKey } from '../../../src/raft/types.ts';
import { durableMajority } from '../../../src/sim/raft/checks/commit-rules.ts';
import { legalTransitions } from '../../../src/sim/raft/checks/transitions.ts';
import { voterChanges } from '../../../src/sim/raft/checks/voter-changes.ts';
import { replicaKey } from '../../../src/sim/raft/replica-key.ts';
import { isOneStep, isWithinBudget, mayLoseDisk, quorumsIntersect } from '../../../src/sim/raft/voter-sets.ts';
import { History, violationOf } from './history.ts';

type Options = ConstructorParameters<typeof History>[0];

/** Node 0 leads epoch 1 of three voters, its first batch is committed; node 3 may be added. */
function steady(options: Options = {}): History {
  const history = new History({ spares: 1, ...options }).startAll().elect(0, 1, 1, 2).sync(0);
  return history.follow(1, 0).follow(2, 0).follow(3, 0).commit(0, 1);
}

function keys(...ids: number[]): ReplicaKey[] {
  return ids.map((id) => replicaKey(1, id, 0));
}

describe('S-R11 one change at a time', () => {
  const checkers = [voterChanges];

  it('rejects a second change before the first is committed', () => {
    const history = steady({ checkers }).changeVoters(0, 1, 0, 1, 2, 3).sync(0);
    expect(violationOf(() => history.changeVoters(0, 1, 0, 1, 3))).toBe('S-R11');
  });

  it('rejects more than one step, and sets whose majorities need not meet', () => {
    expect(violationOf(() => steady({ checkers }).changeVoters(0, 1, 0, 3))).toBe('S-R11');
    expect(violationOf(() => steady({ checkers }).changeVoters(0, 1, 3))).toBe('S-R11');
  });

  it("rejects a leader that has committed nothing of its epoch (B22, Ongaro's bug)", () => {
    const history = steady({ checkers }).elect(1, 2, 2).sync(1);
    expect(violationOf(() => history.changeVoters(1, 2, 1, 2))).toBe('S-R11');
  });

  it('accepts changes one after the other, each committed, and one that another leader cuts off', () => {
    const history = steady();
    expect(
      violationOf(() => {
        history.changeVoters(0, 1, 0, 1, 2, 3).sync(0).copy(1, 0).sync(1).copy(3, 0).sync(3).commit(0, 2);
        // Not replicated: the next leader knows nothing of it.
        history.changeVoters(0, 1, 0, 1, 3).sync(0);
        history.elect(1, 2, 2, 3).sync(1).follow(3, 1).follow(2, 1).commit(1, 3);
        history.changeVoters(1, 2, 1, 2, 3).sync(1).copy(3, 1).sync(3).commit(1, 4);
        history.state(0, 2, { leader: 1 }).role(0, 'follower', 2, 1).truncate(0, 2).copy(0, 1).sync(0);
      }),
    ).toBeUndefined();
  });

  it('accepts a follower that takes over two at once, when the first is committed', () => {
    const history = steady().changeVoters(0, 1, 0, 1, 2, 3).sync(0).copy(1, 0).sync(1).copy(3, 0).sync(3).commit(0, 2);
    history.changeVoters(0, 1, 0, 1, 3).sync(0);
    expect(violationOf(() => history.copy(2, 0).sync(2))).toBeUndefined();
  });
});

describe('the other properties under a change', () => {
  it('S-R8 counts the new set, committed or not (R-8.1, R-11.4)', () => {
    const checkers = [durableMajority];
    const old = steady({ checkers }).changeVoters(0, 1, 0, 1, 2, 3).sync(0).copy(1, 0).sync(1);
    // Two of four: a majority of the old set only.
    expect(violationOf(() => old.commit(0, 2))).toBe('S-R8');
    expect(violationOf(() => old.copy(3, 0).sync(3).commit(0, 2))).toBeUndefined();
  });

  it('S-R8 does not count a leader that removes itself (B11, R-11.5)', () => {
    const checkers = [durableMajority];
    const history = steady({ checkers }).changeVoters(0, 1, 1, 2).sync(0).copy(1, 0).sync(1);
    expect(violationOf(() => history.commit(0, 2))).toBe('S-R8');
    expect(violationOf(() => history.copy(2, 0).sync(2).commit(0, 2))).toBeUndefined();
  });

  it('S-R15 lets a removed voter campaign only while the change is not known to be committed', () => {
    const checkers = [legalTransitions];
    const removed = () =>
      steady({ checkers }).changeVoters(0, 1, 0, 2, 1).changeVoters(0, 1, 0, 2).sync(0).copy(1, 0).sync(1);
    expect(violationOf(() => removed().role(1, 'prospective', 1, 0))).toBeUndefined();
    expect(violationOf(() => removed().commit(1, 3).role(1, 'prospective', 1, 0))).toBe('S-R15');
    expect(violationOf(() => removed().role(3, 'prospective', 1, 0))).toBe('S-R15');
  });

  it('S-R15 lets an added node campaign from its record on', () => {
    const checkers = [legalTransitions];
    const added = steady({ checkers }).changeVoters(0, 1, 0, 1, 2, 3).sync(0);
    expect(violationOf(() => added.copy(3, 0).sync(3).role(3, 'prospective', 1, 0))).toBeUndefined();
  });
});

describe('arithmetic of voter sets', () => {
  it('majorities of neighbouring sets meet; of others they need not', () => {
    for (let size = 1; size <= 7; size++) {
      const ids = Array.from({ length: size }, (_, id) => id);
      expect(quorumsIntersect(keys(...ids), keys(...ids, size))).toBe(true);
    }
    expect(quorumsIntersect(keys(0, 1, 2), keys(2, 3, 4))).toBe(false);
    // To replace one at once is two steps: 0 and 2 against 1 and 3.
    expect(quorumsIntersect(keys(0, 1, 2), keys(0, 1, 3))).toBe(false);
    expect(quorumsIntersect(keys(0, 1), keys(2, 3))).toBe(false);
    expect(quorumsIntersect(keys(0, 1, 2), keys(0, 3, 4))).toBe(false);
  });

  it('one step is one voter more, one less, or one endpoint', () => {
    expect(isOneStep(keys(0, 1), keys(0, 1, 2))).toBe(true);
    expect(isOneStep(keys(0, 1), keys(1))).toBe(true);
    expect(isOneStep(keys(0, 1), keys(0, 2))).toBe(false);
    const moved = keys(0, 1).map((key) => ({ ...key, endpoint: 'elsewhere' }));
    expect(isOneStep(keys(0, 1), moved)).toBe(false);
    expect(isOneStep(keys(0, 1), [moved[0] as ReplicaKey, ...keys(1)])).toBe(true);
  });

  it('M-8: a minority of each set may lose its disks, also of one that is not committed yet', () => {
    const history = steady({ voters: 4 }).changeVoters(0, 1, 0, 1, 2).sync(0);
    const { ghost } = history;
    expect(mayLoseDisk(ghost, history.key(3))).toBe(true);
    expect(isWithinBudget(ghost, keys(0, 1, 2), keys(0, 1))).toBe(false);
    history.crash(1, 0, replicaKey(1, 1, 1));
    expect(mayLoseDisk(ghost, history.key(2))).toBe(false);
    expect(mayLoseDisk(ghost, history.key(1))).toBe(true);
  });
});
