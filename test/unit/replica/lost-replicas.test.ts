// Replicas that cannot be counted on though their log dir works (D-10.2, D-10.4): what the cluster is told, and what becomes of them.
import { describe, expect, test } from 'vitest';
import { LOST_DIRECTORY, ZERO_UUID } from '../../../src/base/uuid.ts';
import { EnvError } from '../../../src/env/error.ts';
import type { PartitionChangeRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { appendInTurn } from '../../../src/replica/append-turns.ts';
import type { StandingReplica } from '../../../src/replica/replica-standing.ts';
import { standingOf } from '../../../src/replica/replica-standing.ts';
import type { World } from '../../../src/sim/world/world.ts';
import { batchOf } from '../broker/bench.ts';
import { CALM, partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { SELF, withReplicas } from './bench.ts';

const T = uuid(50);
const HERE = uuid(61);
const LOG = '/data/t-0/00000000000000000000.log';
const OTHER = 2;

/** Alone in the ISR, so that it acknowledges without the other one. */
const pair = (isr: number[]) => [
  registration(OTHER),
  topicRecord('t', T),
  partitionRecord(T, 0, [SELF, OTHER], { isr, leader: isr[0] ?? -1, directories: [HERE, uuid(8)] }),
  record({ $case: 'config', config: { scope: 1, entity: 't', key: 'min.insync.replicas', value: '1' } }),
];

const changed = (fields: Partial<PartitionChangeRecord>) =>
  record({ $case: 'partitionChange', partitionChange: { topicId: T, partition: 0, cause: 'test', ...fields } });
const LOST = { directories: [LOST_DIRECTORY, uuid(8)] };

async function append({ partition }: Pick<Replicas, 'partition'>, records: number) {
  const found = await partition(T);
  const result = await appendInTurn(found, () => appendToPartition(found, batchOf(records), -1));
  return result.kind === 'appended' ? ((await result.acknowledged) ?? 'NONE') : result.error;
}

/** A world whose broker wrote a log, noted how far it is committed, and was killed. */
function killed(): Promise<World> {
  return withReplicas(
    async (replicas) => {
      for (let i = 0; i < 3; i++) expect(await append(replicas, 5)).toBe('NONE');
      await replicas.directory.checkpoint((topicId) => (topicId === T ? 15 : undefined));
      await replicas.manager.close();
      await replicas.directory.close(false, -1);
    },
    { level: 2, before: pair([SELF]) },
  );
}

async function foldersIn({ env }: Pick<Replicas, 'env'>): Promise<string[]> {
  const entries = await env.disk.list('/data');
  return entries.filter(({ name, isDirectory }) => isDirectory && name !== 'checkpoints').map(({ name }) => name);
}

describe('a log that is damaged', () => {
  async function damaged(body: (replicas: Replicas) => Promise<void>): Promise<void> {
    const world = await killed();
    world.process('host').disk.corrupt(LOG, 100);
    await withReplicas(
      async (replicas) => {
        await replicas.manager.settled();
        expect(await replicas.manager.find(T, 0)).toBe('KAFKA_STORAGE_ERROR');
        expect([...replicas.told.misplaced]).toEqual([[`${T}/0`, LOST_DIRECTORY]]);
        expect(await foldersIn(replicas)).toEqual(['t-0']);
        replicas.told.misplaced.clear();
        await body(replicas);
      },
      { world, level: 2, before: pair([SELF]) },
    );
  }

  test('begins anew from others when the cluster knows, with its bytes aside, and says then where it is', async () => {
    await damaged(async (replicas) => {
      replicas.commit(changed({ leader: OTHER, isr: { replicas: [OTHER] }, directories: LOST }));
      await replicas.manager.settled();
      expect((await replicas.partition(T)).log.logEndOffset).toBe(0);
      expect([...replicas.told.misplaced]).toEqual([[`${T}/0`, HERE]]);
      const [here, aside] = (await foldersIn(replicas)).toSorted();
      expect([here, aside]).toEqual(['t-0', expect.stringMatching(/^t-0\..*-stray$/)]);
      const [line] = replicas.world.log.lines().filter(({ event }) => event === 'partition-begins-anew');
      expect(line?.fields).toMatchObject({ damagedLog: `/data/${aside}`, reason: expect.stringContaining(LOG) });
      replicas.commit(changed({ directories: { directories: [HERE, uuid(8)] } }));
      await replicas.manager.settled();
      expect(await foldersIn(replicas)).toHaveLength(2);
    });
  });

  test('stays as it is where the cluster counts on nobody else', async () => {
    await damaged(async (replicas) => {
      replicas.commit(changed({ leader: -1, isr: { replicas: [] }, lastKnownLeader: SELF, directories: LOST }));
      await replicas.manager.settled();
      expect(await replicas.manager.find(T, 0)).toBe('KAFKA_STORAGE_ERROR');
      expect([await foldersIn(replicas), replicas.told.misplaced.size]).toEqual([['t-0'], 0]);
    });
  });

  test('found while it is served: the same', async () => {
    await withReplicas(
      async (replicas) => {
        expect(await append(replicas, 5)).toBe('NONE');
        (await replicas.partition(T)).fail(new EnvError('CORRUPT', 'rotten'));
        expect([...replicas.told.misplaced]).toEqual([[`${T}/0`, LOST_DIRECTORY]]);
        replicas.commit(changed({ leader: OTHER, isr: { replicas: [OTHER] }, directories: LOST }));
        await replicas.manager.settled();
        expect((await replicas.partition(T)).log.logEndOffset).toBe(0);
        expect(await foldersIn(replicas)).toHaveLength(2);
        // Once in a life: what is damaged again needs somebody to look.
        (await replicas.partition(T)).fail(new EnvError('CORRUPT', 'rotten'));
        replicas.commit(changed({ directories: LOST, leader: OTHER }));
        await replicas.manager.settled();
        expect(await foldersIn(replicas)).toHaveLength(2);
      },
      { level: 2, before: pair([SELF]) },
    );
  });
});

describe('where a replica stands', () => {
  const [CORRUPT, EXISTS, IO] = (['CORRUPT', 'EXISTS', 'IO'] as const).map((code) => new EnvError(code, code));
  interface Case {
    readonly failure?: EnvError | undefined;
    readonly offline?: boolean;
    readonly incomplete?: boolean;
    readonly isOpening?: boolean;
    readonly named?: string;
    readonly isr?: number[];
    readonly elr?: number[];
    readonly replicas?: number[];
    readonly isOnly?: boolean;
  }

  function standing(it: Case): { told: string; noted: number } {
    let noted = 0;
    const { replicas = [SELF, OTHER], isr = [SELF, OTHER], elr = [] } = it;
    const directories = replicas.map((id) => (id === SELF ? (it.named ?? HERE) : ZERO_UUID));
    const epochs = { leaderEpoch: 3, partitionEpoch: 5 };
    const state: PartitionState = { ...CALM, ...epochs, replicas, isr, elr, directories, leader: isr[0] ?? -1 };
    const replica = {
      partition: 0,
      hosted: { partition: it.isOpening || it.failure ? undefined : {}, failure: it.failure },
      directory: {
        health: { failure: it.offline ? IO : undefined } as never,
        meta: { directoryId: HERE } as never,
        isIncomplete: () => it.incomplete === true,
        told: async () => void noted++,
      },
    } satisfies StandingReplica;
    const found = standingOf(T, replica, state, { brokerId: SELF, isOnly: it.isOnly === true });
    const names: Record<string, string> = { [HERE]: 'here', [LOST_DIRECTORY]: 'lost' };
    return { told: found.kind === 'elsewhere' ? (names[found.directoryId] ?? '?') : found.kind, noted };
  }

  test.each<[string, Case, string]>([
    ['as the metadata says', {}, 'as known'],
    ['the metadata does not say', { named: ZERO_UUID }, 'here'],
    ['the metadata need not say', { named: ZERO_UUID, isOnly: true }, 'as known'],
    ['in another log dir', { named: uuid(9), isOnly: true }, 'here'],
    ['not looked at yet', { named: uuid(9), isOpening: true }, 'as known'],
    ['its log dir is offline', { named: uuid(9), offline: true, failure: CORRUPT }, 'as known'],
    ['damaged', { failure: CORRUPT }, 'lost'],
    ['two folders', { failure: EXISTS }, 'lost'],
    ['a failure of the disk is its log dir’s', { failure: IO }, 'as known'],
    ['damaged, and told', { failure: CORRUPT, named: LOST_DIRECTORY, isr: [OTHER] }, 'to begin anew'],
    [
      'damaged, told, others may lead',
      { failure: CORRUPT, named: LOST_DIRECTORY, isr: [], elr: [OTHER] },
      'to begin anew',
    ],
    ['damaged, told, nobody else', { failure: CORRUPT, named: LOST_DIRECTORY, isr: [] }, 'as known'],
    ['two folders, told', { failure: EXISTS, named: LOST_DIRECTORY, isr: [OTHER] }, 'as known'],
    ['whole again', { named: LOST_DIRECTORY, isr: [OTHER] }, 'here'],
    ['lacks records, and is counted on', { incomplete: true }, 'lost'],
    ['lacks records, and could be elected', { incomplete: true, isr: [], elr: [SELF] }, 'lost'],
  ])('%s', (_, it, told) => {
    expect(standing(it)).toEqual({ told, noted: 0 });
  });

  test.each<[string, Case, string]>([
    ['lacks records, and the cluster knows', { incomplete: true, named: LOST_DIRECTORY, isr: [OTHER] }, 'here'],
    ['lacks records, and is not counted on', { incomplete: true, isr: [OTHER] }, 'as known'],
    ['lacks records, as the only replica', { incomplete: true, isr: [SELF], replicas: [SELF] }, 'as known'],
  ])('%s: that is over', (_, it, told) => {
    expect(standing(it)).toEqual({ told, noted: 1 });
  });
});
