// Where replicas go: leaders even, racks apart, few replicas first; and what is refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { must } from '../../../src/base/assert.ts';
import { MAX_REPLICAS_PER_REQUEST } from '../../../src/controller/decide/budget.ts';
import { decideCreateTopics } from '../../../src/controller/decide/create-topics.ts';
import type { Assignment } from '../../../src/controller/decide/placement.ts';
import { Placement } from '../../../src/controller/decide/placement.ts';
import type { NewTopic } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE, topicByName } from '../../../src/metadata/image.ts';
import {
  after,
  clusterOf,
  LEVEL_1,
  partitionRecord,
  record,
  registration,
  topicRecord,
  uuid,
} from '../metadata/fixture.ts';

/** Brokers 1, 2, … in these racks, all active. */
function racked(...racks: string[]): MetadataImage {
  return racks.reduce(
    (image, rack, i) => after(image, registration(i + 1, { fenced: false, rack })),
    after(EMPTY_IMAGE, LEVEL_1),
  );
}

function counts(ids: readonly number[]): number[] {
  const by = new Map<number, number>();
  for (const id of ids) by.set(id, (by.get(id) ?? 0) + 1);
  return [...by.values()].sort((a, b) => a - b);
}

const leaders = (assignments: readonly Assignment[]) => assignments.map(([first = -1]) => first);
const spread = (ids: readonly number[]) => (counts(ids).at(-1) ?? 0) - (counts(ids)[0] ?? 0);

describe('placement', () => {
  it.each([
    [3, 3, 10],
    [4, 3, 7],
    [6, 3, 100],
    [5, 2, 13],
    [7, 5, 50],
    [1, 1, 4],
  ])('of %i brokers, %i replicas, %i partitions: distinct replicas, leaders and replicas even', (n, factor, count) => {
    const image = clusterOf(...Array.from({ length: n }, (_, i) => i + 1));
    const placed = new Placement(image).place(count, factor);
    expect(placed).toHaveLength(count);
    for (const replicas of placed) {
      expect(replicas).toHaveLength(factor);
      expect(new Set(replicas).size).toBe(factor);
    }
    expect(spread(leaders(placed))).toBeLessThanOrEqual(1);
    expect(spread(placed.flat())).toBeLessThanOrEqual(1);
  });

  it('has the leaders of a broker that fails go to all others', () => {
    const placed = new Placement(clusterOf(1, 2, 3, 4, 5, 6)).place(300, 3);
    for (const failed of [1, 2, 3, 4, 5, 6]) {
      const seconds = placed.filter(([first]) => first === failed).map(([, second = -1]) => second);
      expect(counts(seconds)).toHaveLength(5);
      expect(counts(seconds).at(-1)).toBeLessThanOrEqual(15);
    }
  });

  it('puts the replicas of each partition into as many racks as possible', () => {
    const racks = ['a', 'a', 'b', 'b', 'c', 'c'];
    const rackOf = (id: number) => racks[id - 1] ?? '';
    const placement = new Placement(racked(...racks));
    for (const replicas of placement.place(60, 3)) expect(new Set(replicas.map(rackOf)).size).toBe(3);
    for (const replicas of placement.place(60, 5))
      expect(counts(replicas.map((id) => racks.indexOf(rackOf(id))))).toEqual([1, 2, 2]);
    expect(spread(leaders(placement.place(60, 3)))).toBe(0);
    expect(spread(placement.place(60, 3).flat())).toBeLessThanOrEqual(1);
  });

  it('uses every rack also where racks are of different sizes', () => {
    const racks = ['a', 'b', 'b', 'b'];
    for (const replicas of new Placement(racked(...racks)).place(12, 2)) expect(replicas.includes(1)).toBe(true);
  });

  it('begins where the fewest are led, and gives replicas to those with few', () => {
    const image = after(
      clusterOf(1, 2, 3, 4),
      topicRecord('t', uuid(50)),
      partitionRecord(uuid(50), 0, [1, 2]),
      partitionRecord(uuid(50), 1, [1, 3]),
      partitionRecord(uuid(50), 2, [2, 3]),
    );
    const placement = new Placement(image);
    expect(placement.place(1, 2)).toEqual([[4, 3]]);
    placement.add([[4, 3]]);
    expect(placement.place(1, 2)).toEqual([[3, 4]]);
  });

  it('keeps all of that whatever the brokers are', () => {
    const broker = fc.record({ rack: fc.constantFrom('', 'a', 'b', 'c'), fenced: fc.boolean(), load: fc.nat(5) });
    const brokers = fc.array(broker, { minLength: 1, maxLength: 9 }).filter((all) => all.some(({ fenced }) => !fenced));
    fc.assert(
      fc.property(brokers, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40 }), (all, factor, count) => {
        fc.pre(factor <= all.length);
        const registered = all.map(({ rack, fenced }, id) => registration(id, { rack, fenced }));
        const load = all.flatMap((it, id) => Array.from({ length: it.load }, () => id));
        const topic =
          load.length === 0
            ? []
            : [topicRecord('t', uuid(50)), ...load.map((id, i) => partitionRecord(uuid(50), i, [id]))];
        const placed = new Placement(after(EMPTY_IMAGE, LEVEL_1, ...registered, ...topic)).place(count, factor);
        const active = all.flatMap(({ fenced }, id) => (fenced ? [] : [id]));
        const racksOf = (ids: readonly number[]) => new Set(ids.map((id) => all[id]?.rack)).size;
        for (const replicas of placed) {
          expect(new Set(replicas).size).toBe(factor);
          expect(replicas.filter((id) => active.includes(id))).toHaveLength(Math.min(factor, active.length));
          if (factor <= active.length) expect(racksOf(replicas)).toBe(Math.min(factor, racksOf(active)));
        }
        expect(leaders(placed).every((id) => active.includes(id))).toBe(true);
        if (count >= active.length) expect(spread(leaders(placed))).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('depends on nothing but the image', () => {
    const a = new Placement(clusterOf(3, 1, 2)).place(20, 2);
    const b = new Placement(clusterOf(1, 2, 3)).place(20, 2);
    expect(a).toEqual(b);
  });

  it('B29: takes brokers that are not active only where the others are too few, and never to lead', () => {
    const image = after(clusterOf(1, 2), registration(3), registration(4));
    for (const replicas of new Placement(image).place(10, 2))
      expect(replicas.toSorted((a, b) => a - b)).toEqual([1, 2]);
    const placed = new Placement(image).place(10, 3);
    expect(leaders(placed).every((id) => id <= 2)).toBe(true);
    expect(placed.every((replicas) => replicas.includes(1) && replicas.includes(2))).toBe(true);
    expect(spread(placed.flat().filter((id) => id > 2))).toBe(0);
  });
});

function newTopic(name: string, fields: Partial<NewTopic> = {}): NewTopic {
  return { name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [], ...fields };
}

function create(image: MetadataImage, topic: NewTopic, defaultReplicationFactor = 2) {
  const context = { defaultPartitions: 3, defaultReplicationFactor, newTopicId: () => uuid(900) };
  const request = { topics: [topic], validateOnly: false, forwarded: false };
  const { records, respond } = decideCreateTopics(image, request, context);
  const result = after(image, ...records);
  const answer = must(respond(result).topics[0], 'the answer');
  return { image: result, answer, partitions: topicByName(result, topic.name)?.partitions.toArray() ?? [] };
}

const assigned = (...replicas: number[][]) => ({
  partitions: -1,
  assignments: replicas.map((list, partition) => ({ partition, replicas: list })),
});
const some = after(clusterOf(1, 2), registration(3));

describe('creating topics with several replicas', () => {
  it('C-7.2: has all active replicas in the ISR, the first of them leading', () => {
    const { partitions, answer } = create(clusterOf(1, 2, 3), newTopic('t', { partitions: 2, replicationFactor: 3 }));
    expect(answer).toMatchObject({ error: undefined, partitions: 2, replicationFactor: 3 });
    expect(partitions.map(({ replicas, isr, leader }) => [replicas, isr, leader])).toEqual([
      [[1, 2, 3], [1, 2, 3], 1],
      [[2, 3, 1], [2, 3, 1], 2],
    ]);
    expect(partitions[0]?.directories).toEqual([uuid(1001), uuid(1002), uuid(1003)]);
  });

  it('B29: takes no fenced broker into the ISR, placed or assigned by hand', () => {
    const placed = create(some, newTopic('t', { replicationFactor: 3 })).partitions;
    expect(placed[0]).toMatchObject({ replicas: [1, 2, 3], isr: [1, 2], leader: 1 });
    const byHand = create(some, newTopic('t', assigned([3, 2], [1, 3]))).partitions;
    expect(byHand.map(({ replicas, isr, leader }) => [replicas, isr, leader])).toEqual([
      [[3, 2], [2], 2],
      [[1, 3], [1], 1],
    ]);
  });

  it('takes the defaults of all brokers before the file’s', () => {
    expect(create(some, newTopic('t', { partitions: -1 })).answer).toMatchObject({
      partitions: 3,
      replicationFactor: 2,
    });
    const config = (key: string, value: string) =>
      record({ $case: 'config', config: { scope: ConfigScope.BROKER, entity: '', key, value } });
    const altered = after(some, config('num.partitions', '5'), config('default.replication.factor', '3'));
    expect(create(altered, newTopic('t', { partitions: -1 })).answer).toMatchObject({
      partitions: 5,
      replicationFactor: 3,
    });
  });

  it('default.replication.factor=-1: as many replicas as brokers are registered, at most 3', () => {
    const factors = [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]].map(
      (brokers) => create(clusterOf(...brokers), newTopic('t'), -1).answer.replicationFactor,
    );
    expect(factors).toEqual([1, 2, 3, 3]);
    // A broker that is away for a moment does not make a topic smaller for good.
    expect(create(some, newTopic('t'), -1).partitions[0]).toMatchObject({ replicas: [1, 2, 3], isr: [1, 2] });
    const config = { scope: ConfigScope.BROKER, entity: '', key: 'default.replication.factor', value: '-1' };
    const altered = after(some, record({ $case: 'config', config }));
    expect(create(altered, newTopic('t'), 2).answer.replicationFactor).toBe(3);
    expect(create(EMPTY_IMAGE, newTopic('t'), -1).answer.error?.message).toContain('no broker');
  });

  it.each<[string, Partial<NewTopic>, string, RegExp]>([
    ['too few brokers', { replicationFactor: 4 }, 'INVALID_REPLICATION_FACTOR', /3 brokers, of which 2 are active/],
    [
      'another number by hand',
      { ...assigned([1, 2]), replicationFactor: 1 },
      'INVALID_REPLICA_ASSIGNMENT',
      /2 replicas/,
    ],
    ['different numbers', assigned([1, 2], [1]), 'INVALID_REPLICA_ASSIGNMENT', /partition 1 is assigned 1 replicas/],
    ['a broker twice', assigned([1, 1]), 'INVALID_REPLICA_ASSIGNMENT', /broker 1 twice/],
    ['an unknown broker', assigned([1, 9]), 'INVALID_REPLICA_ASSIGNMENT', /broker 9, which is not registered/],
    ['no active broker', assigned([3]), 'INVALID_REPLICA_ASSIGNMENT', /broker 3, which is fenced/],
  ])('refuses %s', (_, fields, name, message) => {
    const { answer, image } = create(some, newTopic('t', fields));
    expect(answer.error).toMatchObject({ name });
    expect(answer.error?.message).toMatch(message);
    expect(topicByName(image, 't')).toBeUndefined();
  });

  it('refuses assignments to brokers that are all fenced', () => {
    const { answer } = create(after(some, registration(4)), newTopic('t', assigned([3, 4])));
    expect(answer.error?.message).toMatch(/brokers 3, 4, which are all fenced/);
  });

  it('C-0.6: bounds the replicas of a request', () => {
    const many = clusterOf(...Array.from({ length: 20 }, (_, i) => i));
    const partitions = MAX_REPLICAS_PER_REQUEST / 20;
    expect(
      create(many, newTopic('t', { partitions: partitions + 1, replicationFactor: 20 })).answer.error,
    ).toMatchObject({
      name: 'POLICY_VIOLATION',
      message: expect.stringContaining(`${MAX_REPLICAS_PER_REQUEST} replicas`),
    });
  });
});
