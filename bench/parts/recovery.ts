// Opening a log after an unclean stop, where every batch of a 1 GiB segment has to be checked, beside plain reads of the same file in
// the same run; and how long the event loop stands still meanwhile: a broker that starts sends heartbeats.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { LogRecovery } from '../../src/log/load.ts';
import { randomBatch } from '../harness/kafka.ts';
import { openLog } from '../harness/log-bench.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const MIB = 1024 * 1024;
const LOG_BYTES = 1024 * MIB;
const READ_BYTES = MIB;
const BATCH_KIB = [100, 8, 1.1];
const UNCLEAN: LogRecovery = { cleanShutdown: false, recoveryPoint: 0 };
/** The target: so many MB/s, or what the disk does where that is less. */
const TARGET = 500;

/** A segment of such batches, durable; its process was killed. */
async function writeSegment(scope: Scope, build: Build, batchBytes: number): Promise<string> {
  const folder = scope.folder();
  const log = await openLog(build, folder, { flushMode: 'async' });
  const batch = randomBatch(batchBytes);
  for (let at = 0, i = 0; at + batch.length < LOG_BYTES; at += batch.length, i++) {
    log.append(batch, 0);
    if (i % 256 === 0) await turn();
  }
  await log.flush();
  await log.discard();
  return folder;
}

/** MB/s of preads in order, each into the same memory. */
async function rawRead(folder: string): Promise<number> {
  const file = await fs.promises.open(join(folder, '00000000000000000000.log'), 'r');
  const target = Buffer.allocUnsafeSlow(READ_BYTES);
  const { size } = await file.stat();
  const before = performance.now();
  for (let at = 0; at < size; at += READ_BYTES) await file.read(target, 0, READ_BYTES, at);
  const tookMs = performance.now() - before;
  await file.close();
  return size / tookMs / 1000;
}

interface Recovered {
  readonly speed: number;
  /** The longest time without a turn of the event loop. */
  readonly pauseMs: number;
}

async function recover(build: Build, folder: string): Promise<Recovered> {
  const { size } = fs.statSync(join(folder, '00000000000000000000.log'));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = performance.now();
  const log = await openLog(build, folder, {}, undefined, UNCLEAN);
  const tookMs = performance.now() - before;
  delay.disable();
  await log.discard();
  return { speed: size / tookMs / 1000, pauseMs: delay.max / 1e6 };
}

async function measure(scope: Scope, { builds, repetitions }: BenchOptions, batchKib: number): Promise<void> {
  const folders: string[] = [];
  for (const build of builds) folders.push(await writeSegment(scope, build, Math.round(batchKib * 1024)));
  const raw: number[] = [];
  const cases = builds.flatMap((build, i) =>
    [false, true].map((isSyncFailed) => ({
      build,
      folder: folders[i] as string,
      isSyncFailed,
      runs: [] as Recovered[],
    })),
  );
  for (let repetition = 0; repetition < repetitions; repetition++) {
    raw.push(await rawRead(folders[0] as string));
    for (const { build, folder, isSyncFailed, runs } of cases) {
      // The note that makes recovery write everything again.
      if (isSyncFailed) fs.writeFileSync(join(folder, 'failed-sync'), '');
      runs.push(await recover(build, folder));
    }
  }
  const rawSpeed = median(raw);
  const rows = cases.map(({ build, isSyncFailed, runs }) => {
    const speed = median(runs.map((run) => run.speed));
    const pauseMs = Math.max(...runs.map((run) => run.pauseMs));
    const name = isSyncFailed ? `${build.name}, after a failed sync` : build.name;
    return [name, digits(speed), digits(speed / rawSpeed), isSyncFailed ? '' : digits(TARGET), digits(pauseMs)];
  });
  printTable(
    `recovery: 1 GiB of ${batchKib} KiB batches, in the page cache`,
    ['', 'MB/s', 'of raw', 'target', 'longest pause ms'],
    [['pread, 1 MiB', digits(rawSpeed), '', '', ''], ...rows],
  );
}

export const recovery: Part = {
  name: 'recovery',
  async run(options) {
    for (const batchKib of BATCH_KIB) await withScope(options.dir, (scope) => measure(scope, options, batchKib));
  },
};
