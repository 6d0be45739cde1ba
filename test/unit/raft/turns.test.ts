// Who goes first when the leader's process is gone and several would stand: none of it may be needed for safety, all of it saves time.
import { describe, expect, it } from 'vitest';
import { onLeaderRefused } from '../../../src/raft/following.ts';
import type { Lab } from './lab.ts';
import { newCluster } from './lab.ts';
import type { Envelope } from './lab-node.ts';

/** A cluster whose leader, 1, has just crashed. */
function leaderless(voters: number): Lab {
  const lab = newCluster(voters);
  lab.start(...Array.from({ length: voters }, (_, i) => i + 1));
  lab.run();
  expect(lab.leader()).toBe(1);
  lab.crash(1);
  return lab;
}

/** They learn it in the same moment, and their turn comes in the same moment. */
function standTogether(lab: Lab, ...ids: number[]): void {
  for (const id of ids) onLeaderRefused(lab.node(id).state, [], 1);
  for (const id of ids) {
    const { generation } = lab.node(id).state.timers.fetch;
    lab.event(id, { type: 'timer', now: lab.now, id: 'fetch', generation });
  }
}

const asksForVote = ({ from, kind, message }: Envelope): boolean =>
  from === 2 && kind === 'request' && message.type === 'vote' && 'preVote' in message && !message.preVote;

describe('two that ask for pre-votes in the same moment', () => {
  it('of even logs the lower id stands, the other gives it its vote: no epoch is lost', () => {
    const lab = leaderless(3);
    const { epoch } = lab.node(2).state;
    standTogether(lab, 3, 2);
    lab.run();
    expect(lab.role(2)).toBe(`leader ${epoch + 1}`);
    expect(lab.node(3).told.join(' ')).not.toContain('candidate');
  });

  it('the further log goes first, whatever the ids', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    lab.cut(1, 2);
    lab.propose(1, 'a');
    lab.run();
    lab.crash(1);
    lab.heal();
    standTogether(lab, 2, 3);
    lab.run();
    expect(lab.leader()).toBe(3);
  });

  it('the other one stands soon if the first does not come to it', () => {
    const lab = leaderless(5);
    lab.hold = asksForVote;
    for (const id of [4, 5]) onLeaderRefused(lab.node(id).state, [], 1);
    standTogether(lab, 2, 3);
    lab.run();
    expect([lab.role(2), lab.role(3)].map((role) => role.split(' ')[0])).toEqual(['candidate', 'prospective']);
    lab.crash(2);
    lab.advance(300);
    expect(lab.leader()).toBe(3);
  });
});

it('R-4.6: a voter that refused for its leader is asked again when it asks itself, as nobody else can win', () => {
  const lab = newCluster(3);
  lab.start(1, 2, 3);
  lab.run();
  lab.cut(1, 2);
  lab.propose(1, 'a');
  lab.run();
  lab.isolate(1);
  const expire = (id: number): void => {
    const { generation } = lab.node(id).state.timers.fetch;
    lab.event(id, { type: 'timer', now: lab.now, id: 'fetch', generation });
    lab.run();
  };
  expire(3);
  expect(lab.role(3)).toMatch(/^prospective/);
  expire(2);
  expect(lab.role(3)).toMatch(/^leader/);
});

it('R-4.7: who waits for its turn and is asked for a pre-vote gives that turn away', () => {
  const lab = leaderless(5);
  const { state } = lab.node(3);
  onLeaderRefused(state, [], 1);
  const due = state.timers.fetch.at;
  lab.hold = asksForVote;
  standTogether(lab, 2);
  lab.run();
  expect(lab.role(3)).toMatch(/^follower/);
  expect(state.timers.fetch.at).toBe(lab.now + 300);
  expect(state.timers.fetch.at).toBeGreaterThan(due);
});

it('R-3.3: a follower that has not missed its leader keeps its fetch timeout', () => {
  const lab = leaderless(5);
  const { state } = lab.node(3);
  const due = state.timers.fetch.at;
  standTogether(lab, 2);
  lab.run();
  expect(state.timers.fetch.at).toBe(due);
});
