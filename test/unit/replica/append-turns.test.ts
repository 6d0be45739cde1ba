// Appends to a partition whose log is cold.
import { describe, expect, test } from 'vitest';
import { appendToPartition } from '../../../src/replica/append.ts';
import { appendInTurn } from '../../../src/replica/append-turns.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import type { World } from '../../../src/sim/world/world.ts';
import { batchOf } from '../broker/bench.ts';
import { uuid } from '../metadata/fixture.ts';
import { topic, withReplicas } from './bench.ts';

const T = uuid(50);

/** Appends so many records, and answers their base offset or the error. */
async function append(partition: Partition, records: number): Promise<number | string> {
  const result = await appendInTurn(partition, () => appendToPartition(partition, batchOf(records), 1));
  return result.kind === 'appended' ? result.baseOffset : result.error;
}

/** A world in which the log of T has five records and was closed cleanly. */
async function closedCleanly(): Promise<World> {
  return withReplicas(async ({ commit, partition }) => {
    commit(...topic('t', T));
    expect(await append(await partition(T), 5)).toBe(0);
  });
}

describe('a cold log', () => {
  test('is warmed by the first append, and gets the batches in the order in which they came', async () => {
    const world = await closedCleanly();
    await withReplicas(
      async ({ partition }) => {
        const found = await partition(T);
        expect([found.log.isWarm, found.log.logEndOffset]).toEqual([false, 5]);
        const first = [1, 2, 3].map((records) => append(found, records));
        const later = found.log.warm().then(() => append(found, 4));
        expect(await Promise.all(first)).toEqual([5, 6, 8]);
        expect(await later).toBe(11);
        expect(await append(found, 1)).toBe(15);
      },
      { world, before: topic('t', T) },
    );
  });

  test('that cannot be warmed takes its partition offline, and all who wait are told', async () => {
    const world = await closedCleanly();
    await withReplicas(
      async ({ partition, env }) => {
        const found = await partition(T);
        await env.disk.remove('/data/t-0/00000000000000000000.log');
        const answers = await Promise.all([1, 2].map((records) => append(found, records)));
        expect(answers).toEqual(['KAFKA_STORAGE_ERROR', 'KAFKA_STORAGE_ERROR']);
        expect([found.failure?.code, found.leader]).toEqual(['CORRUPT', undefined]);
      },
      { world, before: topic('t', T) },
    );
  });

  test('that is not led is not warmed for a refusal', async () => {
    const world = await closedCleanly();
    await withReplicas(
      async ({ partition }) => {
        const found = await partition(T);
        await found.retire();
        expect(await append(found, 1)).toBe('NOT_LEADER_OR_FOLLOWER');
        expect(found.log.isWarm).toBe(false);
      },
      { world, before: topic('t', T) },
    );
  });
});
