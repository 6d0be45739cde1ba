// what a leader demands before it changes the voters, and what is in force from when to when.
import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import { step } from '../../../src/raft/step.ts';
import type { RaftEffect, VoterChange } from '../../../src/raft/types.ts';
import type { Lab } from './lab.ts';
import { newCluster } from './lab.ts';
import { keyOf, voterOf, voterSet } from './notation.ts';

/** Voters 1..count, 1 leads; 4 observes and is caught up. */
function formed(count: number): Lab {
  const lab = newCluster(count);
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  lab.start(...ids);
  lab.run();
  lab.propose(1, 'a');
  lab.run();
  lab.add(4, ids);
  lab.start(4);
  lab.advance(600);
  return lab;
}

const add = (id: number, generation = 1): VoterChange => ({ type: 'add', voter: voterOf(keyOf(id, generation)) });
const remove = (id: number, generation = 1): VoterChange => ({ type: 'remove', replica: keyOf(id, generation) });

/** The answer to that change, and nothing else of the step. */
function answer(lab: Lab, id: number, change: VoterChange): object {
  const effects: RaftEffect[] = [];
  step(lab.node(id).state, { type: 'changeVoters', now: lab.now, token: 7, change }, effects);
  const [first] = effects.filter((effect) => effect.type === 'voterChange');
  expect(first?.token).toBe(7);
  if (first?.result.type === 'refused') expect(effects).toHaveLength(1);
  return first?.result ?? {};
}

describe('R-11.2 a change is refused without a trace', () => {
  it('by who does not lead', () => {
    expect(answer(formed(3), 2, add(4))).toMatchObject({ type: 'refused', error: 'NOT_LEADER' });
  });

  it('before an entry of the own epoch is committed (Ongaro)', () => {
    const lab = formed(3);
    lab.crash(1);
    lab.hold = ({ message, kind }) => message.type === 'fetch' && kind === 'response';
    lab.until(() => lab.leader() !== undefined);
    const leader = lab.leader() ?? 0;
    expect(lab.node(leader).state.highWatermark).toBeGreaterThan(0);
    expect(answer(lab, leader, remove(1))).toMatchObject({ error: 'NOT_READY', message: /epoch 2/ });
    lab.release();
    lab.advance(50);
    expect(answer(lab, leader, remove(1))).toMatchObject({ type: 'appended' });
  });

  it('while another is not committed', () => {
    const lab = formed(3);
    lab.hold = ({ to, kind }) => to === 1 && kind === 'request';
    expect(answer(lab, 1, add(4))).toEqual({ type: 'appended', offset: 3 });
    expect(answer(lab, 1, remove(3))).toMatchObject({ error: 'NOT_READY', message: /offset 3 is not committed/ });
  });

  for (const [what, change, error, message] of [
    ['adds a voter', add(2), 'DUPLICATE_VOTER', /node 2 is a voter/],
    ['adds another disk of a voter', add(2, 2), 'DUPLICATE_VOTER', /remove that one first/],
    ['adds who does not fetch', add(9), 'NOT_CAUGHT_UP', /has not fetched for 2000 ms/],
    ['adds another disk than the one that fetches', add(4, 2), 'NOT_CAUGHT_UP', /has not fetched/],
    ['removes nobody', remove(9), 'VOTER_NOT_FOUND', /node 9 .* is no voter/],
    ['removes another disk of a voter', remove(2, 2), 'VOTER_NOT_FOUND', /is no voter/],
    [
      'adds at an endpoint that no record holds',
      { type: 'add', voter: { ...keyOf(4), endpoint: 'x'.repeat(262) } },
      'VOTER_NOT_FOUND',
      /endpoint of node 4 has 262 bytes/,
    ],
    [
      'corrects an endpoint to one that no record holds',
      { type: 'update', voter: { ...keyOf(2), endpoint: 'x'.repeat(262) } },
      'VOTER_NOT_FOUND',
      /262 bytes/,
    ],
    ['corrects the endpoint of no voter', { type: 'update', voter: voterOf(keyOf(4)) }, 'VOTER_NOT_FOUND', /node 4/],
    [
      'corrects the endpoint of another disk',
      { type: 'update', voter: voterOf(keyOf(2, 2)) },
      'VOTER_NOT_FOUND',
      /node 2/,
    ],
  ] as const) {
    it(`that ${what}: ${error}`, () => {
      const lab = formed(3);
      const before = lab.log(1);
      expect(answer(lab, 1, change)).toEqual({ type: 'refused', error, message: expect.stringMatching(message) });
      expect(lab.log(1)).toBe(before);
    });
  }

  it('that adds who fetched, long ago', () => {
    const lab = formed(3);
    lab.crash(4);
    lab.advance(2600);
    expect(answer(lab, 1, add(4))).toMatchObject({ error: 'NOT_CAUGHT_UP', message: /has not fetched/ });
  });

  it('that adds who fetches, and has not caught up', () => {
    const lab = formed(3);
    lab.add(5, [1, 2, 3], { config: { fetchMaxBytes: 1 } });
    lab.isolate(5);
    lab.start(5);
    for (let i = 0; i < 20; i++) lab.propose(1, `r${i}`);
    lab.run();
    // It fetches again and again from its first offset.
    for (let i = 0; i < 30; i++) {
      lab.advance(100);
      lab.ask(1, {
        type: 'fetch',
        clusterId: lab.node(5).config.clusterId,
        replicaKey: keyOf(5),
        currentLeaderEpoch: 1,
        fetchOffset: 2,
        lastFetchedEpoch: 1,
        maxWaitMs: 0,
        highWatermark: -1,
      });
    }
    expect(answer(lab, 1, add(5))).toMatchObject({ error: 'NOT_CAUGHT_UP', message: /has 2 of 23 records/ });
    lab.heal();
    lab.advance(1000);
    expect(answer(lab, 1, add(5))).toMatchObject({ type: 'appended' });
  });

  it('[ours] that would leave voters who cannot commit it', () => {
    const lab = formed(3);
    lab.crash(3);
    lab.advance(2600);
    // Without 2, only 1 of 1 and 3 would be there.
    expect(answer(lab, 1, remove(2))).toMatchObject({
      error: 'QUORUM_AT_RISK',
      message: /only 1 of 2 voters are there, 2/,
    });
    // Nor may the leader go; but the dead one may.
    expect(answer(lab, 1, remove(1))).toMatchObject({ error: 'QUORUM_AT_RISK', message: /only 1 of 2 voters/ });
    expect(answer(lab, 1, remove(3))).toMatchObject({ type: 'appended' });
  });

  it('[ours] that removes the last voter', () => {
    expect(answer(formed(1), 1, remove(1))).toMatchObject({ error: 'QUORUM_AT_RISK', message: /last voter/ });
  });
});

describe('R-11.3 a voter set is in force from the moment its record is in the log', () => {
  it('on the leader at once, also uncommitted, on followers when they have the record; R-11.4 it commits under the new set', () => {
    const lab = formed(3);
    lab.hold = ({ from, to, kind }) => kind === 'response' && from === 1 && to !== 4;
    lab.changeVoters(1, add(4));
    expect(lab.node(1).voters).toEqual([1, 2, 3, 4]);
    expect(lab.node(2).voters).toEqual([1, 2, 3]);
    expect(lab.node(4).voters).toEqual([1, 2, 3, 4]);
    // 1 and 4 have it: a majority of three, not of four.
    expect(lab.node(1).state.highWatermark).toBe(3);
    lab.release(({ to }) => to === 2);
    expect(lab.node(1).state.highWatermark).toBe(4);
    expect(describeQuorum(lab.node(4).state)).toMatchObject({ isVoter: true });
  });

  it('tells the driver the set at start, after a change, after a cut, after a snapshot', () => {
    const told = (lab: Lab, id: number, change: VoterChange): number[][] => {
      const effects: RaftEffect[] = [];
      step(lab.node(id).state, { type: 'changeVoters', now: lab.now, token: 7, change }, effects);
      return effects.flatMap((effect) => (effect.type === 'voters' ? [effect.voters.map((voter) => voter.id)] : []));
    };
    const lab = formed(3);
    expect(lab.node(1).voters).toEqual([1, 2, 3]);
    expect(told(lab, 1, add(4))).toEqual([[1, 2, 3, 4]]);
    expect(told(lab, 1, add(4))).toEqual([]);
  });

  it('an endpoint is corrected', () => {
    const lab = formed(3);
    lab.changeVoters(1, { type: 'update', voter: { ...keyOf(2), endpoint: 'moved:1' } });
    for (const id of [1, 2, 3, 4]) {
      expect(describeQuorum(lab.node(id).state).voters.map(({ endpoint }) => endpoint)).toEqual([
        'host1:9093',
        'moved:1',
        'host3:9093',
      ]);
    }
    expect(lab.node(1).state.highWatermark).toBe(4);
  });

  it('the leader takes the progress of whoever joins and leaves along', () => {
    const lab = formed(3);
    const progress = () => {
      const { voters, observers } = describeQuorum(lab.node(1).state);
      return [voters, observers].map((list) =>
        list.map(({ replica, logEndOffset }) => `${replica.id}:${logEndOffset}`),
      );
    };
    expect(progress()).toEqual([['1:3', '2:3', '3:3'], ['4:3']]);
    lab.changeVoters(1, add(4));
    expect(progress()).toEqual([['1:4', '2:4', '3:4', '4:4'], []]);
    lab.changeVoters(1, remove(2));
    expect(progress()).toEqual([['1:5', '3:5', '4:5'], ['2:5']]);
    expect(lab.node(2).voters).toEqual([1, 3, 4]);
  });

  it('R-11.5 a leader that is removed shows itself as an observer', () => {
    const lab = formed(3);
    lab.hold = ({ to, kind }) => to === 1 && kind === 'request';
    lab.changeVoters(1, remove(1));
    const { isVoter, role, observers } = describeQuorum(lab.node(1).state);
    expect({ isVoter, role }).toEqual({ isVoter: false, role: 'leader' });
    expect(observers.map(({ replica, logEndOffset }) => `${replica.id}:${logEndOffset}`)).toEqual(['4:3', '1:4']);
  });

  it('R-11.3, B23 a cut restores every set that it undoes, down to the one that is left', () => {
    const lab = formed(3);
    // Two sets that nobody else has, the first of them committed as far as the old leader knows its disk: a hand-made log.
    lab.isolate(1);
    lab.changeVoters(1, remove(3));
    expect(lab.node(1).voters).toEqual([1, 2]);
    const { log } = lab.node(1).state;
    expect([log.votersOffset, log.endOffset]).toEqual([3, 4]);
    lab.until(() => [2, 3].some((id) => lab.role(id).startsWith('leader')));
    lab.heal();
    lab.advance(3000);
    expect(lab.node(1).voters).toEqual([1, 2, 3]);
    expect(describeQuorum(lab.node(1).state).isVoter).toBe(true);
    expect(lab.node(1).state.log.voters).toEqual(voterSet(1, 2, 3));
  });
});
