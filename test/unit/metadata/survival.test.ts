import { expect, it } from 'vitest';
import type { NodeId } from '../../../src/base/ids.ts';
import type { Survival } from '../../../src/gen/kvorum/v1/admin.ts';
import type { PartitionRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { describeTopics } from '../../../src/metadata/describe.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import type { PartitionFacts, ReplicaFacts } from '../../../src/metadata/partition-survival.ts';
import { partitionSurvival } from '../../../src/metadata/partition-survival.ts';
import type { DurabilityPolicy } from '../../../src/metadata/survival.ts';
import { after, clusterOf, partitionRecord, record, registration, topicRecord, uuid } from './fixture.ts';

// ---- every small state against the definition ----

type Set32 = number;
const size = (set: Set32): number => set.toString(2).replaceAll('0', '').length;
const subsets = (count: number): Set32[] => Array.from({ length: 1 << count }, (_, i) => i);
const members = <T>(all: readonly T[], set: Set32): T[] => all.filter((_, i) => (set >> i) & 1);

/** On which replicas a record may be that is acknowledged by now, or in any ISR that is yet to come. */
function holders({ replicas, minIsr }: PartitionFacts): Set32[] {
  const now = replicas.reduce((set, { holdsAll, isActive }, i) => (holdsAll && isActive ? set | (1 << i) : set), 0);
  return [now, ...subsets(replicas.length).filter((set) => size(set) >= minIsr)];
}

/** Whether a record stays that only `set` has, where `hit` fails at once and `keeps` says who still has it afterwards. */
function stays(facts: PartitionFacts, set: Set32, hit: Set32, keeps: (replica: ReplicaFacts) => boolean): boolean {
  const { replicas, allowsUnclean } = facts;
  const all = (1 << replicas.length) - 1;
  if ((set & ~hit) !== 0) return true;
  // Everybody who has it is gone for a while: who is there, or is back first, leads where that is allowed.
  if (allowsUnclean && set !== all) return false;
  return members(replicas, set).some(keeps);
}

function survives(facts: PartitionFacts, count: number, keeps: (replica: ReplicaFacts) => boolean): boolean {
  const hits = subsets(facts.replicas.length).filter((hit) => size(hit) === count);
  return holders(facts).every((set) => hits.every((hit) => stays(facts, set, hit, keeps)));
}

function* everyState(): Generator<PartitionFacts> {
  const kinds = subsets(4);
  for (let count = 1; count <= 3; count++) {
    for (let code = 0; code < kinds.length ** count; code++) {
      const replicas = Array.from({ length: count }, (_, i): ReplicaFacts => {
        const kind = Math.floor(code / kinds.length ** i) % kinds.length;
        const [holdsAll, isActive, isPowerSafe, inRackB] = [1, 2, 4, 8].map((bit) => (kind & bit) !== 0);
        const rack = inRackB === true ? 'b' : 'a';
        return {
          brokerId: i,
          rack,
          holdsAll: !!holdsAll,
          isActive: !!isActive,
          isSynced: true,
          isPowerSafe: !!isPowerSafe,
        };
      });
      for (let minIsr = 1; minIsr <= count; minIsr++) {
        for (const allowsUnclean of [false, true]) yield { replicas, isLed: true, minIsr, allowsUnclean };
      }
    }
  }
}

it('promises what is true of every set of replicas that a record may be on, and no less where the ISR is large enough', () => {
  let states = 0;
  for (const facts of everyState()) {
    const { replicas, minIsr } = facts;
    const known = replicas.filter(({ holdsAll, isActive }) => holdsAll && isActive).length;
    if (known === 0) continue; // No leader is possible.
    states += 1;
    const told = partitionSurvival(facts);
    const of = JSON.stringify(facts);
    const all = replicas.length;
    const isTrue = {
      allProcesses: survives(facts, all, () => true),
      powers: (n: number) => survives(facts, n, ({ isPowerSafe }) => isPowerSafe),
      disks: (n: number) => survives(facts, n, () => false),
      anyRack: ['a', 'b'].every((rack) => {
        const hit = replicas.reduce((set, it, i) => (it.rack === rack ? set | (1 << i) : set), 0);
        return holders(facts).every((set) => stays(facts, set, hit, () => false));
      }),
    };
    if (told.allProcesses) expect(isTrue.allProcesses, of).toBe(true);
    if (told.anyRack) expect(isTrue.anyRack, of).toBe(true);
    for (let n = 1; n <= told.powers; n++) expect(isTrue.powers(n), of).toBe(true);
    for (let n = 1; n <= told.disks; n++) expect(isTrue.disks(n), of).toBe(true);
    expect(told.allPowers, of).toBe(told.powers === all);
    if (known < minIsr) continue;
    expect(told.allProcesses, of).toBe(isTrue.allProcesses);
    expect(isTrue.disks(told.disks + 1), of).toBe(false);
    if (!told.allPowers) expect(isTrue.powers(told.powers + 1), of).toBe(false);
    if (all > 1 && new Set(replicas.map(({ rack }) => rack)).size > 1) expect(told.anyRack, of).toBe(isTrue.anyRack);
  }
  expect(states).toBeGreaterThan(10_000);
});

it('promises nothing where nobody leads, and no rack that is not known', () => {
  const replica: ReplicaFacts = {
    brokerId: 1,
    rack: '',
    holdsAll: true,
    isActive: true,
    isSynced: true,
    isPowerSafe: true,
  };
  const replicas = [replica, { ...replica, rack: 'b' }, { ...replica, rack: 'c' }];
  const facts = { replicas, isLed: true, minIsr: 2, allowsUnclean: false };
  expect(partitionSurvival(facts)).toMatchObject({ disks: 1, anyRack: false });
  expect(partitionSurvival({ ...facts, isLed: false })).toEqual({
    allProcesses: false,
    powers: 0,
    allPowers: false,
    disks: 0,
    anyRack: false,
    replicas: 3,
  });
});

// ---- topics ----

const LEVEL_2 = record({ $case: 'metadataLevel', metadataLevel: { level: 2 } });

const SYNC: DurabilityPolicy = {
  minIsrOf: () => 2,
  uncleanCause: () => undefined,
  isSynced: () => true,
  isPowerSafe: () => true,
};
const ASYNC: DurabilityPolicy = { ...SYNC, isSynced: () => false, isPowerSafe: () => false };

type Change = Partial<PartitionRecord>;

function cluster(racks: readonly string[] = ['', '', '', '']): MetadataImage {
  const brokers = racks.map((rack, i) => registration(i + 1, { rack, fenced: i === 3 }));
  return after(clusterOf(), LEVEL_2, ...brokers);
}

function survivalOf(policy: DurabilityPolicy, partitions: readonly [NodeId[], Change?][], image = cluster()): Survival {
  const records = partitions.map(([replicas, change], i) => partitionRecord(uuid(1), i, replicas, change));
  const described = describeTopics(after(image, topicRecord('t', uuid(1)), ...records), { topics: [] }, policy);
  const survival = described.topics[0]?.survival;
  if (survival === undefined) throw new Error('no survival');
  return survival;
}

const sentence = (...args: Parameters<typeof survivalOf>): string => survivalOf(...args).sentence;

it('says in words what the numbers say', () => {
  expect(survivalOf(SYNC, [[[1, 2, 3]]])).toEqual({
    allProcesses: true,
    powers: 3,
    allPowers: true,
    disks: 1,
    anyRack: false,
    replicas: 3,
    sentence: 'kill and power loss of all brokers; loss of 1 disk of 3',
  });
  expect(sentence(ASYNC, [[[1, 2, 3]]])).toBe(
    'kill of all processes; power loss of any 1 of 3, not of 2; loss of 1 disk of 3',
  );
  expect(sentence(SYNC, [[[1, 2, 3]]], cluster(['a', 'b', 'c']))).toBe(
    'kill and power loss of all brokers; loss of 1 disk of 3; loss of any one rack',
  );
});

it('takes the ISR of now for no promise: a topic whose min ISR is 1 survives no disk', () => {
  const one = { ...SYNC, minIsrOf: () => 1 };
  expect(sentence(one, [[[1, 2, 3]]])).toBe(
    'kill and power loss of all brokers; no loss of a disk: min.insync.replicas is 1',
  );
  expect(sentence(SYNC, [[[1]]])).toBe('kill and power loss of all brokers; no loss of a disk: there is one replica');
  expect(sentence({ ...ASYNC, minIsrOf: () => 1 }, [[[1, 2, 3]]])).toBe(
    'kill of all processes; no power loss; no loss of a disk: min.insync.replicas is 1',
  );
});

it('is as good as the weakest partition', () => {
  const survival = survivalOf(SYNC, [[[1, 2, 3]], [[1, 2, 3], { isr: [1] }]]);
  expect(survival).toMatchObject({ disks: 0, allPowers: true });
  expect(survival.sentence).toBe(
    'kill and power loss of all brokers; no loss of a disk: one replica alone is known to have all; ' +
      'partition 1 under min ISR: acks=all is refused there',
  );
});

it('does not count on a broker that is down', () => {
  expect(survivalOf(SYNC, [[[1, 2, 4], { isr: [1], elr: [4] }]])).toMatchObject({ disks: 0, allProcesses: true });
  expect(survivalOf(SYNC, [[[1, 2, 3], { isr: [1], elr: [2] }]])).toMatchObject({ disks: 1 });
});

it('says plainly where nobody leads', () => {
  const down = survivalOf(SYNC, [[[4], { leader: -1 }]]);
  expect(down).toMatchObject({ allProcesses: false, allPowers: false, powers: 0, disks: 0 });
  expect(down.sentence).toBe(
    'nothing is sure; no leader in partition 0: what was acknowledged is with broker 4, which is down',
  );
  expect(sentence(SYNC, [[[1, 2, 3]], [[1, 4], { leader: -1, isr: [], elr: [] }]])).toBe(
    'no leader in partition 1: no replica is known to have all that was acknowledged; ' +
      'the others: kill and power loss of all brokers; loss of 1 disk of 3',
  );
  expect(
    sentence(
      SYNC,
      Array.from({ length: 7 }, () => [[1, 4], { leader: -1, isr: [], elr: [4] }]),
    ),
  ).toBe(
    'nothing is sure; no leader in partitions 0, 1, 2, 3, 4 and 2 more: what was acknowledged is with brokers that are down',
  );
});

it('tells of unclean elections, past and possible', () => {
  expect(sentence(SYNC, [[[1, 2, 3], { isr: [1], recovering: true }]])).toBe(
    'kill and power loss of all brokers; no loss of a disk: one replica alone is known to have all; ' +
      'partition 0 under min ISR: acks=all is refused there; ' +
      'partition 0 after an unclean election: kvorum partition losses t tells what was lost',
  );
  const unclean = { ...SYNC, uncleanCause: () => 'unclean.leader.election.enable of topic t' };
  expect(sentence(unclean, [[[1, 2, 3]]])).toBe(
    'kill, power loss or loss of the disk of any 1 of 3, not of 2: ' +
      'unclean.leader.election.enable of topic t lets a replica lead that lacks acknowledged records',
  );
  expect(sentence({ ...unclean, minIsrOf: () => 1 }, [[[1, 2, 3]]])).toBe(
    'no kill, power loss or loss of a disk: min.insync.replicas is 1, and ' +
      'unclean.leader.election.enable of topic t lets a replica lead that lacks acknowledged records',
  );
});

it('names brokers that cannot vouch for synced records since they hold others that are not', () => {
  const beside = { ...SYNC, isPowerSafe: (id: NodeId) => id > 2 };
  expect(sentence(beside, [[[1, 2, 3]]])).toBe(
    'kill of all processes; power loss of any 1 of 3, not of 2, ' +
      'as brokers [1,2] have partitions of other topics with log.flush.mode=async; loss of 1 disk of 3',
  );
  // It leads again all the same: nobody has more.
  expect(sentence(beside, [[[1]]])).toBe('kill and power loss of all brokers; no loss of a disk: there is one replica');
  expect(survivalOf(ASYNC, [[[1]]])).toMatchObject({ allProcesses: true, allPowers: false, powers: 0 });
});
