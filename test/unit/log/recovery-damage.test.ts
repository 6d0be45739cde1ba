// D-10.2, D-10.4: files that were damaged while nobody looked. Recovery gives a prefix of what was written that holds everything durable,
// or refuses with the file and the position; it never crashes, hangs, or takes more memory than there are bytes.
import { copyFile, readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EnvError } from '../../../src/env/error.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const SMALL = { ...CONFIG, segmentBytes: 4500, indexIntervalBytes: 500 };
const BATCHES = 24;
const PER_BATCH = 3;
const END = BATCHES * PER_BATCH;

interface Written {
  readonly folder: string;
  readonly all: Buffer;
  /** Segments by base offset, ascending, and where each one's batches begin. */
  readonly segments: readonly { readonly base: number; readonly size: number; readonly starts: readonly number[] }[];
}

function path(folder: string, base: number): string {
  return `${folder}/${String(base).padStart(20, '0')}.log`;
}

let first: Promise<Written> | undefined;

/** A log that its process left as it was: nothing closed. Payloads hold no zeros. */
async function writeLog(): Promise<Written> {
  first ??= writeFirst();
  const { all, segments } = await first;
  const folder = await tempFolder();
  let from = 0;
  for (const { base, size } of segments) {
    await writeFile(path(folder, base), all.subarray(from, from + size));
    from += size;
  }
  return { folder, all, segments };
}

async function writeFirst(): Promise<Written> {
  const folder = await tempFolder();
  const log = await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown: true, recoveryPoint: 0 });
  for (let i = 0; i < BATCHES; i++) {
    log.append(batch({ count: PER_BATCH, bytes: 100 + 97 * (i % 5), timestamp: 5000 + i }), i < BATCHES / 2 ? 1 : 2);
  }
  await log.flush();
  await log.discard();
  const segments = [];
  const contents = [];
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.log')).sort()) {
    const bytes = await readFile(`${folder}/${name}`);
    const starts = [];
    for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) starts.push(at);
    segments.push({ base: Number.parseInt(name, 10), size: bytes.length, starts });
    contents.push(bytes);
  }
  return { folder, all: Buffer.concat(contents), segments };
}

/** The bytes of all batches below the log's end, or why it was refused. */
async function recover({ folder }: Written, recoveryPoint: number): Promise<Buffer | string> {
  try {
    const log = await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown: false, recoveryPoint });
    expect(log.logEndOffset).toBeGreaterThanOrEqual(recoveryPoint);
    await log.discard();
    const files = (await readdir(folder)).filter((file) => file.endsWith('.log')).sort();
    return Buffer.concat(await Promise.all(files.map((name) => readFile(`${folder}/${name}`))));
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    expect(error.code).toBe('CORRUPT');
    return error.message;
  }
}

type Damage =
  | { readonly kind: 'flip'; readonly segment: number; readonly at: number; readonly bit: number }
  | { readonly kind: 'zero sector'; readonly segment: number; readonly at: number }
  | { readonly kind: 'random sector'; readonly segment: number; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'cut'; readonly segment: number; readonly at: number }
  | { readonly kind: 'hostile length'; readonly segment: number; readonly at: number; readonly length: number }
  | { readonly kind: 'twice'; readonly segment: number; readonly at: number }
  | { readonly kind: 'missing'; readonly segment: number };

const segment = fc.nat(20);
const at = fc.nat(5000);
const damages: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), segment, at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('zero sector' as const), segment, at }),
  fc.record({
    kind: fc.constant('random sector' as const),
    segment,
    at,
    bytes: fc.uint8Array({ minLength: 512, maxLength: 512 }),
  }),
  fc.record({ kind: fc.constant('cut' as const), segment, at }),
  fc.record({ kind: fc.constant('hostile length' as const), segment, at, length: fc.integer() }),
  fc.record({ kind: fc.constant('twice' as const), segment, at: fc.integer({ min: 1, max: END }) }),
  fc.record({ kind: fc.constant('missing' as const), segment }),
);

async function inflict({ folder, segments }: Written, damage: Damage): Promise<void> {
  const { base, size, starts } = segments[damage.segment % segments.length] as Written['segments'][number];
  const file = path(folder, base);
  const bytes = await readFile(file);
  switch (damage.kind) {
    case 'flip': {
      const position = damage.at % size;
      bytes[position] = (bytes[position] as number) ^ (1 << damage.bit);
      return writeFile(file, bytes);
    }
    case 'zero sector': {
      const position = (damage.at % size) & ~511;
      return writeFile(file, bytes.fill(0, position, Math.min(position + 512, size)));
    }
    case 'random sector':
      bytes.set(damage.bytes.subarray(0, size - ((damage.at % size) & ~511)), (damage.at % size) & ~511);
      return writeFile(file, bytes);
    case 'cut':
      return truncate(file, damage.at % size);
    case 'hostile length':
      bytes.writeInt32BE(damage.length, (starts[damage.at % starts.length] as number) + 8);
      return writeFile(file, bytes);
    case 'twice':
      return copyFile(file, path(folder, segments.some(({ base: other }) => other === damage.at) ? base : damage.at));
    case 'missing':
      return unlink(file);
  }
}

/** What no CRC covers of the last batch, whose fields nothing contradicts: base offset and leader epoch. */
function isUncovered({ all, segments }: Written, result: Buffer): boolean {
  const last = all.length - (segments.at(-1)?.size ?? 0) + (segments.at(-1)?.starts.at(-1) ?? 0);
  if (result.length !== all.length) return false;
  const changed = [...all.keys()].filter((i) => all[i] !== result[i]);
  return changed.every((i) => (i >= last && i < last + 8) || (i >= last + 12 && i < last + 16) || (i >= 12 && i < 16));
}

/**
 * Whether it is in a segment that is durable as a whole, which recovery does not look at: who reads it checks the CRC. The first segments
 * that are missing cannot be told from those that retention took.
 */
function isBelow({ segments }: Written, damage: Damage, recoveryPoint: number): boolean {
  const touched = damage.segment % segments.length;
  const end = segments[touched + 1]?.base ?? Infinity;
  if (damage.kind === 'twice') return damage.at <= recoveryPoint;
  return end < recoveryPoint || (damage.kind === 'missing' && touched === 0);
}

test('random damage: a prefix with all that was durable, or a refusal that names file and position', async () => {
  const met = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(damages, fc.nat(BATCHES), async (damage, durable) => {
      const written = await writeLog();
      const recoveryPoint = durable * PER_BATCH;
      await inflict(written, damage);
      const result = await recover(written, recoveryPoint);
      met.set(typeof result === 'string' ? 'refused' : 'opened', (met.get(typeof result) ?? 0) + 1);
      if (typeof result === 'string') {
        expect(result).toMatch(/\d{20}\.log (.*position \d+|is empty)/);
        return;
      }
      if (isBelow(written, damage, recoveryPoint)) return;
      expect(written.all.subarray(0, result.length).equals(result) || isUncovered(written, result)).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect([...met.keys()].sort()).toEqual(['opened', 'refused']);
});

describe('D-10.4: a flipped bit in the middle of a sealed segment', () => {
  async function flipped(): Promise<{ written: Written; position: number; offset: number }> {
    const written = await writeLog();
    const { base, starts } = written.segments[1] as Written['segments'][number];
    const position = starts[2] as number;
    const file = path(written.folder, base);
    const bytes = await readFile(file);
    bytes[position + 150] = (bytes[position + 150] as number) ^ 4;
    await writeFile(file, bytes);
    return { written, position, offset: base + 2 * PER_BATCH };
  }

  test('above the recovery point: refused, with what follows it', async () => {
    const { written, position, offset } = await flipped();
    const refusal = await recover(written, written.segments[1]?.base as number);
    expect(refusal).toContain(`damaged at position ${position} (offset ${offset})`);
    expect(refusal).toContain('an intact batch follows at position');
  });

  test('below it, in the segment that it is in: refused', async () => {
    const { written, position, offset } = await flipped();
    expect(await recover(written, offset + 5)).toContain(`damaged at position ${position} (offset ${offset})`);
  });

  test('below it, in a segment that is durable as a whole: the log opens and loses nothing; readers meet the CRC', async () => {
    const { written } = await flipped();
    const result = await recover(written, END);
    expect((result as Buffer).length).toBe(written.all.length);
  });
});

describe('a batch whose last byte, a zero by right, begins a sector', () => {
  const value = Buffer.alloc(2000, 0x61);
  const sized = (bytes: number) =>
    buildBatch([{ timestamp: 1, key: null, value: value.subarray(0, bytes), headers: [] }], {
      partitionLeaderEpoch: 1,
    });
  const overhead = sized(1000).length - 1000;
  const first = sized(1025 - overhead);
  const second = buildBatch([{ timestamp: 2, key: null, value, headers: [] }], {
    baseOffset: 1,
    partitionLeaderEpoch: 1,
  });

  async function recoverWith(edit: (bytes: Buffer) => void): Promise<Buffer | string> {
    expect([first.length, first.at(-1)]).toEqual([1025, 0]);
    const folder = await tempFolder();
    const bytes = Buffer.concat([first, second]);
    edit(bytes);
    await writeFile(path(folder, 0), bytes);
    return recover({ folder, all: bytes, segments: [] }, 0);
  }

  test('is rotten if another byte of it is: refused', async () => {
    const result = await recoverWith((bytes) => bytes.writeUInt8(0x62, 700));
    expect(result).toContain('damaged at position 0 (offset 0)');
    expect(result).toContain('an intact batch follows at position 1025');
  });

  test('is torn if another sector of it is missing: cut', async () => {
    expect(await recoverWith((bytes) => bytes.fill(0, 512, 1024))).toEqual(Buffer.alloc(0));
  });
});

test('D-10.2 a segment below the recovery point that is gone: no reader is led over the hole', async () => {
  const folder = await tempFolder();
  const unclean = { cleanShutdown: false, recoveryPoint: END };
  const before = await PartitionLog.open(deps(), folder, SMALL, { ...unclean, recoveryPoint: 0 });
  for (let i = 0; i < BATCHES; i++) before.append(batch({ count: PER_BATCH, bytes: 300 }), 1);
  await before.flush();
  await before.discard();
  const bases = (await readdir(folder))
    .filter((name) => name.endsWith('.log'))
    .map((name) => Number.parseInt(name, 10));
  const [gone, last] = [bases[1] as number, bases.at(-1) as number];
  await unlink(path(folder, gone));
  const log = await PartitionLog.open(deps(), folder, SMALL, unclean);
  const message = expect.stringContaining(`it ends at offset ${gone}, and should at ${bases[2]}`) as string;
  await expect(log.read(gone, 1000, END, true)).rejects.toMatchObject({ code: 'CORRUPT', message });
  expect((await log.read(last, 1000, END, true)).readBigInt64BE(0)).toBe(BigInt(last));
  await log.discard();
});

test('a length that says more than the file has takes no memory', async () => {
  const written = await writeLog();
  const { base, starts } = written.segments[0] as Written['segments'][number];
  const file = path(written.folder, base);
  const bytes = await readFile(file);
  bytes.writeInt32BE(0x7fff_fff0, (starts[1] as number) + 8);
  await writeFile(file, bytes);
  const before = process.memoryUsage().arrayBuffers;
  expect(await recover(written, 0)).toContain('an intact batch follows at position');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
});

test('records that look like batches do not keep recovery busy for ever', async () => {
  const folder = await tempFolder();
  const fakes = Buffer.alloc(2 * 1024 * 1024, 0x11);
  for (let from = 0; from + 61 <= fakes.length; from += 61) {
    fakes.writeBigInt64BE(1n, from);
    fakes.writeInt32BE(fakes.length - from - 20, from + 8);
    fakes.writeInt8(2, from + 16);
  }
  const bytes = buildBatch([{ timestamp: 1, key: null, value: fakes, headers: [] }], { partitionLeaderEpoch: 1 });
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  await writeFile(path(folder, 0), bytes);
  expect(await recover({ folder, all: bytes, segments: [] }, 0)).toContain('too much that follows looks like a batch');
});
