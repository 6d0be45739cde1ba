// `make soak MINUTES=m [KIND=both|raft|cluster] [SEED=n]`: seed after seed in worker processes, until the time is over or the
// first failure, which is printed with the line that replays it. Exit code 1 for a failure, and for a run that has not
// been where bugs are: a counter below its floor.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KindName } from './kind.ts';
import { KIND_NAMES } from './kind.ts';
import { SoakTotals } from './soak-totals.ts';
import type { Chunk, ChunkReport } from './soak-worker.ts';

const { values: flags } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    kind: { type: 'string', default: 'both' },
    /** The first seed of each kind; from the clock if not given. */
    seed: { type: 'string', default: '' },
    workers: { type: 'string', default: String(Math.min(2, availableParallelism())) },
  },
});

/** Seeds of one chunk: a few seconds. */
const CHUNK_SEEDS: Readonly<Record<KindName, number>> = { raft: 50, cluster: 2 };
const PROGRESS_EVERY_MS = 30_000;

const kinds = KIND_NAMES.filter((name) => flags.kind === 'both' || flags.kind === name);
if (kinds.length === 0) throw new Error(`there is no kind ${flags.kind}; known are both, ${KIND_NAMES.join(', ')}`);
const firstSeed = flags.seed === '' ? Math.floor(Date.now() / 1000) % 1_000_000_000 : Number(flags.seed);
const endsAt = performance.now() + Number(flags.minutes) * 60_000;
const totals = new SoakTotals(kinds);
const nextSeed = new Map<KindName, number>(kinds.map((kind) => [kind, firstSeed]));
const workers: ChildProcess[] = [];
let isOver = false;

/** The kind that has had less time. */
function nextChunk(): Chunk {
  const kind = kinds.reduce((least, other) => (totals.tookMs(other) < totals.tookMs(least) ? other : least));
  const seed = nextSeed.get(kind) ?? firstSeed;
  nextSeed.set(kind, seed + CHUNK_SEEDS[kind]);
  return { kind, firstSeed: seed, seeds: CHUNK_SEEDS[kind] };
}

function give(worker: ChildProcess): void {
  if (isOver || performance.now() >= endsAt) {
    worker.disconnect();
    return;
  }
  const chunk = nextChunk();
  totals.begin(chunk.kind);
  worker.send(chunk);
}

function stop(): void {
  isOver = true;
  for (const worker of workers) worker.kill();
}

function start(): Promise<void> {
  const worker = fork(join(import.meta.dirname, 'soak-worker.ts'), { execArgv: ['--import', 'tsx'] });
  workers.push(worker);
  worker.on('message', (message) => {
    if (isOver) return;
    const report = message as ChunkReport;
    totals.add(report);
    if (report.failure === undefined) return give(worker);
    const { seed, property, detail } = report.failure;
    console.log(`FAILED ${property} in ${report.kind} seed ${seed}: ${detail}`);
    console.log(`replay: make sim KIND=${report.kind} SEED=${seed}`);
    process.exitCode = 1;
    stop();
  });
  return new Promise((resolve) => {
    worker.on('exit', (code) => {
      if (!isOver && code !== 0) {
        console.log(`FAILED: a worker ended with ${code ?? 'a signal'}`);
        process.exitCode = 1;
        stop();
      }
      resolve();
    });
    give(worker);
  });
}

console.log(
  `soak of ${kinds.join(' and ')} for ${flags.minutes} minutes in ${flags.workers} processes, from seed ${firstSeed}`,
);
process.on('SIGINT', stop);
const progress = setInterval(() => console.log(totals.line()), PROGRESS_EVERY_MS);
await Promise.all(Array.from({ length: Number(flags.workers) }, start));
clearInterval(progress);
// A run that stopped early says nothing of what its seeds go through.
const missed = isOver ? [] : totals.belowFloors();
if (!isOver) console.log(totals.summary());
for (const line of missed) console.log(`BELOW ITS FLOOR ${line}`);
if (missed.length > 0) process.exitCode = 1;
console.log(`${process.exitCode === 1 ? 'FAILED' : 'ok'}: ${totals.line()}`);
