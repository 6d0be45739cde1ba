// The Store port's promises, as far as they show without a power cut.
import { describe, expect, it } from 'vitest';
import { isEnvError } from '../../src/env/error.ts';
import type { Store, StoreOperation, StoreRange } from '../../src/env/store.ts';
import type { Harness } from './harness.ts';
import { rejectionOf } from './harness.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const put = (key: string, value: string): StoreOperation => ({ type: 'put', key: bytes(key), value: bytes(value) });
const remove = (key: string): StoreOperation => ({ type: 'delete', key: bytes(key) });

async function keys(store: Store, range?: StoreRange): Promise<string[]> {
  const found: string[] = [];
  for await (const [key] of store.entries(range)) found.push(key.toString('latin1'));
  return found;
}

export function storeSuite(name: string, harness: Harness): void {
  describe(`${name} store`, () => {
    it('creates missing folders, keeps what was written, and opens again', () =>
      harness.run(async ({ env, directory }) => {
        const path = `${directory}/new/db`;
        const first = await env.openStore(path);
        await first.batch([put('a', '1'), put('b', '')], { sync: true });
        await first.batch([put('c', '3')], { sync: false });
        await first.close();
        const second = await env.openStore(path);
        expect((await second.get(bytes('a')))?.toString()).toBe('1');
        expect(await second.get(bytes('b'))).toHaveLength(0);
        expect((await second.get(bytes('c')))?.toString()).toBe('3');
        expect(await second.get(bytes('d'))).toBeUndefined();
        await second.close();
      }));

    it('applies the operations of a batch in order', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        await store.batch([put('a', '1'), put('b', '1')], { sync: true });
        await store.batch([remove('a'), put('b', '2'), put('c', '1'), remove('c'), put('c', '2')], { sync: true });
        await store.batch([], { sync: true });
        expect(await store.get(bytes('a'))).toBeUndefined();
        expect((await store.get(bytes('b')))?.toString()).toBe('2');
        expect((await store.get(bytes('c')))?.toString()).toBe('2');
        await store.close();
      }));

    it('applies batches in the order of the calls', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        const batches = Array.from({ length: 20 }, (_, index) =>
          store.batch([put('last', String(index)), put(`k${index}`, 'x')], { sync: index % 3 === 0 }),
        );
        await Promise.all(batches);
        expect((await store.get(bytes('last')))?.toString()).toBe('19');
        expect(await keys(store, { from: bytes('k') })).toHaveLength(21);
        await store.close();
      }));

    it('does not depend on the buffers after the batch resolved', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        const key = bytes('key');
        const value = bytes('value');
        await store.batch([{ type: 'put', key, value }], { sync: true });
        key.fill(0);
        value.fill(0);
        expect((await store.get(bytes('key')))?.toString()).toBe('value');
        await store.close();
      }));

    it('sorts keys as unsigned bytes', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        const sorted = ['\x00', '\x00\x00', '\x01', 'a', 'a\x00', 'ab', 'b', '\x7f', '\x80', '\xff', '\xff\xff'];
        await store.batch(
          [...sorted].reverse().map((key) => put(key, key)),
          { sync: true },
        );
        expect(await keys(store)).toEqual(sorted);
        expect(await keys(store, { reverse: true })).toEqual([...sorted].reverse());
        await store.close();
      }));

    it('bounds a range: from inclusive, to exclusive, limit, reverse', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        await store.batch(
          ['a', 'b', 'c', 'd', 'e'].map((key) => put(key, key)),
          { sync: true },
        );
        const range = { from: bytes('b'), to: bytes('e') };
        expect(await keys(store, range)).toEqual(['b', 'c', 'd']);
        expect(await keys(store, { ...range, reverse: true })).toEqual(['d', 'c', 'b']);
        expect(await keys(store, { ...range, limit: 2 })).toEqual(['b', 'c']);
        expect(await keys(store, { ...range, limit: 1, reverse: true })).toEqual(['d']);
        expect(await keys(store, { limit: 0 })).toEqual([]);
        expect(await keys(store, { from: bytes('bb') })).toEqual(['c', 'd', 'e']);
        expect(await keys(store, { to: bytes('bb') })).toEqual(['a', 'b']);
        expect(await keys(store, { from: bytes('d'), to: bytes('d') })).toEqual([]);
        expect(await keys(store, { from: bytes('x') })).toEqual([]);
        await store.close();
      }));

    it('reads entries as of the call', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        await store.batch([put('a', '1'), put('b', '1')], { sync: true });
        const entries = store.entries();
        await store.batch([remove('a'), put('b', '2'), put('c', '2')], { sync: true });
        const seen: string[] = [];
        for await (const [key, value] of entries) seen.push(`${key.toString()}=${value.toString()}`);
        expect(seen).toEqual(['a=1', 'b=1']);
        await store.close();
      }));

    it('lets a reader stop early, and holds many entries', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        const value = 'v'.repeat(300);
        const operations = Array.from({ length: 3000 }, (_, index) => put(String(index).padStart(6, '0'), value));
        await store.batch(operations, { sync: true });
        for await (const [key] of store.entries()) if (key.toString() === '000010') break;
        expect(await keys(store)).toHaveLength(3000);
        await store.close();
      }));

    it('is locked while open and free after close', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        expect(isEnvError(await rejectionOf(env.openStore(`${directory}/db`)), 'LOCKED')).toBe(true);
        expect(await store.get(bytes('a'))).toBeUndefined();
        await store.close();
        await (await env.openStore(`${directory}/db`)).close();
      }));

    it('refuses use after close with CLOSED', () =>
      harness.run(async ({ env, directory }) => {
        const store = await env.openStore(`${directory}/db`);
        await store.close();
        expect(isEnvError(await rejectionOf(store.get(bytes('a'))), 'CLOSED')).toBe(true);
        expect(isEnvError(await rejectionOf(store.batch([put('a', '1')], { sync: true })), 'CLOSED')).toBe(true);
        expect(isEnvError(await rejectionOf(keys(store)), 'CLOSED')).toBe(true);
      }));
  });
}
