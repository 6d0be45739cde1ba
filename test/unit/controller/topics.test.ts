import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { MAX_PARTITIONS_PER_REQUEST } from '../../../src/controller/decide/budget.ts';
import { decideCreateTopics } from '../../../src/controller/decide/create-topics.ts';
import { decideDeleteTopics } from '../../../src/controller/decide/delete-topics.ts';
import { NameCollisions, topicNameError } from '../../../src/controller/decide/topic-name.ts';
import type { CreatedTopic, NewTopic } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { configsOf, EMPTY_IMAGE, topicByName, topicEntity } from '../../../src/metadata/image.ts';
import { after, clusterOf, LEVEL_1, registration, uuid } from '../metadata/fixture.ts';

function newTopic(name: string, fields: Partial<NewTopic> = {}): NewTopic {
  return { name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [], ...fields };
}

function create(image: MetadataImage, topics: NewTopic[], validateOnly = false, defaultReplicationFactor = 1) {
  let next = 500 + image.endOffset;
  const context = { defaultPartitions: 3, defaultReplicationFactor, newTopicId: () => uuid(next++) };
  const decision = decideCreateTopics(image, { topics, validateOnly, forwarded: false }, context);
  const result = after(image, ...decision.records);
  return { records: decision.records, image: result, response: decision.respond(result) };
}

const errors = (topics: CreatedTopic[]) => topics.map(({ error }) => error?.name);
const leaders = (image: MetadataImage, name: string) =>
  topicByName(image, name)
    ?.partitions.toArray()
    .map(({ leader }) => leader);
const three = clusterOf(1, 2, 3);

describe('createTopics', () => {
  it('C-7.2: creates partitions on active brokers with epochs 0, one replica each', () => {
    const { image, response } = create(three, [newTopic('a', { partitions: 4 })]);
    const [topic] = response.topics;
    expect(topic).toMatchObject({ name: 'a', error: undefined, partitions: 4, replicationFactor: 1 });
    expect(response.metadataEndOffset).toBe(image.endOffset);
    expect(topicByName(image, 'a')?.topicId).toBe(topic?.topicId);
    expect(leaders(image, 'a')).toEqual([1, 2, 3, 1]);
    expect(topicByName(image, 'a')?.partitions.get(1)).toMatchObject({
      replicas: [2],
      isr: [2],
      leader: 2,
      leaderEpoch: 0,
      partitionEpoch: 0,
      directories: [uuid(1002)],
    });
  });

  it('spreads leaders over topics too, beginning where the load is lowest', () => {
    const first = create(three, [newTopic('a', { partitions: 2 }), newTopic('b'), newTopic('c')]);
    expect(['a', 'b', 'c'].map((name) => leaders(first.image, name))).toEqual([[1, 2], [3], [1]]);
    const second = create(first.image, [newTopic('d', { partitions: 3 })]);
    expect(leaders(second.image, 'd')).toEqual([2, 3, 1]);
  });

  it('B29: puts nothing on fenced brokers, and fails where there is no other', () => {
    const image = after(clusterOf(2), registration(1), registration(3));
    expect(leaders(create(image, [newTopic('a', { partitions: 3 })]).image, 'a')).toEqual([2, 2, 2]);
    const fenced = after(EMPTY_IMAGE, LEVEL_1, registration(1));
    const { response, records } = create(fenced, [newTopic('a')]);
    expect(errors(response.topics)).toEqual(['INVALID_REPLICATION_FACTOR']);
    expect(records).toEqual([]);
  });

  it('leaves the directory to a broker that has several', () => {
    const image = after(three, registration(4, { fenced: false, logDirs: [uuid(7), uuid(8)] }));
    const assignments = [{ partition: 0, replicas: [4] }];
    const { image: next } = create(image, [newTopic('a', { partitions: -1, assignments })]);
    expect(topicByName(next, 'a')?.partitions.get(0)?.directories).toEqual([ZERO_UUID]);
  });

  it('takes the defaults for -1', () => {
    const { response } = create(three, [newTopic('a', { partitions: -1, replicationFactor: -1 })]);
    expect(response.topics[0]).toMatchObject({ partitions: 3, replicationFactor: 1 });
  });

  it('stores configs, and keeps them with the topic', () => {
    const { image, response } = create(three, [newTopic('a', { configs: { 'segment.bytes': '1000' } })]);
    expect(configsOf(image, topicEntity('a')).toObject()).toEqual({ 'segment.bytes': '1000' });
    expect(response.topics[0]?.configs).toEqual({ 'segment.bytes': '1000' });
  });

  it('obeys manual assignments', () => {
    const assignments = [
      { partition: 1, replicas: [3] },
      { partition: 0, replicas: [2] },
    ];
    const { image } = create(three, [newTopic('a', { partitions: -1, assignments })]);
    expect(leaders(image, 'a')).toEqual([2, 3]);
  });

  it('validate_only answers the same and writes nothing', () => {
    const topics = [newTopic('a', { partitions: -1 }), newTopic('b', { partitions: 0 })];
    const { records, response } = create(three, topics, true);
    expect(records).toEqual([]);
    expect(response.topics[0]).toMatchObject({ error: undefined, topicId: '', partitions: 3 });
    expect(errors(response.topics)).toEqual([undefined, 'INVALID_PARTITIONS']);
  });

  it('answers each topic on its own, in order; a name given twice is an error for each', () => {
    const { image, response } = create(three, [newTopic('a'), newTopic('b'), newTopic('a'), newTopic('c')]);
    expect(errors(response.topics)).toEqual(['INVALID_REQUEST', undefined, 'INVALID_REQUEST', undefined]);
    expect([...image.topicIds.keys()].sort()).toEqual(['b', 'c']);
  });

  const assigned = (...replicas: number[][]) => ({
    partitions: -1,
    assignments: replicas.map((list, partition) => ({ partition, replicas: list })),
  });
  const refused: [string, Partial<NewTopic>, string, RegExp][] = [
    ['zero partitions', { partitions: 0 }, 'INVALID_PARTITIONS', /at least 1/],
    ['negative partitions', { partitions: -2 }, 'INVALID_PARTITIONS', /-2/],
    ['too many', { partitions: MAX_PARTITIONS_PER_REQUEST + 1 }, 'POLICY_VIOLATION', /several requests/],
    ['too many replicas', { replicationFactor: 5 }, 'INVALID_REPLICATION_FACTOR', /there are 4 brokers/],
    ['no replicas', { replicationFactor: 0 }, 'INVALID_REPLICATION_FACTOR', /at least 1/],
    ['more assigned than there are', assigned([1, 2, 3, 4, 5]), 'INVALID_REPLICATION_FACTOR', /at most 4/],
    ['an unknown config', { configs: { 'segment.byte': '1' } }, 'INVALID_CONFIG', /segment\.bytes/],
    ['a bad config', { configs: { 'segment.bytes': 'x' } }, 'INVALID_CONFIG', /segment\.bytes/],
    ['an unknown broker', assigned([1], [9]), 'INVALID_REPLICA_ASSIGNMENT', /broker 9.*not registered/],
    ['a fenced broker', assigned([4]), 'INVALID_REPLICA_ASSIGNMENT', /broker 4.*fenced/],
    ['an empty assignment', assigned([]), 'INVALID_REPLICA_ASSIGNMENT', /no broker/],
    ['another number', { ...assigned([1]), partitions: 2 }, 'INVALID_REQUEST', /use -1/],
    [
      'a hole',
      { partitions: -1, assignments: [{ partition: 1, replicas: [1] }] },
      'INVALID_REPLICA_ASSIGNMENT',
      /from 0 to 0/,
    ],
  ];
  it.each(refused)('refuses %s', (_, fields, name, message) => {
    const { records, response } = create(after(three, registration(4)), [newTopic('a', fields)]);
    expect(records).toEqual([]);
    expect(response.topics[0]?.error).toMatchObject({ name });
    expect(response.topics[0]?.error?.message).toMatch(message);
  });

  it('bounds the partitions of a whole request', () => {
    const half = Math.ceil(MAX_PARTITIONS_PER_REQUEST / 2) + 1;
    const topics = ['a', 'b'].map((name) => newTopic(name, { partitions: half }));
    expect(errors(create(three, topics, true).response.topics)).toEqual([undefined, 'POLICY_VIOLATION']);
  });

  it('refuses names that exist or collide, also within the request', () => {
    const { image } = create(three, [newTopic('a.b')]);
    const { response } = create(image, [newTopic('a.b'), newTopic('a_b'), newTopic('c_d'), newTopic('c.d')]);
    expect(errors(response.topics)).toEqual([
      'TOPIC_ALREADY_EXISTS',
      'INVALID_TOPIC_EXCEPTION',
      undefined,
      'INVALID_TOPIC_EXCEPTION',
    ]);
  });
});

describe('topic names', () => {
  it.each(['', '.', '..', 'a b', 'ä', 'a/b', 'x'.repeat(250)])('refuses %j', (name) => {
    expect(topicNameError(name)).toBeTypeOf('string');
  });

  it.each(['a', '...', '_-.', '__consumer_offsets', 'x'.repeat(249)])('allows %j', (name) => {
    expect(topicNameError(name)).toBeUndefined();
  });

  it('collide if they differ in . and _ only', () => {
    const collisions = new NameCollisions(EMPTY_IMAGE);
    collisions.add('a.b_c');
    expect(collisions.find('a_b.c')).toBe('a.b_c');
    expect(collisions.find('a.b_c')).toBeUndefined();
    expect(collisions.find('a.b-c')).toBeUndefined();
  });
});

describe('deleteTopics', () => {
  const { image } = create(three, [newTopic('a'), newTopic('b'), newTopic('c')]);
  const idOf = (name: string) => topicByName(image, name)?.topicId ?? '';

  it('C-7.3: deletes by name or id, each on its own', () => {
    const topics = [
      { name: 'a', topicId: '' },
      { name: '', topicId: idOf('b') },
      { name: 'x', topicId: '' },
      { name: '', topicId: uuid(99) },
    ];
    const { records, respond } = decideDeleteTopics(image, { topics, validateOnly: false, forwarded: false });
    const next = after(image, ...records);
    expect([...next.topicIds.keys()]).toEqual(['c']);
    const answer = respond(next).topics;
    expect(answer.map(({ name, error }) => [name, error?.name])).toEqual([
      ['a', undefined],
      ['b', undefined],
      ['x', 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['', 'UNKNOWN_TOPIC_ID'],
    ]);
    expect(answer[0]?.topicId).toBe(idOf('a'));
  });

  it('refuses a topic that is named twice, by whatever means', () => {
    const topics = [
      { name: 'a', topicId: '' },
      { name: '', topicId: idOf('a') },
    ];
    const { records, respond } = decideDeleteTopics(image, { topics, validateOnly: false, forwarded: false });
    expect(records).toEqual([]);
    expect(respond(image).topics.map(({ error }) => error?.name)).toEqual(['INVALID_REQUEST', 'INVALID_REQUEST']);
  });
});
