// All replicas of a broker: what they do with metadata, and what is left on the disk.
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { Partition } from '../../../src/replica/partition.ts';
import { batchOf } from '../broker/bench.ts';
import { partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { NO_POOL, SELF, SILENT_CONTROLLER, topic, withReplicas } from './bench.ts';

const [T, U, V] = [uuid(50), uuid(51), uuid(52)];

function removal(topicId: string) {
  return record({ $case: 'removeTopic', removeTopic: { topicId } });
}

function folders(entries: readonly { name: string; isDirectory: boolean }[]): string[] {
  return entries.filter(({ name, isDirectory }) => isDirectory && name !== 'checkpoints').map(({ name }) => name);
}

test('a change of one partition is nothing to the others of its topic: they are served in the same turn', async () => {
  await withReplicas(async ({ commit, manager }) => {
    commit(topicRecord('t', T), partitionRecord(T, 0, [SELF]), partitionRecord(T, 1, [SELF]));
    await manager.settled();
    expect([manager.findNow(T, 0), manager.findNow(T, 1)]).toEqual([expect.any(Partition), expect.any(Partition)]);
    commit(
      record({ $case: 'partitionChange', partitionChange: { topicId: T, partition: 1, leader: SELF, cause: '' } }),
    );
    expect([manager.findNow(T, 0), manager.findNow(T, 1)]).toEqual([expect.any(Partition), undefined]);
    await manager.settled();
    expect(manager.findNow(T, 1)).toMatchObject({ leaderEpoch: 1 });
  });
});

describe('a topic deleted and created again under its name', () => {
  test('in batches that come one right after the other gets a new, empty log', async () => {
    await withReplicas(async ({ commit, partition, env, manager, world }) => {
      world.process('host').disk.settings.metadataLatencyUs = [1000, 20_000];
      commit(...topic('t', T));
      await appendToPartition(await partition(T), batchOf(7), -1);
      for (const [old, next] of [
        [T, U],
        [U, V],
        [V, T],
      ] as const) {
        commit(removal(old));
        commit(...topic('t', next));
        const found = await partition(next);
        expect([found.topicId, found.log.logEndOffset]).toEqual([next, 0]);
        expect(appendToPartition(found, batchOf(7), -1)).toMatchObject({ kind: 'appended', baseOffset: 0 });
        expect(manager.findNow(old, 0)).toBe('NOT_LEADER_OR_FOLLOWER');
      }
      await manager.settled();
      expect(folders(await env.disk.list('/data'))).toEqual(['t-0']);
    });
  });

  test('twice before the first folder is gone, and while the log is still being opened', async () => {
    await withReplicas(async ({ commit, partition, env, world }) => {
      world.process('host').disk.settings.metadataLatencyUs = [5000, 20_000];
      commit(...topic('t', T));
      commit(removal(T));
      commit(...topic('t', U));
      commit(removal(U));
      commit(...topic('t', V));
      expect((await partition(V)).topicId).toBe(V);
      expect(folders(await env.disk.list('/data'))).toEqual(['t-0']);
      expect(world.log.lines().filter(({ level }) => level === 'error')).toEqual([]);
    });
  });

  test('a folder that cannot be deleted takes its log dir offline, and does not end the process', async () => {
    await withReplicas(async ({ commit, partition, manager, world }) => {
      commit(...topic('t', T));
      await partition(T);
      world.process('host').disk.failNext('directory', '/data/t-0');
      commit(removal(T));
      await manager.close();
      expect(world.log.lines().map(({ event }) => event)).toContain('log-dir-offline');
    });
  });
});

describe('opening', () => {
  test('needs an image that shows the own registration (D-0.7)', async () => {
    await withReplicas(async ({ publisher, directory, env }) => {
      const { ReplicaManager } = await import('../../../src/replica/replica-manager.ts');
      const { clock, random, logger } = env;
      const values = {} as never;
      const manager = new ReplicaManager({
        brokerId: SELF,
        clock,
        random,
        logger,
        logDirectories: [directory],
        values,
        ...SILENT_CONTROLLER,
        brokerEpoch: () => 0,
        network: env.network,
        buffers: NO_POOL,
        clusterId: uuid(999),
        interBrokerListener: 'PLAINTEXT',
      });
      const early = manager.open(() => publisher.image, publisher.image.endOffset);
      await expect(early).rejects.toBeInstanceOf(AssertionError);
    });
  });

  test('finds the logs that are there, moves the others aside with their bytes (C-7.1), and goes on from the high watermark', async () => {
    const world = await withReplicas(async ({ commit, partition }) => {
      commit(...topic('kept', T), ...topic('gone', U));
      for (const id of [T, U]) {
        const result = appendToPartition(await partition(id), batchOf(3), -1);
        if (result.kind === 'appended') await result.acknowledged;
      }
    });
    const fenced = { leader: -1, leaderEpoch: 0 };
    await withReplicas(
      async ({ env, partition, commit, publisher }) => {
        const names = folders(await env.disk.list('/data'));
        expect(names).toContain('kept-0');
        expect(names).not.toContain('gone-0');
        const stray = names.find((name) => name.startsWith('gone-0'));
        expect((await env.disk.list(`/data/${stray}`)).map(({ name }) => name)).toContain('00000000000000000000.log');
        const kept = await partition(T);
        expect([kept.leader, kept.log.logEndOffset]).toEqual([undefined, 3]);
        commit(
          record({
            $case: 'partitionChange',
            partitionChange: { topicId: T, partition: 0, leader: SELF, isr: undefined, cause: 'test' },
          }),
        );
        expect(publisher.image.topics.get(T)?.partitions.get(0)?.leader).toBe(SELF);
        expect((await partition(T)).highWatermark).toBe(3);
      },
      { world, before: topic('kept', T, fenced) },
    );
  });

  test('a stop in the middle of it leaves nothing behind', async () => {
    const world = await withReplicas(async ({ commit, partition }) => {
      commit(...topic('a', T), ...topic('b', U));
      await partition(T);
      await partition(U);
    });
    world.process('host').disk.settings.metadataLatencyUs = [10_000, 20_000];
    const { ReplicaManager } = await import('../../../src/replica/replica-manager.ts');
    const { configText, parsed } = await import('../broker/bench.ts');
    await withReplicas(
      async ({ env, directory, publisher }) => {
        const { clock, random, logger } = env;
        const { values } = parsed(configText());
        const second = new ReplicaManager({
          brokerId: 7,
          clock,
          random,
          logger,
          logDirectories: [directory],
          values,
          ...SILENT_CONTROLLER,
          brokerEpoch: () => 0,
          network: env.network,
          buffers: NO_POOL,
          clusterId: uuid(999),
          interBrokerListener: 'PLAINTEXT',
        });
        const opening = second.open(() => publisher.image, 0);
        await second.close();
        await opening;
        expect(second.findNow(T, 0)).toBe('NOT_LEADER_OR_FOLLOWER');
      },
      { world, before: [...topic('a', T), ...topic('b', U)] },
    );
  });
});

test('a log that cannot be opened is KAFKA_STORAGE_ERROR; the partitions in other log dirs go on', async () => {
  const check = async ({ commit, manager, partition, world }: Replicas): Promise<void> => {
    world.process('host').disk.failNext('directory', '/data/broken-0');
    commit(...topic('broken', T), ...topic('whole', U));
    expect(await manager.find(T, 0)).toBe('KAFKA_STORAGE_ERROR');
    expect(appendToPartition(await partition(U), batchOf(), 1).kind).toBe('appended');
  };
  await withReplicas(check, { paths: ['/data', '/other'] });
});

test('who asks while a log is being opened gets it, in the order of asking, though more states come', async () => {
  await withReplicas(async ({ commit, manager, world }) => {
    world.process('host').disk.settings.metadataLatencyUs = [10_000, 10_000];
    commit(...topic('t', T));
    const order: string[] = [];
    const ask = async (name: string) => {
      expect(await manager.find(T, 0)).toBeInstanceOf(Partition);
      order.push(name);
    };
    expect(manager.findNow(T, 0)).toBeUndefined();
    const first = ask('first');
    const change = { topicId: T, partition: 0, leader: SELF, isr: undefined, cause: 'test' };
    commit(record({ $case: 'partitionChange', partitionChange: change }));
    await Promise.all([first, ask('second')]);
    expect(order).toEqual(['first', 'second']);
  });
});

test('partitions of other brokers are not held here', async () => {
  await withReplicas(async ({ commit, manager, env }) => {
    commit(topicRecord('t', T), partitionRecord(T, 0, [2]), partitionRecord(T, 1, [SELF]));
    await manager.settled();
    expect(manager.findNow(T, 0)).toBe('NOT_LEADER_OR_FOLLOWER');
    expect(folders(await env.disk.list('/data'))).toEqual(['t-1']);
  });
});
