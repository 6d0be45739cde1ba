// Loaded into a node (--import) to see how long its event loop stands still. SIGUSR2 has it write the worst since the last time, in
// milliseconds, to <folder>/<pid>.json, the folder being in the query of this module's address; cpuMs is processor time alone.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const EVERY_MS = 2;
const folder = new URL(import.meta.url).searchParams.get('folder') ?? '';
const path = join(folder, `${process.pid}.json`);

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let worst = { pauseMs: 0, cpuMs: 0 };
let before = performance.now();
let cpuBefore = cpuMs();

setInterval(() => {
  const now = performance.now();
  const cpuNow = cpuMs();
  const pauseMs = now - before - EVERY_MS;
  // Other threads work meanwhile: no more than the pause itself is the event loop's.
  const burst = Math.min(cpuNow - cpuBefore, now - before);
  worst = { pauseMs: Math.max(worst.pauseMs, pauseMs), cpuMs: Math.max(worst.cpuMs, burst) };
  before = now;
  cpuBefore = cpuNow;
}, EVERY_MS).unref();

process.on('SIGUSR2', () => {
  writeFileSync(`${path}.new`, JSON.stringify(worst));
  renameSync(`${path}.new`, path);
  worst = { pauseMs: 0, cpuMs: 0 };
});
