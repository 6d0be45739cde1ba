import { List } from 'immutable';
import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../../src/base/ids.ts';
import { NO_NODE } from '../../../src/base/ids.ts';
import type { ChangeRules, PartitionTarget } from '../../../src/controller/decide/partition-change.ts';
import { changePartition } from '../../../src/controller/decide/partition-change.ts';
import { cancelReassignment, startReassignment } from '../../../src/controller/decide/reassignment.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { after, CALM, topicRecord, uuid } from '../metadata/fixture.ts';
import { LEVEL_2, stateOf, T } from './partitions.ts';

const AT = { topicId: T, partition: 0 };
const BASE = after(EMPTY_IMAGE, LEVEL_2, topicRecord('t', T));

/** A broker's directory, so that it shows whether directories stay with their replicas. */
const directoryOf = (id: NodeId) => uuid(1000 + id);

function partition(replicas: NodeId[], fields: Partial<PartitionState> = {}): PartitionState {
  const [leader = NO_NODE] = replicas;
  const epochs = { leaderEpoch: 0, partitionEpoch: 0 };
  return { ...CALM, ...epochs, replicas, isr: replicas, leader, directories: replicas.map(directoryOf), ...fields };
}

function applied(state: PartitionState, records: readonly MetadataRecord[]): PartitionState {
  const topics = BASE.topics.set(T, { name: 't', topicId: T, partitions: List([state]) });
  return { ...stateOf(after({ ...BASE, topics }, ...records)), leaderOffset: 0 };
}

const everybody = () => true;

function rules(fields: Partial<ChangeRules> = {}) {
  const quiet = { election: 'online', uncleanCause: undefined, minIsr: 1, hasElr: true } as const;
  return { acceptable: everybody, ...quiet, ...fields, cause: 'a test', directoryOf };
}

const start = (state: PartitionState, target: NodeId[], how = rules()) =>
  applied(state, startReassignment(AT, state, target, how));

const change = (state: PartitionState, target: PartitionTarget, how = rules()) =>
  applied(state, changePartition(AT, state, target, how));

function cancel(state: PartitionState, how = rules()): PartitionState | undefined {
  const records = cancelReassignment(AT, state, how);
  return records === undefined ? undefined : applied(state, records);
}

describe('C-8.1: a reassignment begins', () => {
  it('with the target, then those that go; nobody leaves yet', () => {
    const state = start(partition([1, 2, 3]), [4, 2, 5]);
    expect(state).toMatchObject({
      replicas: [4, 2, 5, 1, 3],
      adding: [4, 5],
      removing: [1, 3],
      isr: [1, 2, 3],
      leader: 1,
    });
    expect(state).toMatchObject({ leaderEpoch: 0, partitionEpoch: 1, directories: [4, 2, 5, 1, 3].map(directoryOf) });
  });

  it('is complete at once where nobody is added', () => {
    const fewer = start(partition([1, 2, 3]), [3, 2]);
    expect(fewer).toMatchObject({ replicas: [3, 2], adding: [], removing: [], isr: [3, 2], leader: 3, leaderEpoch: 1 });
    const reordered = start(partition([1, 2, 3]), [3, 1, 2]);
    expect(reordered).toMatchObject({ replicas: [3, 1, 2], adding: [], removing: [], leader: 1, leaderEpoch: 0 });
    expect(startReassignment(AT, partition([1, 2]), [1, 2], rules())).toEqual([]);
  });

  it('replaces one under way, and still knows what was before both', () => {
    const first = change(start(partition([1, 2]), [3, 4]), { isr: [1, 2, 3] });
    const second = start(first, [4, 5]);
    expect(second).toMatchObject({ replicas: [4, 5, 3, 1, 2], adding: [4, 5, 3], removing: [3, 1, 2] });
    expect(cancel(second)).toMatchObject({ replicas: [1, 2], isr: [1, 2], adding: [], removing: [] });
    expect(change(second, { isr: [1, 4, 5] })).toMatchObject({ replicas: [4, 5], isr: [4, 5], leader: 4 });
  });
});

describe('C-8.2: a reassignment is complete', () => {
  const moving = start(partition([1, 2]), [3, 4]);

  it('when all that are added are in sync: the leader epoch rises, and who is removed leads no more', () => {
    const half = change(moving, { isr: [1, 2, 3] });
    expect(half).toMatchObject({ replicas: [3, 4, 1, 2], isr: [3, 1, 2], leaderEpoch: 0 });
    const whole = change(half, { isr: [1, 2, 3, 4] });
    expect(whole).toMatchObject({ replicas: [3, 4], isr: [3, 4], leader: 3, leaderEpoch: 1, adding: [], removing: [] });
    expect(whole.directories).toEqual([3, 4].map(directoryOf));
  });

  it('C-4.2: the leader epoch rises also where the leader stays, if anybody is removed', () => {
    const state = start(partition([1, 2]), [1, 3]);
    expect(change(state, { isr: [1, 2, 3] })).toMatchObject({ replicas: [1, 3], leader: 1, leaderEpoch: 1 });
    const added = start(partition([1]), [1, 3]);
    expect(change(added, { isr: [1, 3] })).toMatchObject({ replicas: [1, 3], leader: 1, leaderEpoch: 0, adding: [] });
  });

  it('not before min.insync.replicas are in sync of those that stay', () => {
    const state = start(partition([1, 2, 3]), [1, 2, 4]);
    const two = change(state, { isr: [3, 4] }, rules({ minIsr: 2 }));
    expect(two).toMatchObject({ adding: [4], removing: [3], isr: [4, 3] });
    expect(change(two, { isr: [3, 4, 1] }, rules({ minIsr: 2 }))).toMatchObject({ replicas: [1, 2, 4], isr: [1, 4] });
  });

  it('KAFKA-19975: with fewer replicas than before, not before all that stay are in sync', () => {
    const pending = start(partition([1, 2, 3], { isr: [1, 3] }), [1, 2]);
    expect(pending).toMatchObject({ replicas: [1, 2, 3], removing: [3], isr: [1, 3], leaderEpoch: 0 });
    expect(change(pending, { isr: [1, 2, 3] })).toMatchObject({ replicas: [1, 2], removing: [], isr: [1, 2] });
    expect(cancel(pending)).toMatchObject({ replicas: [1, 2, 3], removing: [], isr: [1, 3] });
  });

  it('C-5.5: who is removed is in no ELR, and those that stay keep their place in it', () => {
    const state = partition([1, 2, 3], { isr: [1], elr: [2, 3] });
    const moved = change(start(state, [1, 4]), { isr: [1, 4] }, rules({ minIsr: 3 }));
    expect(moved).toMatchObject({ replicas: [1, 4], isr: [1, 4], elr: [] });
    const under = start(state, [2, 4, 1], rules({ minIsr: 2 }));
    expect(under).toMatchObject({ isr: [1], elr: [2, 3], removing: [3] });
  });

  it('C-5.5: the replication factor is the one before while replicas are added', () => {
    const how = rules({ minIsr: 3 });
    const half = change(start(partition([1, 2]), [1, 2, 3, 4], how), { isr: [1, 2, 3] }, how);
    expect(half).toMatchObject({ adding: [3, 4], isr: [1, 2, 3] });
    expect(change(half, { isr: [1, 2] }, how).elr).toEqual([]);
    expect(change(half, { isr: [1] }, how).elr).toEqual([2, 3]);
  });
});

describe('C-8.3: a reassignment is cancelled', () => {
  const moving = change(start(partition([1, 2]), [3, 4]), { isr: [1, 2, 3] });

  it('those that were added go', () => {
    expect(cancel(moving)).toMatchObject({
      replicas: [1, 2],
      isr: [1, 2],
      leader: 1,
      adding: [],
      removing: [],
      leaderEpoch: 1,
    });
    expect(cancelReassignment(AT, partition([1, 2]), rules())).toEqual([]);
  });

  it('is refused where nobody else is in sync, unless an unclean election is allowed', () => {
    const alone = change(moving, { isr: [3] });
    expect(alone).toMatchObject({ leader: 3, isr: [3], replicas: [3, 4, 1, 2] });
    expect(cancel(alone)).toBeUndefined();
    const records = cancelReassignment(AT, alone, rules({ election: 'unclean', uncleanCause: 'a test' })) ?? [];
    expect(records.map(({ kind }) => kind?.$case)).toEqual(['uncleanElection', 'partitionChange']);
    expect(applied(alone, records)).toMatchObject({ replicas: [1, 2], isr: [1], leader: 1, recovering: true });
  });

  it('C-5.5: is a clean election where somebody else is eligible', () => {
    const alone = change(moving, { isr: [3] }, rules({ minIsr: 2 }));
    expect(alone.elr).toEqual([1, 2]);
    expect(cancel(alone, rules({ minIsr: 2 }))).toMatchObject({ isr: [1], elr: [2], leader: 1, recovering: false });
    expect(cancel(alone, rules({ minIsr: 2, acceptable: (id) => id > 2 }))).toBeUndefined();
  });

  it('is refused where only those that were added have every record, though nobody leads', () => {
    const state = { ...moving, isr: [], leader: NO_NODE, elr: [3] };
    expect(cancel(state)).toBeUndefined();
    expect(cancel({ ...state, elr: [1, 3] }, rules({ acceptable: () => false }))).toMatchObject({ elr: [1], isr: [] });
  });
});

/** Every set of one to three of these brokers. */
const SETS = Array.from({ length: 15 }, (_, bits) =>
  [1, 2, 3, 4].filter((_id, i) => ((bits + 1) & (1 << i)) !== 0),
).filter(({ length }) => length < 4);
const LISTS = SETS.flatMap((ids) => (ids.length === 1 ? [ids] : [ids, ids.toReversed()]));

const sameSet = (a: readonly NodeId[], b: readonly NodeId[]) =>
  a.length === b.length && a.every((id) => b.includes(id));

it('C-8.1, C-8.2, S-M2: every reassignment of up to three of four brokers, with every ISR on the way', () => {
  let completed = 0;
  let pending = 0;
  for (const before of SETS) {
    for (const target of LISTS) {
      for (const minIsr of [1, 2]) {
        const how = rules({ minIsr });
        const state = partition(before, { isr: before.slice(0, 1) });
        const started = start(state, target, how);
        expect(sameSet(started.isr, [started.leader])).toBe(true);
        for (const isr of SETS.filter((ids) => ids.every((id) => started.replicas.includes(id)))) {
          const next = change(started, { isr }, how);
          const inSync = target.filter((id) => isr.includes(id));
          const added = target.filter((id) => !before.includes(id));
          const wasMoving = started.adding.length + started.removing.length > 0;
          const enough = target.length < before.length ? target.length : Math.max(1, Math.min(minIsr, target.length));
          const isDone = !wasMoving || (added.every((id) => isr.includes(id)) && inSync.length >= enough);
          const told = JSON.stringify({ before, target, isr, minIsr, next });
          if (isDone) {
            completed++;
            expect([next.replicas, next.adding, next.removing], told).toEqual([target, [], []]);
            expect(sameSet(next.isr, wasMoving ? inSync : isr), told).toBe(true);
          } else {
            pending++;
            expect(sameSet(next.isr, isr), told).toBe(true);
            expect(
              next.replicas.filter((id) => !next.removing.includes(id)),
              told,
            ).toEqual(target);
            expect(
              sameSet(
                next.replicas.filter((id) => !next.adding.includes(id)),
                before,
              ),
              told,
            ).toBe(true);
          }
          const removesAny = started.replicas.some((id) => !next.replicas.includes(id));
          const raises = removesAny || next.leader !== started.leader;
          expect(next.leaderEpoch - started.leaderEpoch, told).toBe(raises ? 1 : 0);
          expect(next.directories, told).toEqual(next.replicas.map(directoryOf));
          expect(next.isr.includes(next.leader) && !next.elr.some((id) => next.isr.includes(id)), told).toBe(true);
        }
      }
    }
  }
  expect(Math.min(completed, pending)).toBeGreaterThan(1000);
});

it('C-8.1, C-8.3: whatever a reassignment is replaced by, it can be cancelled back to what was before', () => {
  let cancelled = 0;
  for (const before of SETS) {
    for (const first of SETS) {
      for (const second of SETS) {
        const state = start(start(partition(before), first), second);
        if (state.adding.length === 0) continue; // both were, or could be, complete
        const back = cancel(state);
        const original = sameSet(first, before) || !first.some((id) => !before.includes(id)) ? first : before;
        expect(sameSet(back?.replicas ?? [], original), JSON.stringify({ before, first, second, state })).toBe(true);
        expect(back?.adding.length === 0 && back.removing.length === 0).toBe(true);
        cancelled++;
      }
    }
  }
  expect(cancelled).toBeGreaterThan(1000);
});
