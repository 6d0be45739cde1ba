// The folder of snapshots: a file is never replaced under a catalogue that lists it, nor removed under who reads it.
import { expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import { SnapshotFolder, snapshotName } from '../../../src/quorum/snapshot-folder.ts';
import type { Snapshot, SnapshotId } from '../../../src/raft/types.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

const ID: SnapshotId = { endOffset: 7, epoch: 2 };

function snapshot(id: SnapshotId): Snapshot {
  return { id, voters: [], sizeBytes: 1 };
}

async function onDisk(body: (env: Env, folder: SnapshotFolder) => Promise<void>): Promise<void> {
  const world = new World({ seed: 1 });
  world.process('host').disk.provision('/data');
  await world.run('host', 60_000, async (env) => {
    const { disk, clock, logger } = env;
    const folder = new SnapshotFolder({ disk, clock, logger, clusterId: uuid(1), path: '/data/snapshots' });
    await folder.load([]);
    await body(env, folder);
  });
}

async function part(env: Env, folder: SnapshotFolder, writer: 'taken' | 'received'): Promise<string> {
  const path = folder.partOf(ID, writer);
  const file = await env.disk.open(path, 'create');
  file.write([Buffer.from(writer)], 0);
  await file.close();
  return path;
}

const names = async (env: Env): Promise<string[]> => (await env.disk.list('/data/snapshots')).map(({ name }) => name);

test('of two snapshots of one id the first stays, also while it is being kept', async () => {
  await onDisk(async (env, folder) => {
    const [taken, received] = [await part(env, folder, 'taken'), await part(env, folder, 'received')];
    const both = await Promise.all([folder.adopt(taken, ID), folder.adopt(received, ID)]);
    expect(both).toEqual([true, false]);
    expect((await env.disk.readFile(folder.pathOf(ID))).toString()).toBe('taken');
    expect(await names(env)).toEqual([snapshotName(ID)]);
    // Gone, it may come again.
    await folder.discard(ID);
    expect(await folder.adopt(await part(env, folder, 'received'), ID)).toBe(true);
  });
});

test('one that could not be kept can be kept later', async () => {
  const world = new World({ seed: 1 });
  const { disk } = world.process('host');
  disk.provision('/data');
  await world.run('host', 60_000, async (env) => {
    const { clock, logger } = env;
    const folder = new SnapshotFolder({ disk: env.disk, clock, logger, clusterId: uuid(1), path: '/data/snapshots' });
    await folder.load([]);
    const taken = await part(env, folder, 'taken');
    disk.failNext('directory', taken);
    await expect(folder.adopt(taken, ID)).rejects.toMatchObject({ code: 'IO' });
    expect(await folder.adopt(taken, ID)).toBe(true);
  });
});

test('what the catalogue lists, or somebody reads, is not removed', async () => {
  await onDisk(async (env, folder) => {
    await folder.adopt(await part(env, folder, 'taken'), ID);
    folder.list([snapshot(ID)]);
    await folder.discard(ID);
    expect(await names(env)).toEqual([snapshotName(ID)]);
    const [first, second] = [folder.hold(ID), folder.hold(ID)];
    folder.list([snapshot({ endOffset: 9, epoch: 2 })]);
    await folder.discard(ID);
    await first();
    expect(await names(env)).toEqual([snapshotName(ID)]);
    await second();
    expect(await names(env)).toEqual([]);
  });
});
