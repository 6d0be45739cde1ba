import { expect, test } from 'vitest';
import type { DiskFile } from '../../../src/env/disk.ts';
import { EnvError } from '../../../src/env/error.ts';
import type { Source } from '../../../src/log/read-ahead.ts';
import { ReadAhead } from '../../../src/log/read-ahead.ts';
import { batch } from './fixture.ts';

const WINDOW = 4000;

/** A file in memory that counts its preads; they are done when `release` is called, or at once. */
class CountingFile implements Pick<DiskFile, 'path' | 'read'> {
  readonly path = '/t-0/0.log';
  preads = 0;
  running = 0;
  mostRunning = 0;
  failNext = false;
  hold: Promise<void> | undefined;
  readonly content: Buffer;

  constructor(content: Buffer) {
    this.content = content;
  }

  async read(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    this.preads += 1;
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    const fails = this.failNext;
    this.failNext = false;
    await (this.hold ?? Promise.resolve());
    this.running -= 1;
    if (fails) throw new EnvError('IO', 'injected');
    const part = this.content.subarray(position, position + length);
    target.set(part, targetStart);
    return part.length;
  }
}

const ONE = batch({ bytes: 100 });
const CONTENT = Buffer.concat(
  Array.from({ length: 100 }, (_, i) => {
    const bytes = Buffer.from(ONE);
    bytes.writeBigInt64BE(BigInt(i));
    return bytes;
  }),
);

function source(file: CountingFile, generation = 0, segment: object = file): Source {
  return { segment, file: file as unknown as DiskFile, generation, size: file.content.length };
}

const fresh = (size: number): Buffer => Buffer.alloc(size);

/** Reads to the end, two batches at a time, as one who was there before. */
async function readAll(ahead: ReadAhead, from: Source): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = 0; at < from.size; ) {
    const bytes = await ahead.read(from, at, Math.min(ONE.length * 2 + 7, from.size - at), true, fresh);
    const whole = bytes.subarray(0, Math.floor(bytes.length / ONE.length) * ONE.length);
    parts.push(whole);
    at += whole.length;
  }
  return Buffer.concat(parts);
}

test('who goes on with small reads is served from few large ones, with the same bytes', async () => {
  const file = new CountingFile(CONTENT);
  expect((await readAll(new ReadAhead(2, 2, WINDOW), source(file))).equals(CONTENT)).toBe(true);
  expect(file.preads).toBeLessThanOrEqual(Math.ceil(CONTENT.length / (WINDOW - ONE.length)) + 1);
});

test('a jump, a read of half a window or more, and the last bytes are read as they are asked for', async () => {
  const file = new CountingFile(CONTENT);
  const ahead = new ReadAhead(2, 2, WINDOW);
  const from = source(file);
  await ahead.read(from, 0, 200, false, fresh);
  await ahead.read(from, ONE.length, WINDOW / 2 + 1, true, fresh);
  const last = await ahead.read(from, CONTENT.length - ONE.length, ONE.length, true, fresh);
  expect(last.equals(CONTENT.subarray(-ONE.length))).toBe(true);
  expect(file.preads).toBe(3);
  await ahead.read(from, 0, 200, true, fresh);
  await ahead.read(from, ONE.length, 200, true, fresh);
  expect(file.preads).toBe(4);
});

test('what was read ahead is of its generation and its segment alone', async () => {
  const file = new CountingFile(Buffer.from(CONTENT));
  const ahead = new ReadAhead(2, 4, WINDOW);
  await ahead.read(source(file), 0, 200, true, fresh);
  file.content.fill(0, ONE.length, 2 * ONE.length);
  const stale = await ahead.read(source(file), ONE.length, ONE.length, true, fresh);
  expect(stale.equals(CONTENT.subarray(ONE.length, 2 * ONE.length))).toBe(true);
  for (const other of [source(file, 1), source(file, 0, {})]) {
    const bytes = await ahead.read(other, ONE.length, ONE.length, true, fresh);
    expect(bytes.equals(Buffer.alloc(ONE.length))).toBe(true);
  }
});

test('with more readers than windows no window is taken from who uses it', async () => {
  const ahead = new ReadAhead(2, 2, WINDOW);
  const files = Array.from({ length: 10 }, () => new CountingFile(CONTENT));
  const all = await Promise.all(files.map((file) => readAll(ahead, source(file))));
  for (const bytes of all) expect(bytes.equals(CONTENT)).toBe(true);
  // Nobody reads ahead for nothing: alone each would need 50.
  const preads = files.map((file) => file.preads);
  expect(Math.max(...preads)).toBeLessThanOrEqual(50);
  expect(preads.reduce((sum, count) => sum + count)).toBeLessThan(400);
});

test('only so many reads run at once, and a failed one is told to whoever reads there', async () => {
  const file = new CountingFile(CONTENT);
  const ahead = new ReadAhead(2, 8, WINDOW);
  let release: () => void = () => {};
  file.hold = new Promise((resolve) => {
    release = resolve;
  });
  const reads = Array.from({ length: 20 }, (_, i) =>
    ahead.read(source(file, 0, {}), i * ONE.length, 500, i % 2 === 0, fresh),
  );
  await Promise.resolve();
  expect(file.preads).toBe(2);
  release();
  for (const [i, bytes] of (await Promise.all(reads)).entries()) {
    expect(bytes.equals(CONTENT.subarray(i * ONE.length, i * ONE.length + bytes.length))).toBe(true);
    expect(bytes.length).toBeGreaterThanOrEqual(ONE.length);
  }
  expect(file.mostRunning).toBe(2);
  const broken = new CountingFile(CONTENT);
  broken.failNext = true;
  // The read ahead fails, the one for the reader himself does not.
  const other = new ReadAhead(2, 2, WINDOW);
  expect(await other.read(source(broken), 0, 200, true, fresh)).toHaveLength(200);
  broken.failNext = true;
  await expect(other.read(source(broken), 0, 3000, false, fresh)).rejects.toMatchObject({ code: 'IO' });
});
