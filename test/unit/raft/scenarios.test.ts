// The directed scenarios of the safety rules (appendix B), as scripts. Each also says what would go wrong.
import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import { onLeaderRefused } from '../../../src/raft/following.ts';
import type { RaftEffect, VoteRequest } from '../../../src/raft/types.ts';
import { Lab, newCluster } from './lab.ts';
import type { Envelope } from './lab-node.ts';
import { CLUSTER, keyOf, keys, logOf, quorumState } from './notation.ts';

const isFetchResponse = ({ kind, message }: Envelope) => kind === 'response' && message.type === 'fetch';
const isVote = ({ kind, message }: Envelope) =>
  kind === 'request' && message.type === 'vote' && !(message as VoteRequest).preVote;

/** Voters on hand-made disks, none started. */
function labOf(logs: Record<number, string>, epoch: number, config = {}): Lab {
  const lab = new Lab();
  const ids = Object.keys(logs).map(Number);
  for (const id of ids) {
    const batches = logOf(
      ids.map((voter) => keyOf(voter)),
      logs[id] ?? '',
    );
    lab.add(id, ids, { disk: { quorumState: quorumState(epoch), snapshots: [], batches }, config });
  }
  return lab;
}

describe('DS-1 figure 8: an old epoch record on a majority is not committed by counting (R-8.3)', () => {
  it('and may still be replaced by a later leader', () => {
    // 1 led epoch 2 and wrote x to itself and 2; 5 led epoch 3 and wrote y to itself alone.
    const logs = { 1: '1* 2* 2:x', 2: '1* 2* 2:x', 3: '1*', 4: '1*', 5: '1* 3* 3:y' };
    const lab = labOf(logs, 3, { fetchMaxBytes: 1 });
    lab.start(1, 2, 3, 4);
    lab.cut(1, 4);
    // 3 gets the batches of epoch 2 one by one, and nobody anything of epoch 4.
    lab.hold = ({ kind, message }) =>
      kind === 'response' &&
      message.type === 'fetch' &&
      'batches' in message &&
      message.batches.some((b) => b.epoch === 4);
    lab.until(() => lab.role(1) === 'leader 4');
    lab.advance(20);
    expect(lab.log(3)).toBe('1* 2* 2:x');
    // x is on 1, 2 and 3, and acknowledged by their fetches: a majority.
    const ends = describeQuorum(lab.node(1).state).voters.map((voter) => voter.logEndOffset);
    expect(ends.filter((end) => end >= 4)).toHaveLength(3);
    expect(lab.node(1).state.highWatermark).toBe(-1);
    // 5 is elected by 3 and 4: y is of a later epoch than x.
    for (const id of [1, 2]) lab.crash(id);
    lab.held = [];
    lab.hold = () => false;
    lab.heal();
    lab.start(5);
    lab.until(() => lab.leader() === 5);
    lab.advance(1000);
    expect(lab.log(3)).toMatch(/^1\* 3\* 3:y \d+\*$/);
    expect(lab.node(3).state.highWatermark).toBe(lab.node(5).state.highWatermark);
    // And 1 and 2 come round without having lost anything that was committed.
    lab.start(1, 2);
    lab.advance(8000);
    for (const id of [1, 2, 3, 4]) expect(lab.log(id)).toBe(lab.log(5));
    for (const { told } of lab.nodes.values()) expect(told.join(' ')).not.toContain('fatal');
  });

  it('once a record of the own epoch is on a majority both are', () => {
    const lab = labOf({ 1: '1* 2* 2:x', 2: '1* 2* 2:x', 3: '1*' }, 3);
    lab.start(1, 2, 3);
    lab.until(() => lab.leader() !== undefined && lab.log(3).includes('2:x'));
    lab.advance(20);
    const leader = lab.node(lab.leader() ?? 0);
    expect(leader.state.highWatermark).toBe(leader.state.log.endOffset);
  });
});

describe('DS-2 vote, crash, other candidate', () => {
  const log = logOf(keys(1, 2, 3), '1*');
  const ask = (candidate: number) =>
    ({
      type: 'vote',
      clusterId: CLUSTER,
      voterKey: keyOf(1),
      candidateKey: keyOf(candidate),
      epoch: 2,
      lastEpoch: 1,
      logEndOffset: 2,
      preVote: false,
    }) as const;

  it('R-0.3, R-4.7 the vote survives the crash: the other candidate is refused', () => {
    const lab = new Lab();
    lab.add(1, [1, 2, 3], { disk: { quorumState: quorumState(1), snapshots: [], batches: log } });
    lab.start(1);
    expect(lab.ask(1, ask(2))).toMatchObject({ granted: true });
    lab.crash(1);
    lab.start(1);
    expect(lab.ask(1, ask(3))).toMatchObject({ granted: false });
  });

  it('M-5 a vote that was not durable has not been given', () => {
    const lab = new Lab();
    lab.add(1, [1, 2, 3], { disk: { quorumState: quorumState(1), snapshots: [], batches: log } });
    lab.start(1);
    lab.node(1).diskHangs = true;
    expect(lab.ask(1, ask(2))).toBeUndefined();
    lab.crash(1);
    lab.node(1).diskHangs = false;
    lab.start(1);
    expect(lab.ask(1, ask(3))).toMatchObject({ granted: true });
  });
});

describe('DS-3 re-lead after a restart is refused', () => {
  it('R-1.3 a leader that lost unflushed records does not write others at their place in the same epoch', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    // x reaches 2, but not the leader's own disk; 3 sees nothing.
    lab.node(1).diskHangs = true;
    lab.cut(1, 3);
    lab.propose(1, 'x');
    lab.run();
    expect(lab.log(2)).toBe('1* 1:x');
    lab.isolate(1);
    lab.crash(1);
    lab.node(1).diskHangs = false;
    lab.start(1);
    expect(lab.role(1)).toBe('resigned 1');
    expect(lab.log(1)).toBe('1*');
    lab.propose(1, 'y');
    expect(lab.node(1).told.at(-1)).toBe('refused -1');
    lab.heal();
    lab.until(() => lab.leader() !== undefined);
    lab.advance(3000);
    for (const id of [1, 2, 3]) expect(lab.log(id)).toBe(lab.log(lab.leader() ?? 0));
    expect(lab.log(1)).not.toContain('1:y');
  });

  it('R-0.3 nor does one whose leadership was not durable: it had told nobody', () => {
    const lab = newCluster(1);
    lab.node(1).diskHangs = true;
    lab.start(1);
    lab.run();
    expect(lab.role(1)).toBe('candidate 1');
    expect(lab.node(1).told.join(' ')).not.toContain('leader');
    // only its vote for itself is being written; it is not counted yet.
    expect(lab.node(1).unflushed).toMatchObject([
      { type: 'writeQuorumState', state: { leaderId: -1, leaderEpoch: 1 } },
    ]);
  });
});

describe('DS-4, H-1 re-grant with a lost tail', () => {
  it('R-4.2 a candidate asks with nothing that it could lose', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    // The deposed leader has an unflushed tail.
    lab.isolate(1);
    lab.node(1).diskHangs = true;
    lab.propose(1, 'tail');
    lab.until(() => lab.role(1).startsWith('prospective') || lab.role(1).startsWith('candidate'), 12_000);
    lab.heal();
    const before = lab.sent.length;
    lab.advance(50);
    const asked = () =>
      lab.sent
        .slice(before)
        .filter(({ from, message, kind }) => from === 1 && kind === 'request' && message.type === 'vote');
    expect(asked()).toEqual([]);
    // Flushed, it asks, with all of it.
    lab.node(1).diskHangs = false;
    lab.run();
    expect(asked()[0]?.message).toMatchObject({ lastEpoch: 1, logEndOffset: 3 });
    expect(lab.node(1).disk.batches).toHaveLength(2);
  });

  it('R-4.3 a voter that granted does not grant again to a shorter log', () => {
    const lab = new Lab();
    const batches = logOf(keys(1, 2, 3), '1* 1:a');
    lab.add(1, [1, 2, 3], { disk: { quorumState: quorumState(2, -1, keyOf(2)), snapshots: [], batches } });
    lab.start(1);
    const request = {
      type: 'vote',
      clusterId: CLUSTER,
      voterKey: keyOf(1),
      candidateKey: keyOf(2),
      epoch: 2,
      lastEpoch: 1,
      preVote: false,
    } as const;
    expect(lab.ask(1, { ...request, logEndOffset: 3 })).toMatchObject({ granted: true });
    expect(lab.ask(1, { ...request, logEndOffset: 2 })).toMatchObject({ granted: false });
  });
});

describe('DS-6 diverging follower over 3 epochs', () => {
  it('R-7.3 cuts back step by step to the common prefix, and only there', () => {
    // Each epoch 2, 4 and 6 left something on 3 alone; 3, 5 and 7 are what the others know.
    const common = '1* 1:a';
    const lab = labOf(
      { 1: `${common} 3* 5* 7* 7:z`, 2: `${common} 3* 5* 7* 7:z`, 3: `${common} 2* 2:b 4* 4:c 6* 6:d` },
      7,
    );
    lab.start(1, 2);
    lab.until(() => lab.leader() !== undefined);
    lab.start(3);
    lab.advance(1000);
    expect(lab.log(3)).toBe(lab.log(lab.leader() ?? 0));
    const cuts = lab.sent.filter(
      ({ to, message }) => to === 3 && 'diverging' in message && message.diverging !== undefined,
    );
    expect(cuts.map(({ message }) => 'diverging' in message && message.diverging)).toEqual([
      { epoch: 5, endOffset: 5 },
      { epoch: 3, endOffset: 4 },
      { epoch: 1, endOffset: 3 },
    ]);
    expect(lab.node(3).disk.batches).toHaveLength(lab.log(3).split(' ').length);
  });

  it('M-5d no fetch before the cut is durable', () => {
    const lab = labOf({ 1: '1* 3*', 2: '1* 3*', 3: '1* 2*' }, 3);
    lab.start(1, 2);
    lab.until(() => lab.leader() !== undefined);
    lab.start(3);
    lab.run();
    lab.hold = (envelope) =>
      envelope.to === 3 &&
      isFetchResponse(envelope) &&
      'diverging' in envelope.message &&
      envelope.message.diverging !== undefined;
    lab.until(() => lab.held.length > 0);
    lab.node(3).diskHangs = true;
    const before = lab.sent.length;
    lab.release();
    expect(lab.log(3)).toBe('1*');
    expect(lab.sent.slice(before).filter(({ from }) => from === 3)).toEqual([]);
    lab.node(3).diskHangs = false;
    lab.run();
    expect(lab.sent.slice(before).some(({ from, message }) => from === 3 && message.type === 'fetch')).toBe(true);
  });

  it('R-7.3 below the high watermark: fatal', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    lab.propose(1, 'committed');
    lab.run();
    const { state } = lab.node(2);
    expect(state.highWatermark).toBe(3);
    lab.advance(10);
    lab.hold = (envelope) => envelope.to === 2 && isFetchResponse(envelope);
    lab.until(() => lab.held.length > 0);
    const [held] = lab.held.splice(0);
    if (held === undefined) throw new Error('held');
    const message = { ...held.message, batches: [], diverging: { epoch: 1, endOffset: 2 } };
    lab.event(2, { type: 'response', now: lab.now, call: held.call, message } as never);
    expect(lab.node(2).told.at(-1)).toMatch(/^fatal .*high watermark 3/);
  });
});

describe('DS-8 old fetch response after two elections', () => {
  it('M-6, R-7.2 is dropped, although its records would fit', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    // 3 has fetched; the answer, with x of epoch 1, is on its way for long.
    lab.hold = (envelope) => envelope.from === 1 && envelope.to === 3 && isFetchResponse(envelope);
    lab.propose(1, 'x');
    lab.run();
    const [late] = lab.held;
    if (late === undefined) throw new Error('an answer is under way');
    lab.crash(1);
    lab.until(() => lab.leader() === 2);
    const second = lab.leader();
    lab.advance(100);
    lab.crash(2);
    lab.start(1);
    lab.until(() => lab.leader() !== undefined && lab.leader() !== second);
    lab.advance(100);
    const before = lab.log(3);
    lab.release((envelope) => envelope === late);
    expect(lab.log(3)).toBe(before);
  });

  it('R-7.5 records above the epoch of their sender are not appended (KAFKA-18723)', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    lab.hold = (envelope) => envelope.to === 3 && isFetchResponse(envelope);
    lab.propose(1, 'x');
    lab.run();
    const [held] = lab.held.splice(0);
    if (held === undefined || !('batches' in held.message)) throw new Error('an answer with x');
    const [batch] = held.message.batches;
    const message = { ...held.message, batches: [batch, { ...batch, baseOffset: 3, epoch: 2 }] };
    lab.event(3, { type: 'response', now: lab.now, call: held.call, message } as never);
    expect(lab.log(3)).toBe('1* 1:x');
    expect(lab.node(3).told).toContain('notice bad-fetch-response');
  });
});

describe('DS-9 claim with a lagging state machine', () => {
  it('R-9.2 the claim waits until the first batch of the epoch is applied; R-5.2 proposals wait with it', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    lab.propose(1, 'a');
    lab.run();
    for (const id of [2, 3]) lab.node(id).applyHangs = true;
    lab.crash(1);
    lab.until(() => lab.leader() !== undefined);
    lab.advance(100);
    const id = lab.leader() ?? 0;
    const node = lab.node(id);
    expect(node.state.highWatermark).toBe(node.state.log.endOffset);
    expect(node.told.join(' ')).not.toContain('claim');
    lab.propose(id, 'too early');
    expect(node.told.at(-1)).toBe(`refused ${id}`);
    lab.event(id, { type: 'applied', now: lab.now, endOffset: 3 });
    expect(node.told.join(' ')).not.toContain('claim');
    lab.resumeApply(id);
    expect(node.told.at(-1)).toBe(`claim ${node.state.epoch}`);
    lab.propose(id, 'b');
    expect(node.told.at(-1)).toMatch(/^proposed/);
  });

  it('R-9.2 renounced at once, before anything else is heard of the end', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    lab.event(1, { type: 'resign', now: lab.now, epoch: 1 });
    expect(lab.node(1).told.slice(-2)).toEqual(['renounce 1', 'resigned 1']);
  });
});

describe('votes of a stale candidate', () => {
  it('R-4.9, M-6 a grant that arrives after the epoch is over elects nobody', () => {
    const lab = labOf({ 1: '1*', 2: '1*', 3: '1*' }, 1);
    lab.hold = isVote;
    lab.start(1, 2, 3);
    lab.until(() => lab.role(1) === 'candidate 2');
    lab.until(() => lab.leader() !== undefined || lab.node(1).state.epoch > 2 || lab.role(1) === 'prospective 2');
    lab.release();
    lab.advance(5000);
    const leaders = [...lab.nodes.values()].flatMap(({ told }) => told.filter((line) => line.startsWith('leader')));
    expect(new Set(leaders).size).toBe(leaders.length);
    expect(lab.leader()).toBeDefined();
  });
});

describe('R-3.3 a leader whose process has ended', () => {
  it('is replaced in turns: each of those left has a share of the 300 ms of its own, another one in the next epoch', () => {
    const lab = newCluster(4);
    lab.start(1, 2, 3, 4);
    lab.run();
    const leader = lab.leader() ?? 0;
    const left = [1, 2, 3, 4].filter((id) => id !== leader);
    const turns = left.map((id) => {
      const { state } = lab.node(id);
      onLeaderRefused(state, [], leader);
      return state.timers.fetch.at - state.now;
    });
    // The lab draws 0: where each share begins.
    expect(turns.toSorted((a, b) => a - b)).toEqual([0, 100, 200]);
    const { state } = lab.node(left[0] as number);
    Object.assign(state, { epoch: state.epoch + 1 });
    Object.assign(state.role, { leaderGone: false });
    state.timers.fetch.armed = false;
    onLeaderRefused(state, [], leader);
    expect(state.timers.fetch.at - state.now).toBe(((turns[0] as number) + 100) % 300);
  });

  it('is not given up for a refusal by somebody else, nor put off by further refusals', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    const { state } = lab.node(2);
    const due = state.timers.fetch.at;
    const effects: RaftEffect[] = [];
    onLeaderRefused(state, effects, 3);
    expect(state.timers.fetch.at).toBe(due);
    onLeaderRefused(state, effects, 1);
    const earlier = state.timers.fetch.at;
    expect(earlier).toBeLessThanOrEqual(state.now + 300);
    state.now += 100;
    onLeaderRefused(state, effects, 1);
    expect(state.timers.fetch.at).toBe(earlier);
  });
});
