// The checker of the metadata log: for each property bad histories that it must reject, and tricky good ones.
import { describe, expect, test } from 'vitest';
import type { AskedAlteration, MetadataHistory } from '../../../src/check/metadata.ts';
import type { SeenKind } from '../../../src/check/metadata-records.ts';
import * as f from './metadata-fixture.ts';
import {
  broker,
  change,
  cluster,
  command,
  commit,
  commitAll,
  config,
  partition,
  registered,
  T,
  topic,
  unclean,
} from './metadata-fixture.ts';

/** The property that the batch breaks on top of a good history. */
const broken = (history: MetadataHistory, ...kinds: SeenKind[]) => commit(history, ...kinds)?.property;

const fenced = (id: number) => broker(id, { fenced: true });

/** Broker 3, then 2, then 1 is fenced: nobody leads, with minIsr 1 the last one is the ELR. */
function leaderless(metadataLevel = 2): MetadataHistory {
  return commitAll(
    cluster(metadataLevel),
    [change({ isr: [1, 2] }), fenced(3)],
    [change({ isr: [1] }), fenced(2)],
    [metadataLevel === 1 ? change({ leader: -1 }) : change({ leader: -1, isr: [], elr: [1] }), fenced(1)],
  );
}

describe('S-M2', () => {
  const bad: [string, SeenKind][] = [
    ['a leader out of the ISR', change({ isr: [2, 3] })],
    ['a member twice', change({ isr: [1, 1] })],
    ['a stranger in the ISR', change({ isr: [1, 4] })],
    ['a stranger in the ELR', change({ isr: [1], elr: [4] })],
    ['ELR and ISR overlap', change({ elr: [3] })],
    ['recovering with others', change({ recovering: true })],
    ['a replica twice', change({ replicas: [1, 2, 3, 3] })],
    ['a leader and a last known one', change({ leader: 1, lastKnownLeader: 2 })],
  ];
  test.each(bad)('%s', (_, kind) => {
    expect(broken(cluster(), kind)).toBe('S-M2');
  });

  test('below level 2 there is no ELR, and no empty ISR', () => {
    expect(broken(cluster(1), change({ leader: -1, isr: [] }))).toBe('S-M2');
    expect(broken(cluster(1), change({ isr: [1], elr: [2] }))).toBe('S-M2');
  });
});

describe('S-M4', () => {
  test('elections from the ISR, from the ELR, and of nobody are clean', () => {
    commitAll(cluster(), [change({ leader: 2 })], [change({ leader: 2 })], [change({ leader: -1 })]);
    commitAll(leaderless(), [broker(1, { fenced: false }), change({ leader: 1, isr: [1], elr: [] })]);
  });

  test('an election from the ELR in the record that empties the ISR', () => {
    const history = commitAll(
      cluster(),
      [config('t', 'min.insync.replicas', '2')],
      [change({ isr: [1], elr: [2] })],
      [change({ leader: 2, isr: [2], elr: [1] }), fenced(1)],
    );
    expect(history.counts.get('election from the ELR')).toBe(1);
  });

  test('a leader from nowhere', () => {
    const history = leaderless();
    expect(broken(history, broker(2, { fenced: false }), change({ leader: 2, isr: [2], elr: [] }))).toBe('S-M4');
  });

  test('a leader from the ELR beside an ISR', () => {
    const history = commitAll(
      cluster(),
      [config('t', 'min.insync.replicas', '3')],
      [change({ isr: [1, 3], elr: [2] })],
    );
    expect(broken(history, change({ leader: 2, isr: [2, 3], elr: [] }))).toBe('S-M4');
  });

  const [allow, returns] = [config('t', 'unclean.leader.election.enable', 'true'), broker(3, { fenced: false })];
  const elected = change({ leader: 3, isr: [3], elr: [], recovering: true });
  const record = unclean({ oldElr: [1] });

  test('an unclean election with its record, allowed by the topic, by the cluster, by an administrator', () => {
    commitAll(leaderless(), [allow], [returns, record, elected], [change({ recovering: false })]);
    commitAll(leaderless(), [config('', 'unclean.leader.election.enable', 'true')], [returns, record, elected]);
    const asked = leaderless();
    asked.uncleanElectionAsked('t', 0);
    commitAll(asked, [returns, unclean({ oldElr: [1], cause: 'asked for by an administrator' }), elected]);
    expect(asked.counts.get('unclean election')).toBe(1);
    const later = leaderless();
    later.uncleanElectionAsked('t', 0);
    expect(broken(later, returns, record, elected), 'not what was asked for').toBe('S-M4');
  });

  const bad: [string, SeenKind[]][] = [
    ['nobody allowed it', [returns, record, elected]],
    [
      'the flag is off again',
      [
        config('', 'unclean.leader.election.enable', 'true'),
        config('t', 'unclean.leader.election.enable', 'false'),
        returns,
        record,
        elected,
      ],
    ],
    ['without a record', [allow, returns, elected]],
    ['its record comes after it', [allow, returns, elected, record]],
    ['a record that nothing follows', [allow, returns, record]],
    ['another leader', [allow, returns, unclean({ leader: 2, oldElr: [1] }), elected]],
    ['another ELR before', [allow, returns, unclean({}), elected]],
    ['another epoch', [allow, returns, unclean({ oldElr: [1], newLeaderEpoch: 3 }), elected]],
    ['no cause', [allow, returns, unclean({ oldElr: [1], cause: '' }), elected]],
    ['not recovering', [allow, returns, record, change({ leader: 3, isr: [3], elr: [] })]],
    ['keeps the ELR', [allow, returns, record, change({ leader: 3, isr: [3], elr: [1], recovering: true })]],
    ['the record of nobody', [allow, unclean({ oldElr: [1] }), change({ leader: -1 })]],
  ];
  test.each(bad)('an unclean election: %s', (_, kinds) => {
    expect(broken(leaderless(), ...kinds)).toBe('S-M4');
  });

  test('recovery ends by its leader alone, and begins with an unclean election', () => {
    const recovering = commitAll(leaderless(), [allow], [returns, record, elected]);
    expect(broken(recovering, change({ leader: 3, recovering: false }))).toBe('S-M4');
    const calm = commitAll(cluster(), [change({ isr: [1] })]);
    expect(broken(calm, change({ recovering: true }))).toBe('S-M4');
    expect(broken(calm, f.topic('u', 'u'), partition({ topicId: 'u', isr: [1], recovering: true }))).toBe('S-M4');
  });

  test('an ELR beside enough replicas, of strangers, of a new partition, kept over a change of min.insync.replicas', () => {
    expect(broken(commitAll(cluster(), [change({ isr: [1] })]), change({ elr: [2] }))).toBe('S-M4');
    const two = () => commitAll(cluster(), [config('t', 'min.insync.replicas', '2')], [change({ isr: [1], elr: [2] })]);
    expect(broken(two(), change({ elr: [2, 3] }))).toBe('S-M4');
    expect(broken(cluster(), topic('u', 'u'), partition({ topicId: 'u', isr: [1], elr: [2] }))).toBe('S-M4');
    expect(broken(two(), config('t', 'min.insync.replicas', '3'))).toBe('S-M4');
    // The topic's own value goes before that of all.
    commitAll(two(), [config('', 'min.insync.replicas', '3')]);
    const ofAll = () =>
      commitAll(cluster(), [config('', 'min.insync.replicas', '2')], [change({ isr: [1], elr: [2] })]);
    expect(broken(ofAll(), config('', 'min.insync.replicas', '3'))).toBe('S-M4');
    commitAll(two(), [config('t', 'min.insync.replicas', '3'), change({ elr: [] })]);
    commitAll(two(), [config('u', 'min.insync.replicas', '3')], [config('t', 'min.insync.replicas', '2')]);
    // Where nobody leads nothing is acknowledged.
    commitAll(leaderless(), [config('t', 'min.insync.replicas', '3')]);
  });

  test('min.insync.replicas counts as what the partition has replicas', () => {
    const history = commitAll(cluster(), [config('t', 'min.insync.replicas', '9')]);
    expect(broken(history, change({ isr: [1, 2], elr: [3] }))).toBeUndefined();
    const few = commitAll(
      cluster(),
      [config('', 'min.insync.replicas', '9')],
      [topic('u', 'u'), partition({ topicId: 'u', replicas: [1], isr: [1] })],
    );
    expect(few.state.topics.get('u')?.partitions.length).toBe(1);
  });

  test('who restarted uncleanly is in no ISR and no ELR; who restarted cleanly may be in the ELR', () => {
    const again = { incarnationId: 'next', bootCounter: 2 };
    commitAll(leaderless(), [registered(1, again)]);
    expect(broken(leaderless(), registered(1, { ...again, cleanStart: false }))).toBe('S-M4');
    expect(broken(cluster(), registered(1, { ...again, cleanStart: false }))).toBe('S-M4');
    commitAll(leaderless(), [change({ elr: [] }), registered(1, { ...again, cleanStart: false })]);
    commitAll(leaderless(1), [registered(1, { ...again, cleanStart: false })]);
  });
});

describe('S-M5', () => {
  const asked: AskedAlteration = {
    ...{ topicId: T, partition: 0, leaderEpoch: 0, partitionEpoch: 1, senderId: 1, senderEpoch: 1 },
    isr: [1, 2, 3].map((id) => ({ brokerId: id, brokerEpoch: id })),
  };
  const shrunk = () => commitAll(cluster(), [change({ isr: [1, 2] })]);

  test('an ISR grows by what its leader asked for', () => {
    const history = shrunk();
    history.alterationAsked({ ...asked, isr: [{ brokerId: 3, brokerEpoch: 2 }] });
    history.alterationAsked(asked);
    commitAll(history, [change({ isr: [1, 2, 3] })]);
  });

  const bad: [string, Partial<AskedAlteration> | undefined][] = [
    ['nobody asked', undefined],
    ['another registration of the member', { isr: [1, 2, 3].map((id) => ({ brokerId: id, brokerEpoch: 2 })) }],
    ['not this member', { isr: [1, 2].map((id) => ({ brokerId: id, brokerEpoch: id })) }],
    ['an old partition epoch', { partitionEpoch: 0 }],
    ['an old leader epoch', { leaderEpoch: 5 }],
    ['not the leader', { senderId: 2, senderEpoch: 2 }],
    ['an old life of the leader', { senderEpoch: 0 }],
  ];
  test.each(bad)('an ISR grows: %s', (_, wrong) => {
    const history = shrunk();
    if (wrong !== undefined) history.alterationAsked({ ...asked, ...wrong });
    expect(broken(history, change({ isr: [1, 2, 3] }))).toBe('S-M5');
  });

  test('a member that is fenced, or about to go, by then', () => {
    for (const state of [{ fenced: true }, { inControlledShutdown: true }]) {
      const history = commitAll(shrunk(), [broker(3, state)]);
      history.alterationAsked(asked);
      expect(broken(history, change({ isr: [1, 2, 3] }))).toBe('S-M5');
    }
  });

  test('the batch is one: who is unfenced by its end may be elected before, who is fenced by its end may not', () => {
    const change1 = change({ leader: 1, isr: [1], elr: [] });
    commitAll(leaderless(), [change1, broker(1, { fenced: false })]);
    expect(broken(leaderless(), broker(1, { fenced: false }), change1, fenced(1))).toMatch(/S-M5|S-M6/);
  });

  test('a new partition on a fenced broker', () => {
    const history = commitAll(cluster(), [change({ isr: [1, 2] }), fenced(3)]);
    expect(broken(history, topic('u', 'u'), partition({ topicId: 'u' }))).toBe('S-M5');
  });
});

describe('S-M6', () => {
  test('who is fenced is in no ISR, and leads nothing', () => {
    expect(broken(cluster(), fenced(1))).toBe('S-M6');
    expect(broken(cluster(), fenced(3))).toBe('S-M6');
    expect(broken(cluster(), registered(3, { incarnationId: 'next', bootCounter: 2 }))).toBe('S-M6');
    commitAll(cluster(), [change({ isr: [1, 2] }), fenced(3)]);
  });

  test('below level 2 the last member stays, without leading', () => {
    leaderless(1);
    const one = commitAll(cluster(1), [change({ isr: [1] })]);
    expect(broken(one, fenced(1))).toBe('S-M6');
    const two = commitAll(cluster(), [change({ isr: [1] })]);
    expect(broken(two, change({ leader: -1 }), fenced(1))).toBe('S-M6');
    // What is so when the level is raised may stay so.
    commitAll(leaderless(1), [f.level(2)], [broker(3, { fenced: false })]);
  });
});

describe('S-M7', () => {
  const next = { incarnationId: 'next', bootCounter: 2, logDirs: ['dir 9'] };
  test('a process registers once, and a later start of the same disk replaces an earlier one', () => {
    const fourth = commitAll(cluster(), [registered(9)]);
    commitAll(fourth, [registered(9, next)]);
    expect(broken(fourth, registered(9))).toBe('S-M7');
    expect(broken(fourth, registered(9, { ...next, incarnationId: 'third' }))).toBe('S-M7');
    commitAll(fourth, [registered(9, { incarnationId: 'fifth', bootCounter: 1, logDirs: ['a new disk'] })]);
  });

  test('changes are for the registration that there is', () => {
    expect(broken(cluster(), broker(1, { fenced: false }, 7))).toBe('S-M7');
    expect(broken(cluster(), broker(8, { fenced: false }))).toBe('S-M7');
    const forget = (brokerId: number, brokerEpoch: number): SeenKind => ({
      $case: 'unregisterBroker',
      unregisterBroker: { brokerId, brokerEpoch },
    });
    expect(broken(cluster(), forget(1, 7))).toBe('S-M7');
    expect(broken(leaderless(), forget(1, 1)), 'in the ELR').toBe('S-M4');
    commitAll(leaderless(), [forget(2, 2)]);
  });
});

test('S-M8: topic ids, names, partitions and blocks that are used twice or not there', () => {
  const removed: SeenKind = { $case: 'removeTopic', removeTopic: { topicId: T } };
  const blocks = (nextProducerId: number): SeenKind => ({ $case: 'producerIds', producerIds: { nextProducerId } });
  expect(broken(cluster(), topic('t', 'u'))).toBe('S-M8');
  expect(broken(cluster(), topic('u', T))).toBe('S-M8');
  expect(broken(cluster(), partition())).toBe('S-M8');
  expect(broken(cluster(), partition({ partition: 2 }))).toBe('S-M8');
  expect(broken(cluster(), f.level(2))).toBe('S-M8');
  const gone = commitAll(cluster(), [removed]);
  commitAll(gone, [topic('t', 'u'), partition({ topicId: 'u' })], [blocks(10)]);
  expect(broken(gone, blocks(10))).toBe('S-M8');
  expect(broken(commitAll(cluster(), [removed]), topic('t', T))).toBe('S-M8');
  expect(broken(commitAll(cluster(), [removed]), removed)).toBe('S-M8');
  expect(broken(commitAll(cluster(), [removed]), change({ leader: 2 }))).toBe('S-M8');
});

describe('S-M10', () => {
  test('the log holds a command once, the newest of a client last, at the end of its batch', () => {
    const history = commitAll(cluster(), [change({ leader: 2 }), command(1)], [command(3)], [command(2, 'another')]);
    expect(broken(history, command(3))).toBe('S-M10');
    expect(broken(history, command(2))).toBe('S-M10');
    expect(broken(cluster(), command(1), change({ leader: 2 }))).toBe('S-M10');
  });

  test('who asks again gets the same answer, and what was answered took effect', () => {
    const { commands } = commitAll(cluster(), [command(1)]);
    expect(commands.answered('client', 1, 'yes')).toBeUndefined();
    expect(commands.answered('client', 1, 'yes')).toBeUndefined();
    expect(commands.repeated).toBe(1);
    expect(commands.unfounded()).toBeUndefined();
    expect(commands.answered('client', 1, 'no')).toMatchObject({ property: 'S-M10' });
    commands.answered('client', 2, 'yes');
    expect(commands.unfounded()).toMatchObject({ property: 'S-M10' });
  });
});

describe('S-D8: what is said in the loss ledger', () => {
  test('is of a partition and a leader epoch that there are', () => {
    expect(broken(cluster(3), f.loss(), f.loss({ kind: 4, toOffset: 9 }))).toBeUndefined();
    expect(commitAll(cluster(3), [f.loss()]).counts.get('loss reported')).toBe(1);
  });

  test.each([
    ['another topic', f.loss({ topicId: 'nope' })],
    ['another partition', f.loss({ partition: 1 })],
    ['a leader epoch to come', f.loss({ leaderEpoch: 1 })],
    ['no kind', f.loss({ kind: 0 })],
    ['a kind that nobody says', f.loss({ kind: 5 })],
    ['a range that goes back', f.loss({ toOffset: 4 })],
    ['an offset below 0', f.loss({ fromOffset: -1 })],
  ])('and not of %s', (_, kind) => {
    expect(broken(cluster(3), kind)).toBe('S-D8');
  });

  test('needs metadata level 3', () => {
    expect(broken(cluster(2), f.loss())).toBe('S-D8');
  });

  test('is in the log report by report, and as entries in snapshots alone', () => {
    expect(broken(cluster(3), { $case: 'partitionLoss' })).toBe('S-M8');
  });
});
