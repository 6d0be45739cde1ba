// Every state of three replicas that C-4.3 allows, reachable or not, with every ISR that may be asked for.
import { List } from 'immutable';
import { expect, it } from 'vitest';
import type { NodeId } from '../../../src/base/ids.ts';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { ElectionKind } from '../../../src/controller/decide/election.ts';
import { changePartition } from '../../../src/controller/decide/partition-change.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE, partitionOf } from '../../../src/metadata/image.ts';
import { levelOf } from '../../../src/metadata/level.ts';
import { after, CALM, LEVEL_1, record, topicRecord, uuid } from '../metadata/fixture.ts';
import type { Asked } from './partition-oracle.ts';
import { violation } from './partition-oracle.ts';

const T = uuid(1);
const REPLICAS: readonly NodeId[] = [3, 1, 2]; // not in order of their numbers
const SUBSETS = Array.from({ length: 8 }, (_, bits) => REPLICAS.filter((_id, i) => (bits & (1 << i)) !== 0));

function* states(): Generator<PartitionState> {
  for (const isr of SUBSETS) {
    for (const elr of SUBSETS.filter((ids) => !ids.some((id) => isr.includes(id)))) {
      for (const leader of [-1, ...isr]) {
        for (const lastKnownLeader of leader === -1 ? [-1, ...REPLICAS] : [-1]) {
          for (const recovering of isr.length < 2 ? [false, true] : [false]) {
            const replicas = { ...CALM, replicas: REPLICAS, directories: REPLICAS.map(() => ZERO_UUID) };
            const epochs = { leaderEpoch: 5, partitionEpoch: 9 };
            yield { ...replicas, ...epochs, isr, elr, leader, lastKnownLeader, recovering };
          }
        }
      }
    }
  }
}

const ELECTIONS: readonly (readonly [ElectionKind, boolean])[] = [
  ['online', false],
  ['online', true],
  ['preferred', false],
  ['preferred', true],
  ['unclean', true],
];

/** What may be asked of a partition. An ISR of several members is not asked for while the leader recovers (C-5.8). */
function* operations({ recovering }: PartitionState, hasElr: boolean): Generator<Asked> {
  for (const isr of SUBSETS.filter(({ length }) => !recovering || length < 2)) {
    const lastOther = REPLICAS.filter((id) => !isr.includes(id)).slice(-1);
    for (const alive of SUBSETS) {
      for (const minIsr of [1, 2, 3]) {
        for (const [election, allowed] of ELECTIONS) {
          for (const lost of election === 'preferred' ? [[]] : [[], lastOther]) {
            yield { isr, lost: new Set(lost), alive: new Set(alive), minIsr, election, allowed, hasElr };
          }
        }
      }
    }
  }
}

const base = (level: number) =>
  after(
    EMPTY_IMAGE,
    level === 1 ? LEVEL_1 : record({ $case: 'metadataLevel', metadataLevel: { level } }),
    topicRecord('t', T),
  );
const IMAGES = { 1: base(1), 2: base(2) };

/** What replay makes of it, with its own assertions. */
function replayed(state: PartitionState, level: 1 | 2, records: MetadataRecord[]): PartitionState {
  if (records.length === 0) return state;
  const image = IMAGES[level];
  const topics = image.topics.set(T, { name: 't', topicId: T, partitions: List([state]) });
  const next = partitionOf(after({ ...image, topics }, ...records), T, 0) ?? state;
  return { ...next, leaderOffset: 0 };
}

function run(state: PartitionState, asked: Asked): string | undefined {
  const level = asked.hasElr ? 2 : 1;
  const records = changePartition(
    { topicId: T, partition: 0 },
    state,
    { isr: asked.isr, unclean: asked.lost },
    {
      acceptable: (id) => asked.alive.has(id),
      election: asked.election,
      uncleanCause: asked.allowed ? 'a test' : undefined,
      minIsr: asked.minIsr,
      hasElr: asked.hasElr,
      cause: 'exhaustion',
    },
  );
  if (records.some((one) => levelOf(one) > level)) return 'a record of a later metadata level';
  const problem = violation(state, asked, records, replayed(state, level, records));
  const { isr, elr, leader, lastKnownLeader } = state;
  return problem === undefined
    ? undefined
    : `${problem}: ${JSON.stringify([{ isr, elr, leader, lastKnownLeader }, asked.isr, [...asked.alive], asked, records])}`;
}

it('S-M1, S-M2, S-M4, S-M5, C-4.2, C-5.2 to C-5.7: every change of three replicas', () => {
  let cases = 0;
  let changes = 0;
  const problems: string[] = [];
  for (const state of states()) {
    for (const asked of operations(state, true)) {
      cases++;
      const problem = run(state, asked);
      if (problem !== undefined) problems.push(problem);
      else changes++;
    }
  }
  expect(problems.slice(0, 3)).toEqual([]);
  expect(cases).toBeGreaterThan(100_000);
  expect(changes).toBe(cases);
}, 60_000);

it('C-5.4: every change of three replicas at metadata level 1', () => {
  const problems: string[] = [];
  let cases = 0;
  for (const state of states()) {
    const isLevel1 = state.isr.length > 0 && state.elr.length === 0 && state.lastKnownLeader === -1;
    if (!isLevel1 || state.recovering) continue;
    for (const asked of operations(state, false)) {
      cases++;
      const problem = run(state, asked);
      if (problem !== undefined) problems.push(problem);
    }
  }
  expect(problems.slice(0, 3)).toEqual([]);
  expect(cases).toBeGreaterThan(10_000);
});
