// How soon a leader that is gone is given up, and one that is there is not.
import { describe, expect, it } from 'vitest';
import type { FetchRequest } from '../../../src/raft/types.ts';
import { fetchCallTimeoutMs } from '../../../src/raft/unattached.ts';
import type { Lab } from './lab.ts';
import { newCluster } from './lab.ts';
import type { Envelope } from './lab-node.ts';
import { keyOf, keys } from './notation.ts';

/** Voters 1..count, 1 leads, all caught up. */
function formed(count: number, config = {}): Lab {
  const lab = newCluster(count, config);
  lab.start(...Array.from({ length: count }, (_, i) => i + 1));
  lab.run();
  lab.propose(1, 'a');
  lab.run();
  return lab;
}

const isFetchResponse = ({ kind, message }: Envelope) => kind === 'response' && message.type === 'fetch';

describe('R-5.5, R-1.3 a leader that was restarted', () => {
  it('says at once that it does not lead any more: nobody waits for a fetch timeout', () => {
    const lab = formed(3);
    lab.advance(100);
    lab.crash(1);
    lab.start(1);
    const from = lab.now;
    lab.until(() => lab.leader() !== undefined);
    expect(lab.now - from).toBeLessThan(50);
    expect(lab.leader()).toBe(2);
    const ends = lab.sent.filter(({ message }) => message.type === 'endQuorumEpoch');
    expect(ends.map(({ to }) => to)).toEqual([2, 3]);
    expect(ends[0]?.message).toMatchObject({ epoch: 1, leaderKey: keyOf(1), preferredSuccessors: keys(2, 3) });
    // And it finds its successor.
    lab.advance(200);
    expect(lab.role(1)).toBe('follower 2');
  });

  it('names its own epoch only: who has gone on tells it so', () => {
    const lab = formed(3);
    lab.isolate(1);
    lab.until(() => [2, 3].some((id) => lab.role(id).startsWith('leader')));
    const leader = [2, 3].find((id) => lab.role(id).startsWith('leader')) ?? 0;
    const { epoch } = lab.node(leader).state;
    lab.crash(1);
    lab.heal();
    lab.start(1);
    lab.run();
    expect(lab.role(1)).toBe(`follower ${epoch}`);
    lab.advance(3000);
    expect(lab.role(leader)).toBe(`leader ${epoch}`);
  });

  it('asks who leads, without raising the epoch before its election timeout', () => {
    const lab = formed(3);
    lab.crash(1);
    lab.isolate(1);
    lab.start(1);
    lab.advance(900);
    expect(lab.role(1)).toBe('resigned 1');
    expect(lab.sent.filter(({ from, message }) => from === 1 && message.type === 'fetch').length).toBeGreaterThan(1);
  });

  it('a single voter has nobody to tell', () => {
    const lab = formed(1);
    lab.crash(1);
    lab.start(1);
    lab.run();
    expect(lab.role(1)).toBe('leader 3');
    expect(lab.sent.filter(({ message }) => message.type === 'endQuorumEpoch')).toEqual([]);
  });
});

describe('R-5.5 a leader that has said that it resigns', () => {
  it('is not one again because of an answer that was under way', () => {
    const lab = formed(3);
    // The records of its last answer arrive after its farewell.
    lab.hold = (envelope) => isFetchResponse(envelope) && envelope.to === 2;
    lab.propose(1, 'b');
    lab.run();
    const answer = lab.held.find((envelope) => envelope.to === 2);
    if (answer === undefined) throw new Error('an answer is under way');
    const { state } = lab.node(2);
    lab.hold = ({ from }) => from === 2 || from === 3;
    const message = {
      type: 'endQuorumEpoch',
      clusterId: state.config.clusterId,
      leaderKey: keyOf(1),
      epoch: 1,
    } as const;
    lab.event(2, {
      type: 'request',
      now: lab.now,
      call: 0,
      message: { ...message, preferredSuccessors: keys(3, 2) },
    });
    const due = state.timers.fetch.at;
    expect(due).toBeLessThanOrEqual(lab.now + 1000);
    lab.event(2, { type: 'response', now: lab.now, call: answer.call, message: answer.message as never });
    expect(lab.log(2)).toBe('1* 1:a 1:b');
    expect(state.timers.fetch.at).toBe(due);
    expect(state.role).toMatchObject({ name: 'follower', hasFetched: false });
  });
});

describe('R-3.3 a lost fetch', () => {
  // The profile `fast`: a call timeout longer than the fetch timeout.
  const fast = { electionTimeoutMs: 250, fetchTimeoutMs: 300, requestTimeoutMs: 1000, fetchMaxWaitMs: 150 };

  for (const what of ['request', 'response'] as const) {
    it(`(${what}) is sent again before the fetch timeout, and nobody stands for election`, () => {
      const lab = formed(3, fast);
      lab.advance(10);
      lab.hold = ({ from, to, kind, message }) =>
        message.type === 'fetch' && kind === what && (kind === 'request' ? from === 2 : to === 2);
      lab.until(() => lab.held.length > 0);
      lab.hold = () => false;
      const from = lab.now;
      lab.until(() => lab.node(2).state.timers.fetch.at > from + 500, 290);
      expect(lab.role(2)).toBe('follower 1');
      expect(lab.node(2).told.join(' ')).not.toMatch(/prospective [1-9]/);
    });
  }

  it('the second is not parked by the leader: whether it is there is known at once', () => {
    const lab = formed(3);
    lab.hold = ({ from, kind, message }) => message.type === 'fetch' && kind === 'request' && from === 2;
    lab.until(() => lab.held.length > 0);
    lab.hold = () => false;
    const before = lab.sent.length;
    lab.advance(1400);
    const fetches = lab.sent
      .slice(before)
      .filter(({ from, kind, message }) => from === 2 && kind === 'request' && message.type === 'fetch')
      .map(({ message }) => (message as FetchRequest).maxWaitMs);
    expect(fetches.slice(0, 2)).toEqual([0, 500]);
  });

  it('counts as lost after the leader would have answered it, in time for another one before the fetch timeout', () => {
    for (const [requestTimeoutMs, fetchTimeoutMs, maxWaitMs, lostAfterMs] of [
      [2000, 2000, 500, 1250],
      [1000, 300, 150, 225],
      [800, 2000, 500, 800],
      [2000, 2000, 0, 1000],
      [2000, 301, 150, 226],
    ] as const) {
      expect(fetchCallTimeoutMs({ requestTimeoutMs, fetchTimeoutMs }, maxWaitMs)).toBe(lostAfterMs);
    }
  });
});

describe('R-3.3 a leader that refuses one follower alone', () => {
  it('is asked to be replaced at once, once, and then not before another 300 ms', () => {
    const lab = formed(5);
    lab.advance(100);
    const refuse = () => {
      const asked = lab.held.filter(({ from, to }) => from === 5 && to === 1);
      lab.held = [];
      for (const { call } of asked) lab.event(5, { type: 'callFailed', now: lab.now, call, failure: 'refused' });
      lab.run();
    };
    lab.hold = ({ from, to, kind }) => kind === 'request' && from === 5 && to === 1;
    const from = lab.now;
    while (lab.now < from + 3000) {
      lab.advance(10);
      refuse();
    }
    const rounds = lab.node(5).told.filter((line) => line === 'prospective 1').length;
    expect(rounds).toBeGreaterThan(1);
    expect(rounds).toBeLessThanOrEqual(9);
    expect([lab.role(1), lab.node(5).state.epoch]).toEqual(['leader 1', 1]);
  });
});
