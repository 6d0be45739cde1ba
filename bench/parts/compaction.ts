// Compaction of a log of 1 KiB records, half of which a later one displaces, beside a loop that appends to another log of the same process
// and makes every batch durable: how fast the one is, and what the other feels of it.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
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

/** Milliseconds from when appends were due: until they were made, which is what the event loop adds, and until they were durable. */
interface Latencies {
  readonly appended: number[];
  readonly durable: number[];
}

/** Appends and waits for the disk, at a steady rate, until told. */
async function produceUntil(log: PartitionLog, batch: Buffer, ended: () => boolean): Promise<Latencies> {
  const latencies: Latencies = { appended: [], durable: [] };
  const pending: Promise<void>[] = [];
  const start = performance.now();
  for (let i = 0; !ended(); i++) {
    const due = start + i * PRODUCE_EVERY_MS;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    log.append(batch, 0);
    latencies.appended.push(performance.now() - due);
    pending.push(log.flush().then(() => void latencies.durable.push(performance.now() - due)));
  }
  await Promise.all(pending);
  return latencies;
}

interface Figures {
  readonly speed: number;
  readonly idle: Latencies;
  readonly during: Latencies;
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
  if (result?.kind !== 'compacted') throw new Error(`nothing was compacted: ${result?.kind}`);
  await log.discard();
  await other.discard();
  for (const folder of folders) rmSync(folder, { recursive: true });
  const { bytesBefore, bytesAfter } = result;
  const speed = bytesBefore / tookMs / 1000;
  return { speed, idle, during, share: bytesAfter / bytesBefore };
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
        const p99s = (pick: (latencies: Latencies) => readonly number[]): string[] => {
          const idle = of((figures) => percentile(pick(figures.idle), 99));
          const during = of((figures) => percentile(pick(figures.during), 99));
          return [digits(idle), digits(during), digits(during / idle)];
        };
        rows.push([
          build.name,
          digits(of(({ speed }) => speed)),
          digits(of(({ share }) => share)),
          ...p99s(({ durable }) => durable),
          ...p99s(({ appended }) => appended),
        ]);
      }
      const p99 = ['idle ms', 'during', 'ratio'];
      const columns = ['', 'MB/s', 'left', ...p99, ...p99];
      printTable(
        'compaction: 256 MiB of 1 KiB records (target 100 MB/s); p99 of durable appends to another log (target ratio 2), of appends',
        columns,
        rows,
      );
    }),
};
