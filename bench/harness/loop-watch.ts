// How long the event loops of nodes stand still: see processes/loop-watch.mjs.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

/** Milliseconds: the longest time without a turn, and the most processor time within one. */
export interface Pause {
  readonly pauseMs: number;
  readonly cpuMs: number;
}

const WATCH = join(import.meta.dirname, '../processes/loop-watch.mjs');
const WITHIN_MS = 10_000;

/** For the node whose loop is to be watched. */
export function watchArgs(folder: string): string[] {
  return ['--import', `${pathToFileURL(WATCH).href}?folder=${encodeURIComponent(folder)}`];
}

/** The worst since the last time that this was asked. */
export async function worstPause(folder: string, pid: number): Promise<Pause> {
  const path = join(folder, `${pid}.json`);
  rmSync(path, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (const deadline = performance.now() + WITHIN_MS; performance.now() < deadline; await sleep(5)) {
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Pause;
  }
  throw new Error(`process ${pid} does not say how long its event loop stood still`);
}
