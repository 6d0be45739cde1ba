// C-7.4: more partitions.
import { describe, expect, it } from 'vitest';
import { MAX_PARTITIONS_PER_REQUEST } from '../../../src/controller/decide/budget.ts';
import { decideCreatePartitions } from '../../../src/controller/decide/create-partitions.ts';
import type { NewPartitions } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { topicByName } from '../../../src/metadata/image.ts';
import { after, clusterOf, partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';

const [T, U] = [uuid(50), uuid(51)];
const base = after(
  clusterOf(1, 2, 3),
  topicRecord('t', T),
  partitionRecord(T, 0, [1, 2]),
  topicRecord('u', U),
  partitionRecord(U, 0, [1]),
);

function add(image: MetadataImage, topics: NewPartitions[], { validateOnly = false } = {}) {
  const request = { topics, validateOnly, forwarded: false };
  const { records, respond } = decideCreatePartitions(image, request);
  const result = after(image, ...records);
  const response = respond(result);
  expect(response.metadataEndOffset).toBe(result.endOffset);
  return { records, image: result, topics: response.topics };
}

const to = (topic: string, totalCount: number, ...assignments: NewPartitions['assignments']): NewPartitions => ({
  topic,
  totalCount,
  assignments,
});

describe('createPartitions', () => {
  it('adds partitions with the replicas the topic has, beginning with who leads none of it', () => {
    const { image, topics } = add(base, [to('t', 4)]);
    expect(topics).toEqual([{ topic: 't', error: undefined, totalCount: 4 }]);
    const partitions = topicByName(image, 't')?.partitions.toArray() ?? [];
    expect(partitions.map(({ leader }) => leader)).toEqual([1, 3, 2, 1]);
    expect(partitions[0]).toBe(topicByName(base, 't')?.partitions.get(0));
    for (const { replicas, isr, leaderEpoch, partitionEpoch } of partitions) {
      expect([new Set(replicas).size, isr, leaderEpoch, partitionEpoch]).toEqual([2, replicas, 0, 0]);
    }
  });

  it('counts what is being added to a topic when it places the next', () => {
    const { image } = add(base, [to('u', 2), to('t', 2)]);
    expect(topicByName(image, 'u')?.partitions.get(1)?.leader).toBe(3);
    expect(topicByName(image, 't')?.partitions.get(1)?.leader).toBe(2);
  });

  it('obeys assignments, numbered from the present count on', () => {
    const { image } = add(base, [to('t', 3, { partition: 2, replicas: [3, 1] }, { partition: 1, replicas: [2, 3] })]);
    expect(
      topicByName(image, 't')
        ?.partitions.toArray()
        .map(({ replicas }) => replicas),
    ).toEqual([
      [1, 2],
      [2, 3],
      [3, 1],
    ]);
  });

  it('has as many replicas as the topic will have when a reassignment is done', () => {
    const partitionChange = {
      topicId: T,
      partition: 0,
      replicas: { replicas: [1, 2, 3] },
      directories: { directories: [uuid(1001), uuid(1002), uuid(1003)] },
      adding: { replicas: [3] },
      removing: { replicas: [2] },
      cause: 'test',
    };
    const { image } = add(after(base, record({ $case: 'partitionChange', partitionChange })), [to('t', 2)]);
    expect(topicByName(image, 't')?.partitions.get(1)?.replicas).toHaveLength(2);
  });

  it('validate_only answers the same and writes nothing', () => {
    const { records, topics } = add(base, [to('t', 4), to('x', 1)], { validateOnly: true });
    expect(records).toEqual([]);
    expect(topics.map(({ totalCount, error }) => [totalCount, error?.name])).toEqual([
      [4, undefined],
      [-1, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ]);
  });

  const refused: [string, NewPartitions[], string, RegExp][] = [
    ['as many as there are', [to('t', 1)], 'INVALID_PARTITIONS', /has 1 partition: ask for more/],
    ['fewer', [to('t', 0)], 'INVALID_PARTITIONS', /never taken away/],
    ['a topic that is not there', [to('x', 2)], 'UNKNOWN_TOPIC_OR_PARTITION', /'x'/],
    ['a topic named twice', [to('t', 2), to('t', 3)], 'INVALID_REQUEST', /more than once/],
    ['too many', [to('t', MAX_PARTITIONS_PER_REQUEST + 2)], 'POLICY_VIOLATION', /several requests/],
    ['too few assignments', [to('t', 3, { partition: 1, replicas: [1, 2] })], 'INVALID_REQUEST', /1 are assigned/],
    ['old numbers', [to('t', 2, { partition: 0, replicas: [1, 2] })], 'INVALID_REPLICA_ASSIGNMENT', /from 1 to 1/],
    [
      'other replica counts',
      [to('t', 2, { partition: 1, replicas: [1] })],
      'INVALID_REPLICA_ASSIGNMENT',
      /others.*have 2/,
    ],
  ];
  it.each(refused)('refuses %s', (_, topics, name, message) => {
    const { records, topics: answers } = add(base, topics);
    expect(records).toEqual([]);
    for (const { error, totalCount } of answers) {
      expect([error?.name, totalCount]).toEqual([name, -1]);
      expect(error?.message).toMatch(message);
    }
  });

  it('refuses what there are too few brokers for', () => {
    const alone = after(
      clusterOf(1),
      registration(2),
      topicRecord('t', T),
      partitionRecord(T, 0, [1, 2, 3], { isr: [1], leader: 1 }),
    );
    expect(add(alone, [to('t', 2)]).topics[0]?.error?.message).toContain('2 brokers, of which 1 are active');
  });
});
