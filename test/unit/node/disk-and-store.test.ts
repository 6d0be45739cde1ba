// What the contract suites cannot ask of every implementation: errors of a real file system, real damage, many syncs.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDisk } from '../../../src/node/disk.ts';
import { openStore } from '../../../src/node/store.ts';
import { toEnvError } from '../../../src/node/system-error.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kvorum-disk-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('system errors', () => {
  it('have the code that callers switch on, the attempt in the message, and the cause', () => {
    const coded = (code: string): Error => Object.assign(new Error(`${code}: details`), { code });
    const codes = ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EIO', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'];
    expect(codes.map((code) => toEnvError(coded(code), 'cannot').code)).toEqual([
      'NO_SPACE',
      'NO_SPACE',
      'PERMISSION',
      'PERMISSION',
      'IO',
      'RESET',
      'RESET',
      'TIMED_OUT',
      'ADDRESS_UNAVAILABLE',
    ]);
    const cause = coded('ENOSPC');
    const error = toEnvError(cause, 'cannot write /a');
    expect(error).toMatchObject({ message: 'cannot write /a: ENOSPC: details', cause });
    expect(toEnvError(error, 'again')).toBe(error);
  });
});

describe('disk', () => {
  it('answers IO for what is no file', async () => {
    await expect(createDisk().readFile(directory)).rejects.toMatchObject({ code: 'IO' });
  });

  it('finishes more syncs at once than it lets run', async () => {
    const disk = createDisk();
    const files = await Promise.all(
      Array.from({ length: 40 }, (_, index) => disk.open(`${directory}/${index}`, 'create')),
    );
    await Promise.all(
      files.map(async (file, index) => {
        file.write([Buffer.alloc(10 + index)], 0);
        await file.sync();
        await disk.syncDirectory(directory);
        expect(await file.size()).toBe(10 + index);
      }),
    );
    await Promise.all(files.map((file) => file.close()));
  });

  it('keeps its descriptor until running operations ended', async () => {
    const disk = createDisk();
    const file = await disk.open(`${directory}/a`, 'create');
    file.write([Buffer.from('mine')], 0);
    const targets = Array.from({ length: 20 }, () => Buffer.alloc(4));
    const reads = targets.map((target) => file.read(target, 0, 4, 0));
    const closing = file.close();
    const other = await disk.open(`${directory}/b`, 'create');
    other.write([Buffer.from('evil')], 0);
    await Promise.all([...reads, closing]);
    for (const target of targets) expect(target.toString()).toBe('mine');
    await other.close();
  });
});

describe('store', () => {
  it('answers CORRUPT for a damaged database', async () => {
    const path = `${directory}/db`;
    const store = await openStore(path);
    await store.batch([{ type: 'put', key: Buffer.from('a'), value: Buffer.from('1') }], { sync: true });
    await store.close();
    const manifest = (await readdir(path)).find((name) => name.startsWith('MANIFEST'));
    await writeFile(join(path, manifest ?? ''), Buffer.alloc(64, 0xee));
    await expect(openStore(path)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('names the folder when it cannot open', async () => {
    await writeFile(`${directory}/file`, '');
    await expect(openStore(`${directory}/file/db`)).rejects.toThrow(`cannot open the database in ${directory}/file/db`);
  });
});
