// going on from one survivor. What is found is true, what is done is done once whatever the crash, and the survivor then
// leads alone with all that its log had.
import { describe, expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import type { EnvError } from '../../../src/env/error.ts';
import { readDurableEnd } from '../../../src/quorum/durable-end.ts';
import type { RecoveryFinding } from '../../../src/quorum/recover.ts';
import { RECOVERY_EPOCH_GAP, Recovery } from '../../../src/quorum/recover.ts';
import { decodeControlRecord } from '../../../src/raft/control-record.ts';
import type { Batch } from '../../../src/raft/types.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Life } from './replica.ts';
import { CLUSTER_ID, disaster, openReplica, startReplica, voterOf } from './replica.ts';

const IDS = [1, 2, 3];
const FOLDER = { directory: '/data', clusterId: CLUSTER_ID, survivor: voterOf(3) };

/** One life of the survivor's machine, that ends by a kill. */
async function offline<T>(world: World, main: (env: Env) => Promise<T>): Promise<T> {
  const result = await world.run('c3', 10_000, main);
  world.process('c3').kill();
  return result;
}

function look(world: World): Promise<RecoveryFinding> {
  return offline(world, async (env) => {
    const recovery = await Recovery.open(env, FOLDER);
    await recovery.close();
    return recovery.finding;
  });
}

async function carryOut(env: Env): Promise<number> {
  const recovery = await Recovery.open(env, FOLDER);
  const epoch = await recovery.carryOut();
  await recovery.close();
  return epoch;
}

async function refusal(world: World, main: (env: Env) => Promise<unknown> = (env) => Recovery.open(env, FOLDER)) {
  return offline(world, async (env) => {
    const error = await main(env).catch((thrown: unknown) => thrown);
    return error as EnvError;
  });
}

/** The survivor starts, leads alone and commits. */
async function expectToLeadAlone(world: World, records: readonly string[]): Promise<Batch[]> {
  const started = startReplica(world, 3);
  await world.runUntil(() => started.life?.claimed !== undefined, 30_000, 'the survivor leads');
  const { quorum, applied, claimed } = started.life as Life;
  expect(applied).toEqual(records);
  expect(quorum.describe().voters.map(({ replica }) => replica)).toEqual([expect.objectContaining({ id: 3 })]);
  quorum.append(claimed ?? -1, [Buffer.from('after')]);
  await world.runUntil(() => applied.at(-1) === 'after', 5000, 'a commit');
  const read = quorum.readCommitted(0, 1 << 20);
  world.process('c3').kill();
  return 'batches' in read ? [...read.batches] : [];
}

test('what is found, and nothing changed by looking', async () => {
  const { world } = await disaster(1);
  for (let i = 0; i < 2; i++) {
    expect(await look(world)).toEqual({
      logStartOffset: 0,
      logEndOffset: 6,
      lastEpoch: 1,
      leaderEpoch: 1,
      voters: IDS.map(voterOf),
      committedEndOffset: 0,
      lost: undefined,
      recovery: 'needed',
    });
  }
});

test('R-15 the survivor leads alone, with all its log had, and the log tells of it', async () => {
  const { world, records } = await disaster(2);
  const epoch = await offline(world, carryOut);
  expect(epoch).toBe(1 + RECOVERY_EPOCH_GAP);
  expect(await offline(world, (env) => readDurableEnd(env.disk, '/data'))).toEqual({
    logEndOffset: 8,
    lastEpoch: epoch,
    leaderEpoch: epoch,
    votedKey: { id: 3, directoryId: uuid(103) },
  });
  const batches = await expectToLeadAlone(world, records);
  const told = batches.find(({ baseOffset }) => baseOffset === 6);
  expect(told).toMatchObject({ control: true, epoch });
  expect(told?.records.map((bytes) => decodeControlRecord(bytes))).toEqual([
    {
      type: 'recovery',
      replica: { id: 3, directoryId: uuid(103) },
      previousVoters: IDS.map(voterOf),
      committedEndOffset: 0,
      timestampMs: expect.any(Number),
    },
    { type: 'voters', voters: [voterOf(3)] },
  ]);
  expect((await look(world)).recovery).toBe('pointless');
});

test('carried out twice, it is done once', async () => {
  const { world, records } = await disaster(3);
  const epoch = await offline(world, carryOut);
  expect(await look(world)).toMatchObject({ recovery: 'done', logEndOffset: 8, voters: [voterOf(3)] });
  expect(await offline(world, carryOut)).toBe(epoch);
  expect((await look(world)).logEndOffset).toBe(8);
  await expectToLeadAlone(world, records);
});

test('a power cut at any moment leaves it undone or done, never half, and it can be carried out again', async () => {
  const states = new Set<string>();
  for (let cutUs = 0; cutUs < 12_000; cutUs += 300) {
    const { world, records } = await disaster(1000 + cutUs);
    world.process('c3').start(async (env) => void (await carryOut(env)));
    await world.runFor(cutUs / 1000);
    world.process('c3').powerCut();
    const found = await look(world);
    states.add(`${found.recovery} ${found.logEndOffset}`);
    await offline(world, carryOut);
    expect(await look(world)).toMatchObject({ recovery: 'done', logEndOffset: 8, lost: undefined });
    if (cutUs % 1200 === 0) await expectToLeadAlone(world, records);
  }
  expect(states).toEqual(new Set(['needed 6', 'done 8']));
});

describe('a disk that lost something', () => {
  const lastKey = Buffer.concat([Buffer.from('log/'), Buffer.from([0, 0, 0, 0, 0, 0, 0, 5])]);

  test('does not start; recovery says so, and goes on with the rest', async () => {
    const { world, records } = await disaster(4);
    await offline(world, async (env) => {
      const store = await env.openStore('/data/metadata');
      await store.batch([{ type: 'delete', key: lastKey }], { sync: true });
    });
    expect((await refusal(world, (env) => openReplica(env, 3))).message).toMatch(
      /ends at offset 5, though it was durable up to offset 6 once/,
    );
    const found = await look(world);
    expect(found).toMatchObject({ recovery: 'needed', logEndOffset: 5 });
    expect(found.lost).toMatch(/ends at offset 5, though it was durable up to offset 6 once/);
    await offline(world, carryOut);
    await expectToLeadAlone(world, records.slice(0, -1));
  });

  test('and was alone already: the same', async () => {
    const { world, records } = await disaster(5);
    await offline(world, carryOut);
    await expectToLeadAlone(world, records);
    await offline(world, (env) => env.disk.remove('/data/durable-end'));
    expect((await refusal(world, (env) => openReplica(env, 3))).message).toMatch(/durable-end is missing/);
    expect(await look(world)).toMatchObject({
      recovery: 'needed',
      lost: expect.stringMatching(/^\/data\/durable-end is missing: whether/),
    });
    await offline(world, carryOut);
    await expectToLeadAlone(world, [...records, 'after']);
  });
});

describe('refused', () => {
  test('while the node runs', async () => {
    const { world } = await disaster(6);
    const error = await offline(world, async (env) => {
      await env.openStore('/data/metadata');
      return Recovery.open(env, FOLDER).catch((thrown: unknown) => thrown as EnvError);
    });
    expect(error).toMatchObject({ code: 'LOCKED' });
  });

  test('without a log: none at all, or an empty one, which is not made by looking', async () => {
    const world = new World({ seed: 1 });
    world.process('c3').disk.provision('/data');
    expect(await refusal(world)).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('/data') });
    expect(await offline(world, (env) => env.disk.exists('/data/metadata'))).toBe(false);
    await offline(world, async (env) => (await env.openStore('/data/metadata')).close());
    expect(await refusal(world)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('with a damaged entry of the log, or a damaged quorum state', async () => {
    for (const key of [Buffer.from('quorum-state'), Buffer.concat([Buffer.from('log/'), Buffer.alloc(8)])]) {
      const { world } = await disaster(7);
      await offline(world, async (env) => {
        const store = await env.openStore('/data/metadata');
        const value = (await store.get(key)) as Buffer;
        await store.batch([{ type: 'put', key, value: value.fill(7, 9, 10) }], { sync: true });
      });
      expect(await refusal(world)).toMatchObject({ code: 'CORRUPT' });
    }
  });
});
