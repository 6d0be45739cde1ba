// S-M11 on everything that can happen to three replicas without an unclean election: who is in the ISR or ELR has every acknowledged
// record. The search takes each step from each state that it finds, with the functions that the controller uses.
import { describe, expect, it } from 'vitest';
import type { NodeId } from '../../../src/base/ids.ts';
import { brokerLeaves, brokerReturns } from '../../../src/controller/decide/affected-partitions.ts';
import { decideAlterConfigs } from '../../../src/controller/decide/alter-configs.ts';
import { decideAlterPartition } from '../../../src/controller/decide/alter-partition.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import { ConfigOperation } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../../../src/metadata/image.ts';
import { partitionOf } from '../../../src/metadata/image.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';

const T = uuid(1);
const REPLICAS = [1, 2, 3];

interface World {
  readonly image: MetadataImage;
  /** Have every acknowledged record. */
  readonly complete: readonly NodeId[];
  /** Lost records while they were away, and the controller does not know yet. */
  readonly dirty: readonly NodeId[];
}

/** What is not done as it should be, to see that the search finds what comes of it. */
type Flaw = 'ELRs stay when min.insync.replicas changes' | 'an unclean restart is taken for a clean one' | 'none';

const stateOf = ({ image }: World): PartitionState => partitionOf(image, T, 0) as PartitionState;
const without = (ids: readonly NodeId[], id: NodeId) => ids.filter((other) => other !== id);
const minIsrOf = ({ image }: World) => electionPolicyOf(image).minIsrOf('t');

function setFenced(image: MetadataImage, brokerId: NodeId, fenced: boolean): MetadataRecord {
  const brokerEpoch = image.brokers.get(brokerId)?.brokerEpoch ?? -1;
  return record({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, fenced, cause: '' } });
}

function leave(world: World, brokerId: NodeId, unclean: boolean): World {
  const how = { brokerId, cause: '', unclean, limit: 10 };
  const { records } = brokerLeaves(world.image, electionPolicyOf(world.image), how);
  return { ...world, image: after(world.image, ...records, setFenced(world.image, brokerId, true)) };
}

function comeBack(world: World, brokerId: NodeId, flaw: Flaw): World {
  const isUnclean = world.dirty.includes(brokerId) && flaw !== 'an unclean restart is taken for a clean one';
  const { image, ...rest } = isUnclean ? leave(world, brokerId, true) : world; // C-2.4: at its registration
  const returns = brokerReturns(image, electionPolicyOf(world.image), { brokerId, cause: '', limit: 10 });
  const next = after(image, setFenced(image, brokerId, false), ...returns);
  return { ...rest, image: next, dirty: without(world.dirty, brokerId) };
}

function alterIsr(world: World, isr: readonly NodeId[]): World {
  const { leader, leaderEpoch, partitionEpoch } = stateOf(world);
  const epochOf = (id: NodeId): number => world.image.brokers.get(id)?.brokerEpoch ?? -1;
  const members = isr.map((id) => ({ brokerId: id, brokerEpoch: epochOf(id) }));
  const item = { topicId: T, partition: 0, leaderEpoch, partitionEpoch, isr: members, recovering: false };
  const request = { brokerId: leader, brokerEpoch: epochOf(leader), partitions: [item] };
  const decided = decideAlterPartition(world.image, request, electionPolicyOf(world.image));
  if (isRefusal(decided)) throw new Error(decided.message);
  const image = after(world.image, ...decided.records);
  expect(decided.respond(image).partitions[0]?.error).toBeUndefined();
  return { ...world, image };
}

function setMinIsr(world: World, value: string, flaw: Flaw): World {
  const alterations = [{ key: 'min.insync.replicas', operation: ConfigOperation.SET, value }];
  const resources = [{ resource: { scope: ConfigScope.TOPIC, name: 't' }, alterations }];
  const { records } = decideAlterConfigs(world.image, { resources, validateOnly: false, forwarded: false });
  const asTheyAre = flaw.startsWith('ELRs stay') ? records.filter(({ kind }) => kind?.$case === 'config') : records;
  return { ...world, image: after(world.image, ...asTheyAre) };
}

function* steps(world: World, flaw: Flaw): Generator<readonly [string, World]> {
  const { image, complete, dirty } = world;
  const minIsr = minIsrOf(world);
  const { leader, isr } = stateOf(world);
  if (leader !== -1 && isr.length >= minIsr) {
    yield ['write', { ...world, complete: complete.filter((id) => isr.includes(id)) }];
  }
  for (const id of REPLICAS) {
    const isFenced = image.brokers.get(id)?.fenced ?? true;
    if (isFenced) {
      yield [`${id} returns`, comeBack(world, id, flaw)];
      if (!dirty.includes(id)) {
        yield [`${id} loses records`, { ...world, complete: without(complete, id), dirty: [...dirty, id] }];
      }
      continue;
    }
    yield [`${id} is fenced`, leave(world, id, false)];
    yield [`${id} restarts uncleanly`, { ...leave(world, id, true), complete: without(complete, id) }];
    if (leader === -1 || leader === id) continue;
    if (isr.includes(id)) yield [`${id} lags`, alterIsr(world, without(isr, id))];
    else yield [`${id} is in sync`, alterIsr({ ...world, complete: [...without(complete, id), id] }, [...isr, id])];
  }
  for (const value of ['1', '2', '3']) {
    if (value !== String(minIsr)) yield [`min.insync.replicas=${value}`, setMinIsr(world, value, flaw)];
  }
}

function keyOf(world: World): string {
  const { isr, elr, leader, lastKnownLeader } = stateOf(world);
  const fenced = REPLICAS.filter((id) => world.image.brokers.get(id)?.fenced);
  const sorted = [isr, elr, world.complete, world.dirty].map((ids) =>
    REPLICAS.filter((id) => ids.includes(id)).join(''),
  );
  return [...sorted, fenced.join(''), leader, lastKnownLeader, minIsrOf(world)].join('|');
}

function isSound(world: World): boolean {
  const { isr, elr } = stateOf(world);
  return [...isr, ...elr].every((id) => world.complete.includes(id) || world.dirty.includes(id));
}

/** The shortest way to a state in which somebody eligible lacks a record; undefined if there is none. */
function search(flaw: Flaw): { states: number; way: string[] | undefined } {
  const level = record({ $case: 'metadataLevel', metadataLevel: { level: 2 } });
  const image = after(clusterOf(...REPLICAS), level, topicRecord('t', T), partitionRecord(T, 0, REPLICAS));
  const first: World = { image, complete: REPLICAS, dirty: [] };
  const ways = new Map<string, string>([[keyOf(first), '']]);
  let frontier = [first];
  while (frontier.length > 0) {
    const next: World[] = [];
    for (const world of frontier) {
      const way = ways.get(keyOf(world)) ?? '';
      for (const [name, reached] of steps(world, flaw)) {
        const key = keyOf(reached);
        if (ways.has(key)) continue;
        ways.set(key, `${way}, ${name}`);
        if (!isSound(reached)) return { states: ways.size, way: `${way}, ${name}`.split(', ').slice(1) };
        next.push(reached);
      }
    }
    frontier = next;
  }
  return { states: ways.size, way: undefined };
}

describe('S-M11, C-5.5: who is in the ISR or ELR has every acknowledged record', () => {
  it('holds in every state that can be reached', () => {
    const { states, way } = search('none');
    expect(way).toBeUndefined();
    expect(states).toBeGreaterThan(1000);
  });

  it('KAFKA-16540: does not, where ELRs outlive a change of min.insync.replicas', () => {
    const { way } = search('ELRs stay when min.insync.replicas changes');
    expect(way?.at(-1)).toBe('write');
    expect(way).toContain('min.insync.replicas=1');
  });

  it('B38, C-2.4: does not, where an unclean restart is taken for a clean one', () => {
    expect(search('an unclean restart is taken for a clean one').way?.at(-1)).toMatch(/returns$/);
  });
});
