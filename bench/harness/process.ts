// Starts child processes and reads what they cost from /proc.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Scope } from './scope.ts';

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The first line of its standard output; an Error with what it wrote to standard error if it ends before. */
  readonly firstLine: Promise<string>;
}

/** Starts this node binary with the arguments. */
export function startNodeProcess(scope: Scope, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  scope.adopt(child);
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk.toString('utf8')}`.slice(-4000);
  });
  const firstLine = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} ended with ${code}\n${errors}`)));
  });
  // Whoever is interested awaits it; a process that prints nothing and is ended by its scope is no fault.
  firstLine.catch(() => undefined);
  return { child, pid: child.pid ?? -1, firstLine };
}

/** The arguments that run a file of bench/processes. */
export function benchProcess(name: string): string[] {
  return ['--import', 'tsx', new URL(`../processes/${name}`, import.meta.url).pathname];
}

const TICKS_PER_SECOND = 100;

/** CPU seconds that a process has used so far, all threads; NaN where there is no /proc. */
export function cpuSeconds(pid: number): number {
  const stat = readProc(pid, 'stat');
  // The command in parentheses may hold spaces; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory in MB (10^6 bytes); NaN where there is no /proc. */
export function residentMegabytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readProc(pid, 'status'))?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}

function readProc(pid: number, file: string): string {
  if (process.platform !== 'linux') return '';
  return readFileSync(`/proc/${pid}/${file}`, 'utf8');
}
