// Directed scenarios (safety.md appendix B) about who leads: what random faults rarely put together. Each passes with the core as
// it is, and fails by its property with a core that is broken in the way that the schedule was made for.
import { describe, expect, it } from 'vitest';
import { DEFAULT_TIMINGS } from '../../../src/sim/raft/scenario.ts';
import * as broken from './broken-drivers.ts';
import type { ScriptOptions } from './script.ts';
import { Script, violationOf } from './script.ts';

/**
 * Raft's figure 8. Node 0 leads and gets `a` to node 1 alone; node 4, elected without the two, writes `b` alone; node 0, elected
 * again, gets `a` to node 2 as well, so that a majority holds it, but nothing of its new epoch; node 4 is elected again.
 */
function figureEight(options: ScriptOptions = {}): Script {
  const script = new Script({ voters: 5, timings: { ...DEFAULT_TIMINGS, fetchMaxBytes: 1 } }, options);
  script.cut([0, 1], [2, 3, 4]);
  const a = script.propose(0);
  script.until('a is on node 1', () => script.synced(1) > a);
  script.kill(0).kill(1).mendAll();
  script.campaign(4, 2, 3).isolate(4).after(20).kill(4);
  script.mendAll().restart(0).restart(1).after(20);
  script.cut([0], [3]).cut([1], [2, 3]).campaign(0, 1, 2);
  script.until('a is on node 2', () => script.synced(2) > a);
  // Its next fetch, which acknowledges, still arrives; the answer does not.
  script.cutOneWay(0, 1).cutOneWay(0, 2).after(20);
  script.kill(0).mendAll().restart(4).after(20);
  return script.campaign(4, 1, 2, 3);
}

describe('DS-1 figure 8: entries of earlier epochs do not commit by counting', () => {
  it('holds', () => {
    const script = figureEight();
    expect(script.world.coverage.leaderCrashes).toBeGreaterThanOrEqual(3);
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it.each<[string, ScriptOptions]>([
    ['S-R9', {}],
    ['S-R5', { without: ['ownEpochCommit', 'claims'] }],
  ])('B04 breaks %s', (property, options) => {
    expect(violationOf(() => figureEight({ core: broken.commitsEarlierEpochs, ...options }))).toBe(property);
  });
});

/** Nodes 1 and 2 are candidates of one epoch. Node 3 votes for 1, loses power as it answers, and is asked by 2. */
function voteForgotten(options: ScriptOptions = {}): Script {
  const script = new Script({ voters: 5 }, options);
  script.kill(0).loseLeader(1, 2, 3, 4);
  const isCandidate = (id: number) => () => script.view(id).role === 'candidate';
  script.fire(2).fire(2).until('2 is a candidate', isCandidate(2)).cut([2], [1, 3, 4]);
  script.fire(1).fire(1).until('1 is a candidate', isCandidate(1)).cutOneWay(3, 1).cut([1], [4]);
  const voted = () => script.view(3).disk.syncedState?.votedKey;
  script.until(
    '3 has voted for 1',
    () => voted()?.id === 1 || script.view(3).disk.writtenState?.leaderEpoch === script.view(1).epoch,
  );
  script.after(5).power(3).restart(3).mendAll().cut([1], [2, 3, 4]);
  expect(script.view(2).epoch).toBe(script.view(1).epoch);
  // Its first requests were lost; it asks again in the same epoch.
  return script.after(2500);
}

describe('DS-2 vote, crash, other candidate', () => {
  it('holds', () => {
    const script = voteForgotten();
    expect(script.world.coverage.votesRefused).toBeGreaterThan(0);
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it('B06 breaks S-R2', () => {
    expect(violationOf(() => voteForgotten({ core: broken.voteNotPersisted }))).toBe('S-R2');
  });
});

/** Node 1 is elected, can tell nobody, and loses power before its first batch is durable. It restarts in the epoch that it led. */
function ledBefore(options: ScriptOptions = {}): Script {
  const script = new Script({}, options);
  script.kill(0).campaign(1, 2).isolate(1);
  const { epoch } = script.view(1);
  script.power(1).mendAll().restart(1).after(100);
  expect(script.view(1).disk.syncedState?.leaderId).toBe(1);
  expect(script.view(1).epoch).toBe(epoch);
  return script;
}

describe('DS-3 a leader restarts in the epoch that it led', () => {
  it('is resigned in it', () => {
    const script = ledBefore();
    expect(script.view(1).role).toBe('resigned');
    expect(script.restart(0).recover().world.coverage.leaderCrashesWithLostTail).toBe(1);
  });

  it('B01 breaks S-R1', () => {
    expect(violationOf(() => ledBefore({ core: broken.leadsAgain, without: ['legalTransitions'] }))).toBe('S-R1');
  });
});

/**
 * Everybody holds the committed `x`. Node 0 gets the vote of 1 with it, and does not hear so; its disk loses `x`, and it asks 1 in
 * the same epoch again, with the shorter log.
 */
function votedForLongerLog(options: ScriptOptions = {}): Script {
  const script = new Script({}, options);
  const x = script.propose(0);
  script.until('x is everywhere', () =>
    script.nodes.every(({ id, highWatermark }) => script.synced(id) > x && highWatermark > x),
  );
  script.resign(0).after(20).loseLeader(1, 2);
  script
    .fire(0)
    .fire(0)
    .until('0 is a candidate', () => script.view(0).role === 'candidate');
  const { epoch } = script.view(0);
  script.cutOneWay(1, 0).cut([0], [2]);
  script.until(
    '1 has voted',
    () => script.view(1).disk.syncedState?.votedKey?.id === 0 && script.view(1).epoch === epoch,
  );
  script.after(5).power(0).loseTail(0, x).mendAll().restart(0);
  expect([script.view(0).role, script.view(0).epoch]).toEqual(['candidate', epoch]);
  return script.after(50);
}

describe('DS-4 a vote is not given again for a shorter log (R-4.3)', () => {
  it('holds', () => {
    const script = votedForLongerLog();
    expect(script.view(0).role).toBe('candidate');
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it('B08 breaks S-R5', () => {
    expect(violationOf(() => votedForLongerLog({ core: broken.grantsAgainUnseen }))).toBe('S-R5');
  });
});

/** The leader can send and not receive. */
function deafLeader(options: ScriptOptions = {}): Script {
  return new Script({}, options).cutOneWay(1, 0).cutOneWay(2, 0).after(4000);
}

/** The leader can receive and not send: its followers fetch, and nothing comes of it. */
function muteLeader(): Script {
  return new Script().cutOneWay(0, 1).cutOneWay(0, 2).after(500).campaign(1, 2).after(100);
}

describe('DS-5 one-way cuts', () => {
  it('a leader that hears nobody steps down by itself (R-5.4)', () => {
    const script = deafLeader();
    expect(script.view(0).role).toBe('resigned');
    expect(script.world.coverage.checkQuorumResigns).toBe(1);
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it('B10: without check quorum it does not', () => {
    expect(deafLeader({ core: broken.noCheckQuorum }).view(0).role).toBe('leader');
  });

  it('a leader that nobody hears is replaced, and told so', () => {
    const script = muteLeader();
    expect([script.leader, script.view(0).epoch]).toEqual([1, script.view(1).epoch]);
    expect(violationOf(() => script.recover())).toBeUndefined();
  });
});
