// Compaction of a log of 1 KiB records, half of which a later one displaces, beside a loop that appends to another log of the same process
// and makes every batch durable: how fast the one is, and what the other feels of it.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { CompactionResult } from '../../src/log/compaction/compact.ts';
import type { PartitionLog } from '../../src/log/partition-log.ts';
import { buildBatch } from '../../src/record/builder.ts';
import { randomBatch } from '../harness/kafka.ts';
import { openLog } from '../harness/log-bench.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median, percentile } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const MIB = 1024 * 1024;
const LOG_BYTES = 256 * MIB;
const SEGMENT_BYTES = 32 * MIB;
const RECORD_BYTES = 1024;
const KEYS = LOG_BYTES / RECORD_BYTES / 2;
const RECORDS_PER_BATCH = 16;
/** log.cleaner.dedupe.buffer.size */
const MAP_BYTES = 32 * MIB;

const PRODUCED_BATCH_BYTES = 16 * 1024;
const PRODUCE_EVERY_MS = 4;

/** Each key twice, in another order each time. */
async function fill(log: PartitionLog): Promise<void> {
  const value = randomBytes(RECORD_BYTES - 40);
  const records = LOG_BYTES / RECORD_BYTES;
  for (let i = 0; i < records; i += RECORDS_PER_BATCH) {
    const batch = buildBatch(
      Array.from({ length: RECORDS_PER_BATCH }, (_, j) => {
        const key = Buffer.from(`key-${String(((i + j) * 7919) % KEYS).padStart(12, '0')}`);
        return { timestamp: 1_700_000_000_000 + i, key, value, headers: [] };
      }),
    );
    log.append(batch, 0);
    if (i % 4096 === 0) await turn();
  }
  await log.flush();
}

/** Appends and waits for the disk, at a steady rate, until told; milliseconds from when each was due. */
async function produceUntil(log: PartitionLog, batch: Buffer, ended: () => boolean): Promise<number[]> {
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  const start = performance.now();
  for (let i = 0; !ended(); i++) {
    const due = start + i * PRODUCE_EVERY_MS;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    // A timer is late by itself: what counts is when the event loop came round to it.
    const from = wait > 0 ? Math.max(due, performance.now() - 1) : due;
    log.append(batch, 0);
    pending.push(log.flush().then(() => void latencies.push(performance.now() - from)));
  }
  await Promise.all(pending);
  return latencies;
}

interface Figures {
  readonly speed: number;
  readonly idle: readonly number[];
  readonly during: readonly number[];
  readonly pauseMs: number;
  readonly share: number;
}

async function measure(scope: Scope, build: Build, idleMs: number): Promise<Figures> {
  const folders = [scope.folder(), scope.folder()] as const;
  const log = await openLog(build, folders[0], {
    flushMode: 'async',
    cleanupPolicy: 'compact',
    segmentBytes: SEGMENT_BYTES,
  });
  const other = await openLog(build, folders[1], { flushMode: 'sync' });
  await fill(log);
  const batch = randomBatch(PRODUCED_BATCH_BYTES);
  const idleEnd = performance.now() + idleMs;
  await produceUntil(other, batch, () => performance.now() > idleEnd - idleMs / 2);
  const idle = await produceUntil(other, batch, () => performance.now() > idleEnd);

  const pauses = monitorEventLoopDelay({ resolution: 1 });
  pauses.enable();
  let result: CompactionResult | undefined;
  const startedAt = performance.now();
  let tookMs = 0;
  const endOffset = log.logEndOffset;
  const run = log.compact({ endOffset, now: Date.now(), mapBytes: MAP_BYTES, secret: randomBytes(16) });
  void run.then((value) => {
    tookMs = performance.now() - startedAt;
    result = value;
  });
  const during = await produceUntil(other, batch, () => result !== undefined);
  pauses.disable();
  if (result?.kind !== 'compacted') throw new Error(`nothing was compacted: ${result?.kind}`);
  await log.discard();
  await other.discard();
  for (const folder of folders) rmSync(folder, { recursive: true });
  const { bytesBefore, bytesAfter } = result;
  const speed = bytesBefore / tookMs / 1000;
  return { speed, idle, during, pauseMs: pauses.max / 1e6, share: bytesAfter / bytesBefore };
}

export const compaction: Part = {
  name: 'compaction',
  run: ({ builds, dir, repetitions, seconds }: BenchOptions) =>
    withScope(dir, async (scope) => {
      const rows: string[][] = [];
      for (const build of builds) {
        const runs: Figures[] = [];
        for (let i = 0; i < repetitions; i++) runs.push(await measure(scope, build, seconds * 1000));
        const of = (pick: (figures: Figures) => number): number => median(runs.map(pick));
        const idle = of((figures) => percentile(figures.idle, 99));
        const during = of((figures) => percentile(figures.during, 99));
        rows.push([
          build.name,
          digits(of(({ speed }) => speed)),
          digits(of(({ share }) => share)),
          digits(idle),
          digits(during),
          digits(during / idle),
          digits(of(({ pauseMs }) => pauseMs)),
        ]);
      }
      const columns = ['', 'MB/s', 'left', 'idle p99 ms', 'during p99 ms', 'ratio', 'longest pause ms'];
      printTable(
        'compaction: 256 MiB of 1 KiB records (target 100 MB/s), appends to another log (target ratio 2)',
        columns,
        rows,
      );
    }),
};
