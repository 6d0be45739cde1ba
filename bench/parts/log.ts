// The partition log alone, beside what plain system calls do with the same bytes in the same run: appending large batches, small
// ones that wait for the disk together, reading in order, and finding offsets.
import { randomInt } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { LogConfig } from '../../src/log/log-state.ts';
import type { PartitionLog } from '../../src/log/partition-log.ts';
import { splitBatches } from '../../src/record/scan.ts';
import { randomBatch } from '../harness/kafka.ts';
import type { ReadCount } from '../harness/log-bench.ts';
import { openLog } from '../harness/log-bench.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median, percentile } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const MIB = 1024 * 1024;
const LARGE_BATCH_BYTES = 100 * 1024;
const APPEND_BYTES = 256 * MIB;
const SMALL_BATCH_BYTES = 1100;
const LOG_BYTES = 1024 * MIB;
const READ_BYTES = MIB;
const LOOKUPS = 2000;

/**
 * What the raw side did on the machine that the targets were set on, quiet. Below 70 % of it something else had the machine, and
 * the ratios mean nothing.
 */
const QUIET = { append: 1958, read: 3143 };

/** Small appends that wait for the disk together: how many, in what kind of file, and how long a flush takes the quiet machine. */
interface Waiting {
  readonly count: number;
  readonly preallocate: boolean;
  readonly quietSeconds: number;
}

const WAITING: readonly Waiting[] = [
  { count: 64, preallocate: false, quietSeconds: 229e-6 },
  { count: 64, preallocate: true, quietSeconds: 146e-6 },
  // So few that the log makes room for them.
  { count: 16, preallocate: true, quietSeconds: 120e-6 },
];
const VALID_SHARE = 0.7;

/** One who does the same work as the others; the result is a speed. */
interface Contender {
  readonly name: string;
  readonly measure: () => Promise<number>;
}

/** Medians of measurements in turns. */
async function inTurns(contenders: readonly Contender[], repetitions: number): Promise<number[]> {
  const speeds = contenders.map((): number[] => []);
  for (const { measure } of contenders) await measure();
  for (let i = 0; i < repetitions; i++) {
    for (const [j, { measure }] of contenders.entries()) speeds[j]?.push(await measure());
  }
  return speeds.map(median);
}

async function compare(
  title: string,
  unit: string,
  contenders: readonly Contender[],
  { quiet, target, repetitions }: { readonly quiet: number; readonly target: number; readonly repetitions: number },
): Promise<void> {
  const speeds = await inTurns(contenders, repetitions);
  const raw = speeds[0] ?? Number.NaN;
  printTable(
    title,
    ['', unit, 'of raw', 'target'],
    contenders.map(({ name }, i) => {
      const speed = speeds[i] ?? Number.NaN;
      return [name, digits(speed), digits(speed / raw), i === 0 ? '' : digits(target)];
    }),
  );
  if (raw >= VALID_SHARE * quiet) return;
  console.log(`  INVALID: raw is below ${VALID_SHARE} of ${digits(quiet)}, what a quiet machine does`);
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1000;
}

/** MB/s of plain asynchronous writes, one after the other. */
async function rawAppends(scope: Scope, batch: Buffer): Promise<number> {
  const path = join(scope.folder(), 'raw');
  const file = await fs.promises.open(path, 'w');
  const write = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      fs.write(file.fd, batch, 0, batch.length, at, (error) => (error === null ? resolve() : reject(error)));
    });
  const took = await seconds(async () => {
    for (let at = 0; at < APPEND_BYTES; at += batch.length) await write(at);
  });
  await file.close();
  fs.rmSync(path);
  return APPEND_BYTES / took / 1e6;
}

async function logAppends(scope: Scope, build: Build, batch: Buffer): Promise<number> {
  const folder = scope.folder();
  const log = await openLog(build, folder, { flushMode: 'async' });
  const took = await seconds(() => fill(log, batch, APPEND_BYTES));
  await log.discard();
  fs.rmSync(folder, { recursive: true });
  return APPEND_BYTES / took / 1e6;
}

async function fill(log: PartitionLog, batch: Buffer, bytes: number): Promise<void> {
  for (let at = 0; at < bytes; at += batch.length) {
    log.append(batch, 0);
    if ((at / batch.length) % 16 === 0) await turn();
  }
}

/** Runs producers that each append again once they are answered; answers per second. */
async function producers(
  count: number,
  runSeconds: number,
  append: (producer: number) => Promise<void>,
): Promise<number> {
  const endMs = performance.now() + runSeconds * 1000;
  let answered = 0;
  const took = await seconds(async () => {
    await Promise.all(
      Array.from({ length: count }, async (_, producer) => {
        for (; performance.now() < endMs; answered++) await append(producer);
      }),
    );
  });
  return answered / took;
}

const PREALLOCATED_BYTES = 384 * MIB;

/** The limit: all that came while a sync ran is written with one writev before the next one. */
async function rawGroupCommit(
  scope: Scope,
  batch: Buffer,
  runSeconds: number,
  { count, preallocate }: Waiting,
): Promise<number> {
  const path = join(scope.folder(), 'raw');
  const fd = fs.openSync(path, 'w');
  if (preallocate) {
    const zeros = Buffer.alloc(4 * MIB);
    for (let at = 0; at < PREALLOCATED_BYTES; at += zeros.length) fs.writeSync(fd, zeros, 0, zeros.length, at);
    fs.fsyncSync(fd);
  }
  let waiting: (() => void)[] = [];
  let syncing = false;
  let end = 0;
  function commit(): void {
    const group = waiting;
    waiting = [];
    end += fs.writevSync(
      fd,
      group.map(() => batch),
      end,
    );
    if (preallocate && end > PREALLOCATED_BYTES) end = 0;
    fs.fdatasync(fd, (error) => {
      if (error !== null) throw error;
      for (const answer of group) answer();
      syncing = false;
      // When those who were answered have written again.
      setImmediate(start);
    });
  }
  function start(): void {
    if (syncing || waiting.length === 0) return;
    syncing = true;
    commit();
  }
  const speed = await producers(
    count,
    runSeconds,
    () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        if (!syncing) setImmediate(start);
      }),
  );
  fs.closeSync(fd);
  fs.rmSync(path);
  return speed;
}

async function logGroupCommit(scope: Scope, build: Build, batch: Buffer, runSeconds: number, waiting: Waiting) {
  const folder = scope.folder();
  const { count, preallocate } = waiting;
  const log = await openLog(build, folder, { flushMode: 'sync', preallocate });
  const batches = Array.from({ length: count }, () => Buffer.from(batch));
  // As a partition does: one flush after the other, each answers everybody whose records it covered.
  let unanswered: { readonly endOffset: number; readonly answer: () => void }[] = [];
  let flushing = false;
  async function flush(): Promise<void> {
    flushing = true;
    while (log.flushedEndOffset < log.logEndOffset) {
      await log.flush();
      const { flushedEndOffset } = log;
      const answered = unanswered.filter(({ endOffset }) => endOffset <= flushedEndOffset);
      unanswered = unanswered.filter(({ endOffset }) => endOffset > flushedEndOffset);
      for (const { answer } of answered) answer();
    }
    flushing = false;
  }
  const speed = await producers(count, runSeconds, (producer) => {
    log.append(batches[producer] as Buffer, 0);
    return new Promise((answer) => {
      unanswered.push({ endOffset: log.logEndOffset, answer });
      if (!flushing) void flush();
    });
  });
  await log.discard();
  fs.rmSync(folder, { recursive: true });
  return speed;
}

/**
 * Memory to read into. Processors copy several times slower where the target lies just behind the source modulo 4096, as with
 * reads at whole pages into memory that malloc returned: half a page away from that.
 */
function memory(size: number): Buffer {
  return Buffer.allocUnsafeSlow(size + 2048).subarray(2048);
}

/** MB/s of preads in order, each into the same memory. */
async function rawReads(path: string): Promise<number> {
  const file = await fs.promises.open(path, 'r');
  const target = memory(READ_BYTES);
  const { size } = await file.stat();
  const read = (at: number): Promise<void> =>
    new Promise((resolve, reject) => {
      fs.read(file.fd, target, 0, READ_BYTES, at, (error) => (error === null ? resolve() : reject(error)));
    });
  const took = await seconds(async () => {
    for (let at = 0; at < size; at += READ_BYTES) await read(at);
  });
  await file.close();
  return size / took / 1e6;
}

async function logReads(log: PartitionLog, readBytes: number): Promise<number> {
  const target = memory(2 * READ_BYTES);
  let bytes = 0;
  const took = await seconds(async () => {
    for (let offset = 0; offset < log.logEndOffset; ) {
      const records = await log.read(offset, readBytes, log.logEndOffset, true, (size) => target.subarray(0, size));
      bytes += records.length;
      for (const { nextOffset } of splitBatches(records)) offset = nextOffset;
    }
  });
  return bytes / took / 1e6;
}

async function lookUp(log: PartitionLog, count: ReadCount, batchBytes: number): Promise<readonly string[]> {
  const target = memory(2 * READ_BYTES);
  const preads: number[] = [];
  const micros: number[] = [];
  for (let i = 0; i < LOOKUPS; i++) {
    const offset = randomInt(log.logEndOffset);
    const before = { preads: count.preads, at: performance.now() };
    await log.read(offset, batchBytes, log.logEndOffset, true, (size) => target.subarray(0, size));
    micros.push((performance.now() - before.at) * 1000);
    preads.push(count.preads - before.preads);
  }
  return [Math.max(...preads), median(preads), percentile(micros, 50), percentile(micros, 99)].map(digits);
}

/** A log of 1 GiB of such batches. */
async function filled(scope: Scope, build: Build, batchBytes: number, count: ReadCount): Promise<PartitionLog> {
  const config: Partial<LogConfig> = { flushMode: 'async' };
  const log = await openLog(build, scope.folder(), config, count);
  await fill(log, randomBatch(batchBytes), LOG_BYTES - MIB);
  return log;
}

async function measureAppends(scope: Scope, { builds, repetitions, seconds: runSeconds }: BenchOptions): Promise<void> {
  const large = randomBatch(LARGE_BATCH_BYTES);
  const appends = [
    { name: 'async fs.write', measure: () => rawAppends(scope, large) },
    ...builds.map((build) => ({ name: build.name, measure: () => logAppends(scope, build, large) })),
  ];
  await compare('log: append, 100 KiB batches, log.flush.mode=async', 'MB/s', appends, {
    quiet: QUIET.append,
    target: 0.7,
    repetitions,
  });
  const small = randomBatch(SMALL_BATCH_BYTES);
  for (const waiting of WAITING) {
    const commits = [
      { name: 'writev + fdatasync', measure: () => rawGroupCommit(scope, small, runSeconds, waiting) },
      ...builds.map((build) => ({
        name: build.name,
        measure: () => logGroupCommit(scope, build, small, runSeconds, waiting),
      })),
    ];
    const { count, preallocate, quietSeconds } = waiting;
    const how = preallocate ? 'preallocated' : 'extending';
    await compare(`log: ${count} appends of 1 KiB wait, log.flush.mode=sync, ${how}`, 'acks/s', commits, {
      quiet: count / quietSeconds,
      target: 0.8,
      repetitions,
    });
  }
}

async function measureReads(scope: Scope, { builds, repetitions }: BenchOptions): Promise<void> {
  const count: ReadCount = { preads: 0 };
  const logs: { name: string; log: PartitionLog }[] = [];
  for (const build of builds)
    logs.push({ name: build.name, log: await filled(scope, build, LARGE_BATCH_BYTES, count) });
  const path = join(logs[0]?.log.directory ?? '', '00000000000000000000.log');
  const reads = (kib: number): Contender[] =>
    logs.map(({ name, log }) => ({ name: `${name}, ${kib} KiB`, measure: () => logReads(log, kib * 1024) }));
  await compare(
    'log: read 1 GiB in order from the page cache, 1 MiB each',
    'MB/s',
    [{ name: 'pread, 1024 KiB', measure: () => rawReads(path) }, ...reads(READ_BYTES / 1024), ...reads(128)],
    { quiet: QUIET.read, target: 0.6, repetitions },
  );
  const rows: string[][] = [];
  for (const { name, log } of logs) rows.push([`${name}, 100 KiB batches`, ...(await lookUp(log, count, READ_BYTES))]);
  for (const { log } of logs) await log.discard();
  for (const build of builds) {
    const log = await filled(scope, build, SMALL_BATCH_BYTES * 8, count);
    rows.push([`${build.name}, 8 KiB batches`, ...(await lookUp(log, count, READ_BYTES))]);
    await log.discard();
  }
  const header = ['', 'preads, most (target 2)', 'median', 'p50 µs', 'p99 µs'];
  printTable('log: look up a random offset in 1 GiB and read from there', header, rows);
}

export const log: Part = {
  name: 'log',
  async run(options) {
    await withScope(options.dir, (scope) => measureAppends(scope, options));
    await withScope(options.dir, (scope) => measureReads(scope, options));
  },
};
