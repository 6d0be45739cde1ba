// Files that are not what they should be: random bytes, mutated files, files cut short, in the place of each file of a partition.
// Looking into them and opening the log over them ends, in bounded time and memory, with an answer or an EnvError; never with
// a failed assertion or another crash, and a log that opens can be read, written and closed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../../src/codec/compression.ts';
import { EnvError } from '../../../src/env/error.ts';
import { fileKind } from '../../../src/log/inspect/file-kind.ts';
import type { Finding } from '../../../src/log/inspect/finding.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { readPartitionMetadata } from '../../../src/log/partition-folder.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { readMetaProperties, StorageError, writeMetaProperties } from '../../../src/log/storage.ts';
import { createDisk } from '../../../src/node/disk.ts';
import { openStore } from '../../../src/node/store.ts';
import { BatchHeader, CRC_AT } from '../../../src/record/batch.ts';
import { RecordError } from '../../../src/record/record.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { batch, CONFIG, deps, tempFolder } from '../../unit/log/fixture.ts';
import { findings, golden } from '../../unit/log/golden-folders.ts';

const RUNS = Number(process.env['RUNS'] ?? 100);
/** More than the largest file here by far, less than any length that is believed without a look. */
const MAX_MEMORY_BYTES = 96 * 1024 * 1024;
const ENDS = { 'mixed-0': 298, 'mixed-unclean-0': 298, 'compacted-1': 125 } as const;

beforeAll(loadCodecs);

type Damage =
  | { readonly kind: 'random'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'cut' | 'zeros-after' | 'zeros-from' | 'twice' | 'removed-from';
      readonly at: number;
      readonly count: number;
    }
  | { readonly kind: 'flips'; readonly at: readonly number[]; readonly bits: number }
  | { readonly kind: 'number'; readonly at: number; readonly width: 1 | 2 | 4 | 8; readonly value: bigint }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array };

/** A place in a file of any size. */
const place = fc.nat({ max: 1 << 20 });
const extremes = fc.constantFrom(
  0n,
  -1n,
  1n,
  0x7fn,
  -0x80n,
  0x7fffn,
  0x7fffffffn,
  -0x80000000n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
);

const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('random' as const), bytes: fc.uint8Array({ maxLength: 700 }) }),
  fc.record({
    kind: fc.constantFrom('cut', 'zeros-after', 'zeros-from', 'twice', 'removed-from'),
    at: place,
    count: fc.nat({ max: 3000 }),
  }),
  fc.record({
    kind: fc.constant('flips' as const),
    at: fc.array(place, { minLength: 1, maxLength: 4 }),
    bits: fc.integer({ min: 1, max: 255 }),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('number' as const),
      at: place,
      width: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
      value: fc.oneof(extremes, fc.bigInt({ min: -1000n, max: 1000n })),
    }),
  },
  fc.record({ kind: fc.constant('insert' as const), at: place, bytes: fc.uint8Array({ maxLength: 80 }) }),
);

interface Change {
  /** Which of the folder's files. */
  readonly file: number;
  readonly damage: Damage;
  /** Of a segment: every batch gets the CRC that its damaged content has, so that what lies behind it is reached. */
  readonly renewCrc: boolean;
}

const change: fc.Arbitrary<Change> = fc.record({ file: fc.nat(), damage, renewCrc: fc.boolean() });

function damaged(bytes: Buffer, how: Damage): Buffer {
  const size = Math.max(bytes.length, 1);
  switch (how.kind) {
    case 'random':
      return Buffer.from(how.bytes);
    case 'cut':
      return bytes.subarray(0, how.at % size);
    case 'zeros-after':
      return Buffer.concat([bytes, Buffer.alloc(how.count)]);
    case 'zeros-from':
      return Buffer.from(bytes).fill(0, how.at % size, Math.min(bytes.length, (how.at % size) + how.count));
    case 'twice':
      return Buffer.concat([bytes, bytes.subarray(how.at % size)]);
    case 'removed-from':
      return Buffer.concat([bytes.subarray(0, how.at % size), bytes.subarray((how.at % size) + how.count)]);
    case 'flips': {
      const copy = Buffer.from(bytes);
      for (const at of how.at) if (copy.length > 0) copy[at % size] = (copy[at % size] as number) ^ how.bits;
      return copy;
    }
    case 'number': {
      const copy = Buffer.from(bytes);
      const written = Buffer.alloc(8);
      written.writeBigInt64BE(how.value);
      written.subarray(8 - how.width).copy(copy, how.at % size);
      return copy;
    }
    case 'insert':
      return Buffer.concat([bytes.subarray(0, how.at % size), how.bytes, bytes.subarray(how.at % size)]);
  }
}

function apply(folder: string, { file, damage: how, renewCrc }: Change): string {
  const names = readdirSync(folder);
  const path = join(folder, names[file % names.length] as string);
  const bytes = Buffer.from(damaged(readFileSync(path), how));
  if (renewCrc && path.endsWith('.log')) {
    for (const header of splitBatches(bytes)) bytes.writeUInt32BE(header.computeCrc(), header.start + CRC_AT);
  }
  writeFileSync(path, bytes);
  return path;
}

/** The most that buffers took more than before, while the work was done. */
async function memoryOf(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const look = (): void => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  };
  const timer = setInterval(look, 1);
  await work().finally(() => clearInterval(timer));
  look();
  return most;
}

/** What the runs met: the properties are worth nothing if these stay away. */
const met = { problems: 0, none: 0, opened: 0, refused: 0, readFailed: 0, appended: 0 };
afterAll(() => {
  for (const [what, count] of Object.entries(met)) expect(count, what).toBeGreaterThan(0);
});

const folderName = fc.constantFrom('mixed-0' as const, 'mixed-unclean-0' as const, 'compacted-1' as const);

describe('D-10 whatever a file holds', () => {
  test('looking into it ends with a summary', async () => {
    const example = fc.tuple(folderName, fc.array(change, { minLength: 1, maxLength: 2 }));
    await fc.assert(
      fc.asyncProperty(example, async ([name, changes]) => {
        const folder = join(await tempFolder(), name);
        await cp(golden(name), folder, { recursive: true });
        for (const one of changes) apply(folder, one);
        let found: Finding[] = [];
        const memory = await memoryOf(async () => {
          found = await findings(folder);
        });
        expect(memory).toBeLessThan(MAX_MEMORY_BYTES);
        const known = readdirSync(folder).filter((file) => fileKind(file) !== undefined);
        expect(found.filter(({ type }) => type === 'summary')).toHaveLength(known.length);
        if (found.some(({ type }) => type === 'problem')) met.problems += 1;
        else met.none += 1;
      }),
      { numRuns: RUNS },
    );
  });

  test('the log over it is refused, or opens and works', async () => {
    const example = fc.record({
      name: folderName,
      changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      cleanShutdown: fc.boolean(),
      /** Of the log's length. */
      durable: fc.constantFrom(0, 0.4, 0.7, 1),
    });
    await fc.assert(
      fc.asyncProperty(example, async ({ name, changes, cleanShutdown, durable }) => {
        const folder = join(await tempFolder(), name);
        await cp(golden(name), folder, { recursive: true });
        for (const one of changes) apply(folder, one);
        const recoveryPoint = Math.floor(durable * ENDS[name]);
        const memory = await memoryOf(() => openAndUse(folder, { cleanShutdown, recoveryPoint }));
        expect(memory).toBeLessThan(MAX_MEMORY_BYTES);
      }),
      { numRuns: RUNS },
    );
  });

  test('meta.properties and partition.metadata are understood, or not', async () => {
    const disk = createDisk();
    const files = [
      { name: 'partition.metadata', bytes: readFileSync(golden('mixed-0', 'partition.metadata')) },
      { name: 'meta.properties', bytes: readFileSync(golden('meta.properties')) },
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), damage, async ({ name, bytes }, how) => {
        const folder = await tempFolder();
        writeFileSync(join(folder, name), damaged(bytes, how));
        expect((await findings(folder)).at(-1)?.type).toBe('summary');
        await readPartitionMetadata(disk, folder);
        await readMetaProperties(disk, folder).catch((error: unknown) => {
          if (!(error instanceof StorageError)) throw error;
        });
      }),
      { numRuns: RUNS },
    );
  });
});

const TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ';
const OWNER = { nodeId: 3, clusterId: '4L6g3nShT-eMCtK--X86sw' };
const SMALL = { ...CONFIG, segmentBytes: 1500, indexIntervalBytes: 200 };

/** A log directory after a clean stop, with one partition of several segments. */
async function stoppedDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kvorum-log-'));
  const meta = { ...OWNER, directoryId: 'q1Sh-9_ISia_zwGINzRvyQ', version: 1 } as const;
  await writeMetaProperties(createDisk(), path, meta);
  const directory = await LogDirectory.open({ ...deps(), openStore }, path, OWNER);
  const log = await directory.openLog('t', TOPIC_ID, 0, SMALL);
  await log.warm();
  for (let i = 0; i < 40; i++) {
    const producer = i % 2 === 0 ? {} : { producerId: 7, producerEpoch: 0, baseSequence: (i - 1) / 2 };
    log.append(batch({ bytes: i * 3, timestamp: 1_700_000_000_000 + i, ...producer }), Math.floor(i / 15));
  }
  await directory.close(true, 5);
  return path;
}

describe('D-10.1 after a clean stop nothing is looked at', () => {
  let stopped: string;
  beforeAll(async () => {
    stopped = await stoppedDirectory();
  });
  afterAll(() => rm(stopped, { recursive: true }));

  test('until it is used: then damage is damage', async () => {
    const example = fc.record({
      changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      marker: fc.option(damage, { freq: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(example, async ({ changes, marker }) => {
        const path = join(await tempFolder(), 'directory');
        await cp(stopped, path, { recursive: true });
        for (const one of changes) apply(join(path, 't-0'), one);
        const clean = join(path, '.kafka_cleanshutdown');
        if (marker !== null) writeFileSync(clean, damaged(readFileSync(clean), marker));
        const memory = await memoryOf(() => startAndUse(path));
        expect(memory).toBeLessThan(MAX_MEMORY_BYTES);
      }),
      { numRuns: RUNS },
    );
  });
});

async function startAndUse(path: string): Promise<void> {
  const directory = await LogDirectory.open({ ...deps(), openStore }, path, OWNER);
  try {
    await useOrNot(() => directory.openLog('t', TOPIC_ID, 0, SMALL));
  } finally {
    await directory.close(false, -1);
  }
}

function openAndUse(
  folder: string,
  recovery: { readonly cleanShutdown: boolean; readonly recoveryPoint: number },
): Promise<void> {
  return useOrNot(async () => {
    const log = await PartitionLog.open(deps(), folder, CONFIG, recovery);
    // D-10.2: what was durable is there, or the log is refused.
    expect(log.logEndOffset).toBeGreaterThanOrEqual(recovery.recoveryPoint);
    return log;
  });
}

async function useOrNot(open: () => Promise<PartitionLog>): Promise<void> {
  let log: PartitionLog;
  try {
    log = await open();
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    met.refused += 1;
    return;
  }
  met.opened += 1;
  try {
    await use(log);
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    met.readFailed += 1;
  } finally {
    await log.discard();
  }
}

/** Reads all of it, looks times up, appends, closes. EnvError where damage is met that the start did not look for. */
async function use(log: PartitionLog): Promise<void> {
  const { logStartOffset, logEndOffset } = log;
  expect(logStartOffset).toBeLessThanOrEqual(logEndOffset);
  let failed = false;
  const tolerate = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      // RecordError: to know the time of a record its batch must be unpacked. Brokers answer with CORRUPT_MESSAGE then.
      if (!(error instanceof EnvError) && !(error instanceof RecordError)) throw error;
      failed = true;
      return undefined;
    }
  };
  for (let offset = logStartOffset; offset < logEndOffset; ) {
    const from = offset;
    const bytes = await tolerate(() => log.read(from, 700, logEndOffset, true));
    const last = bytes === undefined ? undefined : [...splitBatches(bytes)].at(-1);
    if (last === undefined) break;
    // Every batch brings a reader forward.
    expect(last.nextOffset).toBeGreaterThan(offset);
    offset = last.nextOffset;
  }
  for (const timestamp of [0, 1_700_000_005_000, 1_700_000_060_000]) {
    await tolerate(() => log.offsetForTimestamp(timestamp, logEndOffset));
  }
  await tolerate(() => log.offsetOfMaxTimestamp(logEndOffset));
  await log.warm();
  const appended = log.append(batch({ count: 2 }), Math.max(20, log.epochs.latestEpoch));
  expect(appended).toMatchObject({ kind: 'appended', baseOffset: logEndOffset });
  await log.flush();
  const back = await log.read(logEndOffset, 1000, log.logEndOffset, true);
  expect(new BatchHeader(back).baseOffset).toBe(logEndOffset);
  met.appended += 1;
  await log.close();
  if (failed) met.readFailed += 1;
}
