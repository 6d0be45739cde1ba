// Snapshot files: what was written is what is read, and any damage is said with the file's name.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import { SnapshotFileReader, writeSnapshotFile } from '../../../src/quorum/snapshot-file.ts';
import type { SnapshotHeader } from '../../../src/quorum/snapshot-format.ts';
import { encodeFrame, encodeHeader } from '../../../src/quorum/snapshot-format.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

const PATH = '/data/x.checkpoint';
const HEADER: SnapshotHeader = {
  clusterId: uuid(1),
  id: { endOffset: 2 ** 40, epoch: 7 },
  voters: [
    { id: 1, directoryId: uuid(11), endpoint: 'one:9093' },
    { id: 2, directoryId: uuid(12), endpoint: '' },
  ],
  takenAtMs: 1_700_000_000_000,
};

async function onDisk(body: (env: Env) => Promise<void>): Promise<void> {
  const world = new World({ seed: 1 });
  world.process('host').disk.provision('/data');
  await world.run('host', 600_000, body);
}

async function readAll(env: Env): Promise<{ header: SnapshotHeader; records: Uint8Array[] }> {
  const reader = await SnapshotFileReader.open(env.disk, env.clock, PATH);
  try {
    const records: Uint8Array[] = [];
    for await (const chunk of reader.chunks()) records.push(...chunk.map((record) => Uint8Array.from(record)));
    return { header: reader.header, records };
  } finally {
    await reader.close();
  }
}

async function write(env: Env, records: Iterable<Uint8Array>): Promise<number> {
  await env.disk.remove(PATH);
  const size = await writeSnapshotFile(env.disk, env.clock, PATH, { header: HEADER, records }, () => false);
  return size ?? -1;
}

test('what was written is what is read', async () => {
  await onDisk(async (env) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 50 }),
        fc.constantFrom(1, 2000),
        async (some, copies) => {
          const records = Array.from({ length: copies }, () => some).flat();
          const size = await write(env, records);
          expect(size).toBe((await env.disk.readFile(PATH)).length);
          const read = await readAll(env);
          expect(read.header).toEqual(HEADER);
          expect(read.records).toEqual(records);
        },
      ),
      { numRuns: 30 },
    );
  });
});

test('a record that is larger than a chunk, and none at all', async () => {
  await onDisk(async (env) => {
    for (const records of [[Buffer.alloc(300_000, 'x'), Buffer.from('y')], []]) {
      await write(env, records);
      expect((await readAll(env)).records.map(({ length }) => length)).toEqual(records.map(({ length }) => length));
    }
  });
});

test('every flipped bit, every cut, every frame too many or too few is CORRUPT, with the file and a way out', async () => {
  await onDisk(async (env) => {
    await write(
      env,
      Array.from({ length: 20 }, (_, i) => Buffer.from(`record ${i}`)),
    );
    const good = await env.disk.readFile(PATH);
    const rewrite = async (content: Uint8Array): Promise<void> => {
      const file = await env.disk.open(PATH, 'write');
      await file.truncate(content.length);
      if (content.length > 0) file.write([content], 0);
      await file.close();
    };
    const refused = async (content: Uint8Array, why: RegExp = /./): Promise<void> => {
      await rewrite(content);
      await expect(readAll(env)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(why) });
      await expect(readAll(env)).rejects.toMatchObject({ message: expect.stringContaining(PATH) });
    };
    for (let bit = 0; bit < good.length * 8; bit += 7) {
      const bad = Buffer.from(good);
      bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7));
      await refused(bad);
    }
    for (let length = 0; length < good.length; length += 11) await refused(good.subarray(0, length));
    await refused(Buffer.concat([good, Buffer.from([0])]), /follows its footer/);
    const header = encodeFrame('header', encodeHeader(HEADER));
    const footer = good.subarray(good.length - 21);
    const records = good.subarray(header.length, good.length - 21);
    await refused(Buffer.concat([header, footer]), /0 records/);
    await refused(Buffer.concat([header, records, records, footer]), /40 records/);
    await refused(Buffer.concat([header, header, records, footer]), /two headers/);
    await refused(Buffer.concat([records, footer]), /begin with a header/);
    await rewrite(good);
    expect((await readAll(env)).records).toHaveLength(20);
  });
});

test('of a newer version: says so, and not to format anything', async () => {
  await onDisk(async (env) => {
    const body = encodeHeader(HEADER);
    body[4] = 2;
    const file = await env.disk.open(PATH, 'create');
    file.write([encodeFrame('header', body)], 0);
    await file.close();
    const reading = readAll(env);
    await expect(reading).rejects.toMatchObject({ code: 'NEWER_FORMAT' });
  });
});

test('a full disk fails the writing, a cancelled one ends it early', async () => {
  await onDisk(async (env) => {
    let given = 0;
    const many = function* (): Generator<Uint8Array> {
      for (; given < 100_000; given++) yield Buffer.alloc(100);
    };
    const content = { header: HEADER, records: many() };
    expect(await writeSnapshotFile(env.disk, env.clock, PATH, content, () => given > 2000)).toBeUndefined();
    expect(given).toBeLessThan(4000);
  });
  const world = new World({ seed: 1 });
  const { disk } = world.process('host');
  disk.provision('/data');
  disk.settings.capacityBytes = 100_000;
  await world.run('host', 60_000, async (env) => {
    const records = Array.from({ length: 2000 }, () => Buffer.alloc(100));
    await expect(write(env, records)).rejects.toMatchObject({ code: 'NO_SPACE' });
  });
});
