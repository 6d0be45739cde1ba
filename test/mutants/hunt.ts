// Hunts mutants in worker processes, one for each core but at most two. A worker that hangs or dies is replaced: a run that
// does not end is no kill.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Suite } from './mutant.ts';

export interface Hunt {
  /** A folder like src/. */
  readonly source: string;
  readonly suite: Suite;
  /** Of the suite's scenario, undefined for drawn ones. */
  readonly scenarioText: string | undefined;
  readonly firstSeed: number;
  readonly wanted: {
    readonly properties: readonly string[];
    readonly says: string | undefined;
    readonly without: readonly string[];
  };
}

export interface Finding {
  /** Seeds run until the wanted property was violated; undefined if it was not. */
  readonly killedAfter: number | undefined;
  readonly property?: string;
  readonly detail?: string;
  readonly seed?: number;
  /** Other properties that runs ended with before, by id. */
  readonly others: readonly (readonly [
    string,
    { readonly count: number; readonly detail: string; readonly seed: number },
  ])[];
  readonly events: number;
}

export type WorkerMessage =
  | { readonly type: 'alive' }
  | { readonly type: 'done'; readonly finding: Finding }
  | { readonly type: 'crash'; readonly reason: string };

/** Longest time for one seed; the longest ones take a few seconds. */
const SILENCE_MS = 120_000;
const MAX_WORKERS = 2;

/** A hunt that is made when its turn comes. */
export interface Waiting {
  make(): Hunt;
}

/** Runs all hunts; `onDone` hears of each as it ends, in any order. */
export async function huntAll<T extends Waiting>(
  hunts: readonly T[],
  onDone: (hunt: T, finding: Finding, tookMs: number) => void,
): Promise<void> {
  const waiting = [...hunts];
  const work = async (): Promise<void> => {
    let worker: ChildProcess | undefined;
    for (let hunt = waiting.shift(); hunt !== undefined; hunt = waiting.shift()) {
      worker ??= startWorker();
      const startedAt = performance.now();
      const finding = await huntOne(worker, hunt.make());
      if (!worker.connected || worker.killed) worker = undefined;
      onDone(hunt, finding, performance.now() - startedAt);
    }
    worker?.disconnect();
  };
  const count = Math.min(MAX_WORKERS, availableParallelism(), hunts.length);
  await Promise.all(Array.from({ length: count }, work));
}

function startWorker(): ChildProcess {
  return fork(join(import.meta.dirname, 'hunt-worker.ts'), {
    execArgv: ['--import', 'tsx'],
    cwd: join(import.meta.dirname, '../..'),
  });
}

function huntOne(worker: ChildProcess, hunt: Hunt): Promise<Finding> {
  return new Promise((resolve) => {
    const crashed = (detail: string): Finding => ({
      killedAfter: undefined,
      others: [['crash', { count: 1, detail, seed: hunt.firstSeed }]],
      events: 0,
    });
    const onSilence = (): void => {
      worker.kill('SIGKILL');
      end(crashed(`a run did not end within ${SILENCE_MS} ms`));
    };
    let watchdog = setTimeout(onSilence, SILENCE_MS);
    const onMessage = (message: unknown): void => {
      const said = message as WorkerMessage;
      clearTimeout(watchdog);
      if (said.type === 'alive') watchdog = setTimeout(onSilence, SILENCE_MS);
      else end(said.type === 'done' ? said.finding : crashed(said.reason));
    };
    const onExit = (code: number | null): void => end(crashed(`the process ended with ${code ?? 'a signal'}`));
    function end(finding: Finding): void {
      clearTimeout(watchdog);
      worker.off('message', onMessage);
      worker.off('exit', onExit);
      resolve(finding);
    }
    worker.on('message', onMessage);
    worker.on('exit', onExit);
    worker.send(hunt);
  });
}
