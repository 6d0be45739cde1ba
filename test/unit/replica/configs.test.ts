// Configs that change while partitions are open: what they do from then on.
import { describe, expect, test } from 'vitest';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { batchOf } from '../broker/bench.ts';
import { uuid } from '../metadata/fixture.ts';
import { allBrokers, config, SELF, topic, withReplicas } from './bench.ts';

const [T, U] = [uuid(50), uuid(51)];
const ofTopic = (name: string, key: string, value: string | undefined) => config(ConfigScope.TOPIC, name, key, value);
const ofBroker = (id: number, key: string, value: string | undefined) =>
  config(ConfigScope.BROKER, String(id), key, value);

describe('a config that is altered', () => {
  test('on a topic, is in force for its open partitions, and for no others', async () => {
    await withReplicas(async ({ commit, partition }) => {
      commit(...topic('t', T), ...topic('u', U));
      const [t, u] = [await partition(T), await partition(U)];
      commit(ofTopic('t', 'max.message.bytes', '10'));
      await partition(T);
      expect(appendToPartition(t, batchOf(), 1)).toMatchObject({ error: 'MESSAGE_TOO_LARGE' });
      expect(appendToPartition(u, batchOf(), 1)).toMatchObject({ kind: 'appended' });
      commit(ofTopic('t', 'max.message.bytes', undefined));
      await partition(T);
      expect(appendToPartition(t, batchOf(), 1)).toMatchObject({ kind: 'appended' });
    });
  });

  test('on this broker goes before all brokers, and a topic’s own before both; other brokers’ are not ours', async () => {
    await withReplicas(async ({ commit, partition }) => {
      commit(...topic('t', T), ...topic('u', U), ofTopic('u', 'segment.bytes', '5000'));
      const segmentBytes = async () => [
        (await partition(T)).config.segmentBytes,
        (await partition(U)).config.segmentBytes,
      ];
      commit(allBrokers('log.segment.bytes', '2000'));
      expect(await segmentBytes()).toEqual([2000, 5000]);
      commit(ofBroker(SELF, 'log.segment.bytes', '3000'), ofBroker(SELF + 1, 'log.segment.bytes', '4000'));
      expect(await segmentBytes()).toEqual([3000, 5000]);
      commit(ofBroker(SELF, 'log.segment.bytes', undefined), ofTopic('u', 'segment.bytes', undefined));
      expect(await segmentBytes()).toEqual([2000, 2000]);
    });
  });

  test('segment.bytes decides when the next segment begins', async () => {
    await withReplicas(async ({ commit, partition: find, env }) => {
      commit(...topic('t', T));
      const partition = await find(T);
      const segments = async () =>
        (await env.disk.list('/data/t-0')).filter(({ name }) => name.endsWith('.log')).length;
      for (let i = 0; i < 3; i++) appendToPartition(partition, batchOf(1, 500), 1);
      await partition.log.flush();
      expect(await segments()).toBe(1);
      commit(ofTopic('t', 'segment.bytes', '1000'));
      await find(T);
      for (let i = 0; i < 3; i++) appendToPartition(partition, batchOf(1, 500), 1);
      await partition.log.flush();
      expect(await segments()).toBe(4);
    });
  });

  test('before a log is open is in force once it is, and for topics that come later', async () => {
    await withReplicas(async ({ commit, partition }) => {
      commit(...topic('t', T));
      commit(allBrokers('message.max.bytes', '10'));
      commit(...topic('u', U));
      expect(appendToPartition(await partition(T), batchOf(), 1)).toMatchObject({ error: 'MESSAGE_TOO_LARGE' });
      expect(appendToPartition(await partition(U), batchOf(), 1)).toMatchObject({ error: 'MESSAGE_TOO_LARGE' });
    });
  });

  test('C-10.1: a smaller min.insync.replicas commits what waited for more; a larger one takes nothing back', async () => {
    await withReplicas(
      async ({ commit, partition: find }) => {
        commit(...topic('t', T, { replicas: [SELF, 2], isr: [SELF], directories: [uuid(61), uuid(62)] }));
        const partition = await find(T);
        appendToPartition(partition, batchOf(), 1);
        await partition.log.flush();
        expect(partition.highWatermark).toBe(0);
        commit(ofTopic('t', 'min.insync.replicas', '1'));
        await find(T);
        expect(partition.highWatermark).toBe(1);
        commit(ofTopic('t', 'min.insync.replicas', undefined));
        await find(T);
        expect(partition.highWatermark).toBe(1);
        expect(appendToPartition(partition, batchOf(), -1)).toMatchObject({ error: 'NOT_ENOUGH_REPLICAS' });
      },
      { before: [allBrokers('min.insync.replicas', '2')] },
    );
  });

  test('log.flush.mode=async acknowledges what waits for a flush; sync again has what comes then flushed', async () => {
    await withReplicas(async ({ commit, partition: find, world }) => {
      commit(...topic('t', T));
      const partition = await find(T);
      world.process('host').disk.settings.syncLatencyUs = [50_000, 50_000];
      const first = appendToPartition(partition, batchOf(), -1);
      commit(ofTopic('t', 'log.flush.mode', 'async'));
      await find(T);
      expect([partition.log.flushedEndOffset, partition.highWatermark]).toEqual([0, 1]);
      if (first.kind !== 'appended') throw new Error(first.error);
      expect(await first.acknowledged).toBeUndefined();
      expect(partition.log.flushedEndOffset).toBe(0);
      const second = appendToPartition(partition, batchOf(), -1);
      expect([second.kind, partition.highWatermark]).toEqual(['appended', 2]);
      commit(ofTopic('t', 'log.flush.mode', 'sync'));
      await find(T);
      expect(partition.highWatermark).toBe(2); // D-6.4
      const third = appendToPartition(partition, batchOf(), -1);
      expect(partition.highWatermark).toBe(2);
      if (third.kind !== 'appended') throw new Error(third.error);
      expect(await third.acknowledged).toBeUndefined();
      expect(partition.log.flushedEndOffset).toBe(3);
    });
  });

  test('R-14.1 log.flush.mode=async acknowledges nothing that cannot be written', async () => {
    await withReplicas(async ({ commit, partition: find, world }) => {
      commit(...topic('t', T));
      const partition = await find(T);
      const { disk } = world.process('host');
      const append = () => appendToPartition(partition, batchOf(), 1);
      const first = append();
      if (first.kind !== 'appended') throw new Error(first.error);
      await first.acknowledged;
      disk.settings.syncLatencyUs = [50_000, 50_000];
      append();
      // The sync of the one before has begun: this one waits for the next.
      const third = append();
      if (third.kind !== 'appended') throw new Error(third.error);
      disk.failNext('write', '/data/t-0');
      commit(ofTopic('t', 'log.flush.mode', 'async'));
      expect(await third.acknowledged).toBe('KAFKA_STORAGE_ERROR');
      expect([partition.failure?.code, partition.highWatermark]).toEqual(['IO', 1]);
      expect(append()).toMatchObject({ error: 'KAFKA_STORAGE_ERROR' });
    });
  });

  test('sync for records that nobody waits to be flushed has them flushed too', async () => {
    await withReplicas(async ({ commit, partition: find, env }) => {
      commit(...topic('t', T), ofTopic('t', 'log.flush.mode', 'async'));
      const partition = await find(T);
      appendToPartition(partition, batchOf(), 1);
      expect(partition.log.flushedEndOffset).toBe(0);
      commit(ofTopic('t', 'log.flush.mode', 'sync'));
      await find(T);
      await new Promise<void>((resolve) => void env.clock.schedule(1000, resolve));
      expect(partition.log.flushedEndOffset).toBe(1);
    });
  });
});
