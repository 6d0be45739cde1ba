// The Disk port's promises, as far as they show without a power cut.
import { describe, expect, it } from 'vitest';
import type { Disk } from '../../src/env/disk.ts';
import { writeFileDurably } from '../../src/env/disk.ts';
import type { EnvErrorCode } from '../../src/env/error.ts';
import { isEnvError } from '../../src/env/error.ts';
import type { Harness } from './harness.ts';
import { rejectionOf } from './harness.ts';

async function expectCode(promise: Promise<unknown>, code: EnvErrorCode): Promise<void> {
  const error = await rejectionOf(promise);
  expect(isEnvError(error, code), `expected ${code}, got ${String(error)}`).toBe(true);
}

async function put(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, 'write');
  expect(file.write([Buffer.from(text)], 0)).toBe(text.length);
  await file.close();
}

async function text(disk: Disk, path: string): Promise<string> {
  return (await disk.readFile(path)).toString();
}

export function diskSuite(name: string, harness: Harness): void {
  describe(`${name} disk: files`, () => {
    it('shows a write to reads at once, before any sync', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/a`, 'create');
        const chunks = [Buffer.from('one'), new Uint8Array([45]), Buffer.alloc(0), Buffer.from('two')];
        expect(file.write(chunks, 0)).toBe(7);
        expect(await file.size()).toBe(7);
        const target = Buffer.alloc(10, 46);
        expect(await file.read(target, 1, 5, 0)).toBe(5);
        expect(target.toString()).toBe('.one-t....');
        expect(await text(disk, `${directory}/a`)).toBe('one-two');
        expect(file.write([], 3)).toBe(0);
        await file.sync();
        await file.close();
      }));

    it('copies what it writes: the buffer may be reused when write returns', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/a`, 'create');
        const reused = Buffer.from('first');
        file.write([reused], 0);
        reused.write('later');
        file.write([reused], 5);
        await file.sync();
        await file.close();
        expect(await text(disk, `${directory}/a`)).toBe('firstlater');
      }));

    it('makes durable what is written until a sync starts', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/a`, 'create');
        file.write([Buffer.from('one')], 0);
        let starts = 0;
        const syncing = file.sync(() => {
          starts += 1;
          file.write([Buffer.from('three')], 6);
        });
        file.write([Buffer.from('two')], 3);
        await syncing;
        expect(starts).toBe(1);
        await file.close();
        expect(await text(disk, `${directory}/a`)).toBe('onetwothree');
      }));

    it('reads short at the end and nothing after it', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await put(disk, `${directory}/a`, 'abc');
        const file = await disk.open(`${directory}/a`, 'read');
        const target = Buffer.alloc(8);
        expect(await file.read(target, 0, 8, 1)).toBe(2);
        expect(await file.read(target, 0, 8, 3)).toBe(0);
        expect(await file.read(target, 0, 8, 100)).toBe(0);
        await file.close();
      }));

    it('overwrites in place and fills a gap with zeros', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/a`, 'create');
        file.write([Buffer.from('abcdef')], 0);
        file.write([Buffer.from('XY')], 2);
        file.write([Buffer.from('z')], 8);
        await file.close();
        expect(await text(disk, `${directory}/a`)).toBe('abXYef\0\0z');
      }));

    it('truncates both ways', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/a`, 'create');
        file.write([Buffer.from('abcdef')], 0);
        await file.truncate(2);
        expect(await file.size()).toBe(2);
        await file.truncate(4);
        await file.sync();
        await file.close();
        expect(await text(disk, `${directory}/a`)).toBe('ab\0\0');
      }));

    it('writes megabytes in many chunks', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/big`, 'create');
        const chunks = Array.from({ length: 2500 }, (_, index) => Buffer.alloc(1000, index % 251));
        expect(file.write(chunks, 0)).toBe(2_500_000);
        await file.sync();
        await file.close();
        expect((await disk.readFile(`${directory}/big`)).equals(Buffer.concat(chunks))).toBe(true);
      }));

    it('opens by mode: read needs the file, create must not find it, write takes both', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await expectCode(disk.open(`${directory}/a`, 'read'), 'NOT_FOUND');
        await expectCode(disk.open(`${directory}/none/a`, 'write'), 'NOT_FOUND');
        await put(disk, `${directory}/a`, 'kept');
        await expectCode(disk.open(`${directory}/a`, 'create'), 'EXISTS');
        const file = await disk.open(`${directory}/a`, 'write');
        expect(await file.size()).toBe(4);
        await file.close();
      }));

    it('creates a file at once for a writer that cannot wait', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = disk.openNow(`${directory}/a`, 'create');
        file.write([Buffer.from('now')], 0);
        expect(await text(disk, `${directory}/a`)).toBe('now');
        await file.sync();
        await file.close();
        await expectCode((async () => disk.openNow(`${directory}/a`, 'create'))(), 'EXISTS');
        await expectCode((async () => disk.openNow(`${directory}/none/a`, 'create'))(), 'NOT_FOUND');
      }));

    it('opens at once what is there, and creates only when told to', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await expectCode((async () => disk.openNow(`${directory}/a`, 'update'))(), 'NOT_FOUND');
        await expectCode((async () => disk.openNow(`${directory}/a`, 'read'))(), 'NOT_FOUND');
        await expectCode(disk.open(`${directory}/a`, 'update'), 'NOT_FOUND');
        const created = disk.openNow(`${directory}/a`, 'write');
        created.write([Buffer.from('first')], 0);
        for (const mode of ['write', 'update'] as const) {
          const again = disk.openNow(`${directory}/a`, mode);
          again.write([Buffer.from('F')], 0);
          expect(await again.size()).toBe(5);
          await again.close();
        }
        expect(await text(disk, `${directory}/a`)).toBe('First');
        await created.close();
      }));

    it('refuses a closed file with CLOSED, and lets it be closed twice', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const file = await disk.open(`${directory}/a`, 'create');
        const reading = file.read(Buffer.alloc(4), 0, 4, 0);
        await file.close();
        expect(await reading).toBe(0);
        await file.close();
        await expectCode(file.sync(), 'CLOSED');
        await expectCode(file.read(Buffer.alloc(1), 0, 1, 0), 'CLOSED');
        await expectCode((async () => file.write([Buffer.from('x')], 0))(), 'CLOSED');
      }));

    it('gives each open its own handle on one content', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        const writer = await disk.open(`${directory}/a`, 'create');
        const reader = await disk.open(`${directory}/a`, 'read');
        writer.write([Buffer.from('hello')], 0);
        const target = Buffer.alloc(5);
        expect(await reader.read(target, 0, 5, 0)).toBe(5);
        await reader.close();
        writer.write([Buffer.from('!')], 5);
        await writer.close();
        expect(await text(disk, `${directory}/a`)).toBe('hello!');
      }));
  });

  describe(`${name} disk: folders`, () => {
    it('lists in name order and says what is a folder', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        for (const file of ['b', 'a-10', 'B', 'a', 'a-2']) await put(disk, `${directory}/${file}`, file);
        await disk.makeDirectory(`${directory}/c/d`);
        const entries = await disk.list(directory);
        expect(entries.map((entry) => entry.name)).toEqual(['B', 'a', 'a-10', 'a-2', 'b', 'c']);
        expect(entries.filter((entry) => entry.isDirectory).map((entry) => entry.name)).toEqual(['c']);
        expect((await disk.list(`${directory}/c`)).map((entry) => entry.name)).toEqual(['d']);
        expect(await disk.list(`${directory}/c/d`)).toEqual([]);
        await expectCode(disk.list(`${directory}/none`), 'NOT_FOUND');
      }));

    it('tells what exists', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await put(disk, `${directory}/a`, '');
        expect(await disk.exists(`${directory}/a`)).toBe(true);
        expect(await disk.exists(directory)).toBe(true);
        expect(await disk.exists(`${directory}/b`)).toBe(false);
        expect(await disk.exists(`${directory}/none/b`)).toBe(false);
        await expectCode(disk.readFile(`${directory}/b`), 'NOT_FOUND');
      }));

    it('makes a directory again without complaint', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await disk.makeDirectory(`${directory}/x/y`);
        await put(disk, `${directory}/x/y/file`, 'kept');
        await disk.makeDirectory(`${directory}/x/y`);
        await disk.syncDirectory(`${directory}/x`);
        expect(await text(disk, `${directory}/x/y/file`)).toBe('kept');
      }));

    it('replaces a file by rename; readers of the old one keep it', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await put(disk, `${directory}/old`, 'old');
        await put(disk, `${directory}/new`, 'new!');
        const reader = await disk.open(`${directory}/old`, 'read');
        await disk.rename(`${directory}/new`, `${directory}/old`);
        await disk.syncDirectory(directory);
        expect(await text(disk, `${directory}/old`)).toBe('new!');
        expect(await disk.exists(`${directory}/new`)).toBe(false);
        const target = Buffer.alloc(8);
        expect(await reader.read(target, 0, 8, 0)).toBe(3);
        expect(target.toString('utf8', 0, 3)).toBe('old');
        await reader.close();
        await expectCode(disk.rename(`${directory}/none`, `${directory}/x`), 'NOT_FOUND');
      }));

    it('renames a folder with what it holds', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await disk.makeDirectory(`${directory}/from/inner`);
        await put(disk, `${directory}/from/inner/a`, 'a');
        const open = await disk.open(`${directory}/from/inner/a`, 'write');
        await disk.rename(`${directory}/from`, `${directory}/to`);
        open.write([Buffer.from('b')], 1);
        await open.sync();
        await open.close();
        expect(await text(disk, `${directory}/to/inner/a`)).toBe('ab');
        expect(await disk.exists(`${directory}/from`)).toBe(false);
      }));

    it('removes files and whole folders, and what is not there', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await disk.makeDirectory(`${directory}/d/e`);
        await put(disk, `${directory}/d/e/f`, 'f');
        await put(disk, `${directory}/g`, 'g');
        await disk.remove(`${directory}/d`);
        await disk.remove(`${directory}/g`);
        await disk.remove(`${directory}/never`);
        expect(await disk.list(directory)).toEqual([]);
      }));

    it('says how large a file is, without opening it', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await put(disk, `${directory}/a`, 'abc');
        expect(await disk.fileSize(`${directory}/a`)).toBe(3);
        expect(await disk.fileSize(`${directory}/none`)).toBeUndefined();
      }));

    it('says how much room there is where a path is', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await put(disk, `${directory}/a`, 'abc');
        for (const path of [directory, `${directory}/a`]) {
          const { totalBytes, usableBytes } = await disk.space(path);
          expect(totalBytes).toBeGreaterThan(0);
          expect(usableBytes).toBeGreaterThanOrEqual(0);
          expect(usableBytes).toBeLessThanOrEqual(totalBytes);
        }
        await expectCode(disk.space(`${directory}/none`), 'NOT_FOUND');
      }));

    it('writes a whole file durably, over an older one and a left-over', () =>
      harness.run(async ({ env: { disk }, directory }) => {
        await put(disk, `${directory}/a.tmp`, 'left over from a crash, and longer');
        await writeFileDurably(disk, `${directory}/a`, Buffer.from('first'));
        await writeFileDurably(disk, `${directory}/a`, Buffer.from('2nd'));
        expect(await text(disk, `${directory}/a`)).toBe('2nd');
        expect((await disk.list(directory)).map((entry) => entry.name)).toEqual(['a']);
      }));
  });
}
