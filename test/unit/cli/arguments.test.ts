// What people write on the command line: names of partitions, placements, pairs, whose configs, servers; and items in batches.
import { describe, expect, it, test } from 'vitest';
import { serversOf } from '../../../src/cli/admin-client.ts';
import { inBatches, itemsPerCall, MAX_ITEMS } from '../../../src/cli/batches.ts';
import { beforeOffset } from '../../../src/cli/commands/delete-records.ts';
import { diffText } from '../../../src/cli/commands/metadata-diff.ts';
import { entryText } from '../../../src/cli/commands/metadata-history.ts';
import { keyValues } from '../../../src/cli/common-options.ts';
import { plainResource, resourcesOf, resourceText } from '../../../src/cli/config-resources.ts';
import { UsageError } from '../../../src/cli/failure.ts';
import { meaningOf, readingsOf, topicsToLookUp } from '../../../src/cli/partition-name.ts';
import { replicaAssignment } from '../../../src/cli/replica-assignment.ts';

describe('the name of a partition', () => {
  const meaning = (name: string, ...known: string[]) => meaningOf(readingsOf(name), new Set(known));

  it('is its topic and its number', () => {
    expect(meaning('orders-3', 'orders')).toEqual({ topic: 'orders', partition: 3 });
    expect(meaning('a-b-12', 'a-b')).toEqual({ topic: 'a-b', partition: 12 });
  });

  it('may be the name of a topic', () => {
    expect(meaning('orders', 'orders')).toEqual({ topic: 'orders', partition: undefined });
    expect(meaning('orders-3', 'orders-3')).toEqual({ topic: 'orders-3', partition: undefined });
  });

  it('is a partition where neither is there any more', () => {
    expect(meaning('orders-3')).toEqual({ topic: 'orders', partition: 3 });
  });

  it('must be told apart where both are there', () => {
    expect(() => meaning('orders-3', 'orders', 'orders-3')).toThrow('write orders-3: for the one, orders:3 for the');
    expect(meaning('orders:3', 'orders', 'orders-3')).toEqual({ topic: 'orders', partition: 3 });
    expect(meaning('orders-3:', 'orders', 'orders-3')).toEqual({ topic: 'orders-3', partition: undefined });
  });

  it('has one colon at most, before a number', () => {
    for (const name of ['a:b', ':3', 'a:3:4', ':']) expect(() => readingsOf(name)).toThrow(UsageError);
  });

  it('is looked up in both readings', () => {
    expect(topicsToLookUp(['orders-3', 'orders-4', 'x:1', 'y'].map(readingsOf))).toEqual([
      'orders-3',
      'orders',
      'orders-4',
      'x',
      'y',
    ]);
  });
});

test('a placement is a list of brokers per partition', () => {
  expect(replicaAssignment('4:5:6,5:6:4')).toEqual([
    { partition: 0, replicas: [4, 5, 6] },
    { partition: 1, replicas: [5, 6, 4] },
  ]);
  expect(replicaAssignment('4', 7)).toEqual([{ partition: 7, replicas: [4] }]);
  for (const text of ['', '4,', '4:', 'a', '4;5', '-1', '4 5'])
    expect(() => replicaAssignment(text)).toThrow(UsageError);
});

test('pairs have a key and a value, which may be empty or have more equals signs', () => {
  expect([...keyValues('config set', ['a=1', 'b=', 'c=x=y'])]).toEqual([
    ['a', '1'],
    ['b', ''],
    ['c', 'x=y'],
  ]);
  expect(() => keyValues('config set', ['a'])).toThrow("config set takes key=value, not 'a'");
  expect(() => keyValues('config set', ['=1'])).toThrow(UsageError);
  expect(() => keyValues('--config', ['a=1', 'a=1'])).toThrow('--config has a twice');
});

test('configs belong to topics, brokers and all brokers', () => {
  const resources = resourcesOf({ topic: ['orders', '4'], broker: [4], allBrokers: true });
  expect(resources.map(resourceText)).toEqual(['topic orders', 'topic 4', 'broker 4', 'all brokers']);
  expect(resources.map(plainResource)).toEqual([
    { scope: 'topic', name: 'orders' },
    { scope: 'topic', name: '4' },
    { scope: 'broker', name: '4' },
    { scope: 'broker', name: '' },
  ]);
  expect(() => resourcesOf({})).toThrow('say whose configs');
});

test('servers are a list, each once', () => {
  expect(serversOf('a:1, b:2,a:1,[::1]:3')).toEqual(['a:1', 'b:2', '[::1]:3']);
  for (const text of ['', 'a', 'a:', ':1', 'a:1,', 'a:0', 'a:70000']) expect(() => serversOf(text)).toThrow(UsageError);
});

describe('many items', () => {
  const items = Array.from({ length: 2 * MAX_ITEMS + 1 }, (_, i) => i);
  const silent = { say: () => {}, end: () => {} };

  it('go in several calls, in order', async () => {
    const { answers, failure } = await inBatches(items, (batch) => Promise.resolve(batch), MAX_ITEMS, silent);
    expect(failure).toBeUndefined();
    expect(answers.map((batch) => batch.length)).toEqual([MAX_ITEMS, MAX_ITEMS, 1]);
    expect(answers.flat()).toEqual(items);
  });

  it('are fewer in a call the more parts each has', () => {
    expect([-1, 1, 20, 21, 3000, 10_000, 20_000].map(itemsPerCall)).toEqual([500, 500, 500, 476, 3, 1, 1]);
  });

  it('keep what was answered when a call fails, and send no more', async () => {
    let calls = 0;
    const { answers, failure } = await inBatches(
      items,
      (batch) => (++calls === 2 ? Promise.reject(new Error('gone')) : Promise.resolve(batch.length)),
      MAX_ITEMS,
      silent,
    );
    expect({ answers, failure, calls }).toEqual({ answers: [MAX_ITEMS], failure: new Error('gone'), calls: 2 });
  });
});

test('a change is a line: offset, epoch, time, name, type, change, cause', () => {
  const entry = {
    offset: 120,
    epoch: 3,
    timestampMs: 1_769_860_800_000,
    type: 'leaderChanged',
    topic: 'orders',
    topicId: 'id',
    partition: 3,
    change: 'leader 4 → 5, leader epoch 7',
    cause: 'broker 4 fenced',
  };
  expect(entryText(entry)).toBe(
    '     120     3  2026-01-31T12:00:00.000Z  orders-3     leaderChanged    leader 4 → 5, leader epoch 7 (broker 4 fenced)',
  );
  expect(entryText({ ...entry, epoch: -1, timestampMs: -1, partition: -1, cause: '', change: '' })).toBe(
    '     120     -  -                         orders       leaderChanged',
  );
});

test('a difference shows what was and what is', () => {
  const subject = 'topic orders';
  expect(diffText({ subject, before: undefined, after: '6 partitions' })).toBe('+ topic orders: 6 partitions');
  expect(diffText({ subject, before: '6 partitions', after: undefined })).toBe('- topic orders: 6 partitions');
  expect(diffText({ subject, before: '6', after: '12' })).toBe('- topic orders: 6\n+ topic orders: 12');
});

test('records are deleted before an offset, or to the end', () => {
  expect(['end', '0', '42'].map(beforeOffset)).toEqual([-1, 0, 42]);
  for (const text of ['', '-1', '1.5', 'End', 'latest', '9007199254740993']) {
    expect(() => beforeOffset(text), text).toThrow(UsageError);
  }
});
