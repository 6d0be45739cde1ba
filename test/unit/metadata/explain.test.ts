// What is said of a partition: its leader, each replica, what would change it, along a story of failures. The outlook is the
// controller's own.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { acceptableIn } from '../../../src/controller/decide/acceptable.ts';
import type { ExplainPartitionResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import { explainPartition } from '../../../src/metadata/explain.ts';
import { partitionOf } from '../../../src/metadata/image.ts';
import { partitionOutlook } from '../../../src/server/partition-outlook.ts';
import { record, uuid } from './fixture.ts';
import { Story } from './story.ts';

function explain(story: Story, topic = 'orders', partition = 0, logStart = 0): ExplainPartitionResponse {
  return explainPartition(
    story.image,
    { topic, partition },
    { recordAt: (offset) => story.recordAt(offset, logStart), outlook: partitionOutlook },
  );
}

function reasons({ replicas }: ExplainPartitionResponse): string[] {
  return replicas.map(({ brokerId, eligible, reason }) => `${brokerId} ${eligible ? 'may' : 'may not'}: ${reason}`);
}

/** orders-0 on brokers 4, 5, 6 with two that must be in sync. */
function trio(level = 2): Story {
  const story = new Story(level, 4, 5, 6);
  story.createTopic('orders', 1, { replicas: [4, 5, 6], directories: [uuid(1004), uuid(1005), uuid(1006)] });
  story.set('orders', 'min.insync.replicas', '2');
  return story;
}

describe('a partition with a leader', () => {
  it('that is preferred', () => {
    const story = trio();
    const answer = explain(story);
    expect(answer).toMatchObject({ topicId: uuid(1), error: undefined, metadataEndOffset: story.image.endOffset });
    expect(answer.state).toMatchObject({ partition: 0, leader: 4, isr: [4, 5, 6] });
    expect(answer.verdict).toBe(
      'broker 4 leads: it is the preferred leader, active and in the ISR (decided at offset 8: the partition was created)',
    );
    expect(answer.decidedBy).toEqual({ offset: 8, epoch: 3, timestampMs: 7000, cause: 'the partition was created' });
    expect(reasons(answer)).toEqual([
      '4 may: leads; active; in the ISR',
      '5 may: active; in the ISR',
      '6 may: active; in the ISR',
    ]);
    expect(answer.replicas[0]).toMatchObject({ inIsr: true, inElr: false });
    expect(answer.replicas[0]?.brokerState).toEqual({ offset: 2, epoch: 3, timestampMs: 2000, cause: 'caught up' });
    expect(answer.whatWouldChange).toEqual([
      'nothing while broker 4 is active: it leads and is preferred',
      'if broker 4 is fenced, broker 5 would lead',
    ]);
  });

  it('that is not preferred: why that one is not, and how it becomes leader again', () => {
    const story = trio();
    story.fence(4);
    const gone = explain(story);
    expect(gone.verdict).toBe(
      'broker 5 leads: it is active and in the ISR; broker 4, the preferred leader, cannot: fenced since offset 11: ' +
        'session expired; in neither ISR nor ELR: it may lack acknowledged records ' +
        '(decided at offset 10: broker 4 fenced: session expired)',
    );
    expect(gone.decidedBy).toMatchObject({
      offset: 10,
      timestampMs: 10_000,
      cause: 'broker 4 fenced: session expired',
    });
    expect(reasons(gone)).toEqual([
      '4 may not: fenced since offset 11: session expired; in neither ISR nor ELR: it may lack acknowledged records',
      '5 may: leads; active; in the ISR',
      '6 may: active; in the ISR',
    ]);
    expect(gone.whatWouldChange).toEqual([
      'broker 4 comes back (it is fenced since offset 11: session expired), catches up and is taken into the ISR, then a ' +
        'preferred election would make broker 4 leader',
      'if broker 5 is fenced, broker 6 would lead',
    ]);
    story.unfence(4);
    expect(explain(story).whatWouldChange[0]).toBe(
      'broker 4 catches up and is taken into the ISR, then a preferred election would make broker 4 leader',
    );
    story.setIsr(1, 0, [4, 5, 6]);
    const back = explain(story);
    expect(back.verdict).toContain('broker 4, the preferred leader, could lead as well (decided at offset 10');
    expect(back.whatWouldChange[0]).toBe(
      'a preferred election would make broker 4 leader, which is first of the replicas and in the ISR: ' +
        'kvorum partition elect orders-0, or by itself where auto.leader.rebalance.enable is on',
    );
  });

  it('whose record is in a snapshot by now', () => {
    const story = trio();
    story.fence(4);
    const answer = explain(story, 'orders', 0, story.image.endOffset);
    expect(answer.decidedBy).toEqual({ offset: 10, epoch: -1, timestampMs: -1, cause: '' });
    expect(answer.verdict).toMatch(/\(decided at offset 10\)$/);
    expect(answer.replicas[0]?.brokerState).toEqual({
      offset: 11,
      epoch: -1,
      timestampMs: 10_000,
      cause: 'session expired',
    });
  });

  it('which leaves: it leads until it is moved out', () => {
    const story = trio();
    story.change(4, { inControlledShutdown: true, cause: 'asked to stop' });
    const { verdict, replicas } = explain(story);
    expect(verdict).toMatch(/^broker 4 leads still, though it is shutting down since offset 10: asked to stop; the/);
    expect(replicas[0]).toMatchObject({ eligible: false });
  });

  it('is in the middle of a reassignment', () => {
    const story = new Story(2, 4, 5, 6);
    const moving = { adding: [5], removing: [4], isr: [4, 6], leader: 4 };
    story.createTopic('orders', 1, { replicas: [4, 5, 6], directories: [ZERO_UUID, ZERO_UUID, ZERO_UUID], ...moving });
    const answer = explain(story);
    expect(answer.whatWouldChange.at(-1)).toBe(
      'the reassignment is complete when [5] are in the ISR: its replicas are [5,6] then, of which one leads',
    );
    expect(reasons(answer)[1]).toBe(
      '5 may not: active; in neither ISR nor ELR: it may lack acknowledged records, and is being added',
    );
  });
});

describe('a partition without a leader', () => {
  it('waits for one of the eligible leader replicas, which lost records would cost that place', () => {
    const story = trio();
    for (const id of [4, 5, 6]) story.fence(id);
    const answer = explain(story);
    expect(answer.verdict).toBe(
      'nobody leads: the ISR is empty, and of the ELR [5,6], broker 5 is fenced since offset 13: session expired, ' +
        'broker 6 is fenced since offset 15: session expired (decided at offset 14: broker 6 fenced: session expired)',
    );
    expect(answer.replicas.map(({ eligible }) => eligible)).toEqual([false, false, false]);
    const unless = 'unless a power cut or a lost disk may have cost it records; then nobody would';
    expect(answer.whatWouldChange).toEqual([
      `broker 5 comes back: it is in the ELR and would lead, ${unless}`,
      `broker 6 comes back: it is in the ELR and would lead, ${unless}`,
    ]);
    // And so it is.
    story.unfence(5);
    expect(explain(story).state).toMatchObject({ leader: 5, isr: [5], elr: [6] });
  });

  it('that nobody can lead without loss: an unclean election, and what it did', () => {
    const story = trio();
    for (const id of [4, 5, 6]) story.fence(id);
    for (const id of [5, 6]) story.fence(id, 'restarted after a crash', true);
    const lost = explain(story);
    expect(lost.verdict).toContain('nobody leads: ISR and ELR are empty, so no replica is known to have every');
    expect(lost.verdict).toContain('; broker 6 led last');
    expect(lost.whatWouldChange).toEqual([
      'one of the replicas [4,5,6] comes back, and then an unclean election is allowed or asked for: ' +
        'acknowledged records may be lost',
    ]);
    story.unfence(4);
    expect(explain(story).whatWouldChange).toEqual([
      'unclean.leader.election.enable=true for topic orders, or kvorum partition elect --type unclean orders-0: would ' +
        'make broker 4 leader, and acknowledged records may be lost',
    ]);
    story.electUncleanly('orders', 0);
    const elected = explain(story);
    expect(elected.state).toMatchObject({ leader: 4, recovering: true });
    expect(elected.verdict).toMatch(
      /^broker 4 leads: it was elected uncleanly \(asked for by an administrator\), so that records acknowledged before leader epoch 4 may be lost; it has not recovered yet \(decided at offset \d+: /,
    );
    expect(elected.replicas[0]?.reason).toBe('leads; active; alone in the ISR: it was elected uncleanly and recovers');
  });

  it('below metadata level 2: the last member of the ISR, and the level that unclean elections need', () => {
    const story = trio(1);
    for (const id of [4, 5, 6]) story.fence(id);
    const answer = explain(story);
    expect(answer.verdict).toMatch(
      /^nobody leads: of the ISR \[6\], broker 6 is fenced since offset 15: session expired/,
    );
    expect(answer.whatWouldChange).toEqual(['broker 6 comes back: it is in the ISR and would lead']);
    story.unfence(4);
    const { replicas, whatWouldChange } = explain(story);
    expect(replicas[0]?.reason).toBe('active; not in the ISR: it may lack acknowledged records');
    expect(whatWouldChange.at(-1)).toBe('unclean elections need metadata level 2, and it is 1: kvorum cluster upgrade');
  });

  it('with one replica: that broker, and nothing alarming about it', () => {
    const story = new Story(2, 4);
    story.createTopic('orders', 1, [4]);
    expect(explain(story).whatWouldChange.at(-1)).toBe(
      'if broker 4 is fenced, nobody leads until it comes back: it is the only replica',
    );
    story.fence(4);
    expect(reasons(explain(story))).toEqual([
      '4 may not: fenced since offset 6: session expired; in the ELR: it is the only replica',
    ]);
    expect(explain(story).whatWouldChange).toEqual(['broker 4 comes back: it is the only replica and would lead']);
    // And so it is.
    story.fence(4, 'restarted after a crash', true);
    story.unfence(4);
    expect(explain(story).verdict).toMatch(/^broker 4 leads: it is the preferred leader, active and in the ISR/);
    const crashed = new Story(2, 4);
    crashed.createTopic('orders', 1, {
      replicas: [4],
      isr: [4],
      leader: 4,
      recovering: true,
      directories: [ZERO_UUID],
    });
    expect(explain(crashed).verdict).toMatch(
      /^broker 4 leads: it is the only replica, and came back after a crash: it has what its disk kept/,
    );
    expect(reasons(explain(crashed))).toEqual(['4 may: leads; active; in the ISR']);
  });

  it('whose log dir is offline, or whose broker is forgotten', () => {
    const directory = uuid(1004);
    const story = new Story(2, 4, 5);
    story.createTopic('orders', 1, { replicas: [4], isr: [4], leader: -1, directories: [directory] });
    story.change(4, { logDirs: [uuid(77)], cause: 'a log dir failed' });
    const answer = explain(story);
    expect(reasons(answer)).toEqual([`4 may not: its log dir ${directory} is offline; in the ISR`]);
    expect(answer.verdict).toContain(`of the ISR [4], broker 4 is there, but its log dir ${directory} is offline`);
    expect(answer.whatWouldChange[0]).toMatch(/^broker 4 comes back.*: it is .* and would lead/);
    const brokerEpoch = story.image.brokers.get(4)?.brokerEpoch ?? -1;
    story.add(record({ $case: 'unregisterBroker', unregisterBroker: { brokerId: 4, brokerEpoch } }));
    const forgotten = explain(story);
    expect(reasons(forgotten)).toEqual(['4 may not: not registered; in the ISR']);
    expect(forgotten.replicas[0]?.brokerState).toBeUndefined();
  });

  it('though somebody may lead: it is a matter of time', () => {
    const story = new Story(2, 4);
    story.createTopic('orders', 1, { replicas: [4], isr: [4], leader: -1, directories: [ZERO_UUID] });
    expect(explain(story).verdict).toMatch(/^nobody leads yet: broker 4 may, and is elected when the controller looks/);
  });
});

it('what is not there is named', () => {
  const story = trio();
  expect(explain(story, 'nope').error).toMatchObject({
    name: 'UNKNOWN_TOPIC_OR_PARTITION',
    message: "there is no topic 'nope'",
  });
  for (const partition of [1, -1]) {
    expect(explain(story, 'orders', partition)).toMatchObject({
      topicId: uuid(1),
      state: undefined,
      error: { message: `topic 'orders' has no partition ${partition}: they are numbered from 0 to 0` },
    });
  }
});

it('a record that does not set the leader of the partition is not taken for the one that did', () => {
  const story = trio();
  const evidence = { recordAt: () => story.recordAt(0), outlook: partitionOutlook };
  const answer = explainPartition(story.image, { topic: 'orders', partition: 0 }, evidence);
  expect(answer.decidedBy).toEqual({ offset: -1, epoch: -1, timestampMs: -1, cause: '' });
  expect(answer.verdict).toBe('broker 4 leads: it is the preferred leader, active and in the ISR');
});

it('C-5.1: who is said to be eligible is who the controller accepts, whatever happened', () => {
  const event = fc.constantFrom('fence', 'crash', 'unfence', 'stop', 'directory', 'unclean');
  const happening = fc.record({ event, brokerId: fc.constantFrom(4, 5, 6) });
  fc.assert(
    fc.property(fc.constantFrom(1, 2), fc.array(happening, { maxLength: 12 }), (level, happenings) => {
      const story = trio(level);
      for (const { event: it, brokerId } of happenings) {
        if (it === 'fence') story.fence(brokerId);
        if (it === 'crash') story.fence(brokerId, 'crashed', true);
        if (it === 'unfence') story.unfence(brokerId);
        if (it === 'stop') story.change(brokerId, { inControlledShutdown: true });
        if (it === 'directory' && level > 1) story.change(brokerId, { logDirs: [uuid(77)] });
        if (it === 'unclean' && level > 1 && explain(story).state?.leader === -1) story.electUncleanly('orders', 0);
      }
      const state = partitionOf(story.image, uuid(1), 0);
      const answer = explain(story);
      if (state === undefined) throw new Error('no partition');
      const acceptable = acceptableIn(story.image);
      for (const { brokerId, eligible } of answer.replicas) {
        const holdsAll = state.isr.length > 0 ? state.isr.includes(brokerId) : state.elr.includes(brokerId);
        expect(eligible).toBe(holdsAll && acceptable(brokerId, state));
      }
      expect(answer.verdict.startsWith('nobody leads')).toBe(state.leader === -1);
      expect(answer.whatWouldChange.length).toBeGreaterThan(0);
      expect(`${answer.verdict} ${answer.whatWouldChange.join()}`).not.toMatch(/undefined|\(\)|-1/);
    }),
  );
});
