// Real processes and temporary folders of an end-to-end test. `cleanUp` ends and removes all of them, and so does the end of
// the test process, whatever happened before.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { WriteStream } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export interface Ended {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly cwd?: string;
  /** Where it puts what it means to remove itself, so that it goes even if the process is killed; default the system's. */
  readonly temporary?: string;
  /** Begin a process group, in which whatever the process leaves behind can be found. */
  readonly group?: boolean;
  /** Where what it says on both of its streams goes too. */
  readonly log?: WriteStream;
}

const running = new Set<ChildProcess>();
const folders: string[] = [];

process.once('exit', killAndRemove);
// The test runner ends its workers with SIGTERM; a runner that is gone itself has disconnected.
process.once('disconnect', killAndRemove);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killAndRemove();
    process.kill(process.pid, signal);
  });
}

function killAndRemove(): void {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Kills what still runs, waits until it is gone, and removes the folders. For afterAll. */
export async function cleanUp(): Promise<void> {
  const gone = [...running].map((child) => new Promise((resolve) => void child.once('close', resolve)));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(gone);
  killAndRemove();
}

/** A new empty folder. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kvorum-e2e-'));
  folders.push(folder);
  return folder;
}

/** A process that was started, with what it has said until now. */
export class Process {
  readonly pid: number;
  readonly stdin: Writable;
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  readonly #listeners = new Set<() => void>();
  #stdout = '';
  #stderr = '';
  #isEnded = false;

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.#command = [command, ...args].join(' ');
    const { cwd, temporary, group = false, log } = options;
    const env = { ...globalThis.process.env, ...(temporary === undefined ? {} : { TMPDIR: temporary }) };
    const child = spawn(command, args, { cwd, env, detached: group });
    this.#child = child;
    this.pid = child.pid ?? -1;
    this.stdin = child.stdin;
    // A process that ends before it has read everything is judged by its exit code.
    child.stdin.on('error', () => {});
    running.add(child);
    collect(child.stdout, (text) => this.#heard(() => (this.#stdout += text)));
    collect(child.stderr, (text) => this.#heard(() => (this.#stderr += text)));
    if (log !== undefined) for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        running.delete(child);
        this.#heard(() => (this.#isEnded = true));
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    this.#ended.catch(() => running.delete(child));
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its end; the process is killed and this fails when it takes too long. */
  async ended(timeoutMs = 60_000): Promise<Ended> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.kill('SIGKILL');
        reject(new Error(`${this.#command} has not ended within ${timeoutMs} ms${this.#said()}`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves as soon as `test` is true of what it has said; fails when it ends, or is silent for too long, before that. */
  until(test: (process: Process) => boolean, what: string, timeoutMs = 30_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        if (error === undefined) resolve();
        else reject(error);
      };
      const check = (): void => {
        if (test(this)) settle();
        else if (this.#isEnded) settle(new Error(`${this.#command} ended before ${what}${this.#said()}`));
      };
      const timer = setTimeout(
        () => settle(new Error(`${this.#command}: no ${what} within ${timeoutMs} ms${this.#said()}`)),
        timeoutMs,
      );
      this.#listeners.add(check);
      check();
    });
  }

  #heard(take: () => unknown): void {
    take();
    for (const listener of [...this.#listeners]) listener();
  }

  #said(): string {
    return `\nstdout: ${this.#stdout.slice(-2000)}\nstderr: ${this.#stderr.slice(-4000)}`;
  }
}

function collect(stream: Readable, take: (text: string) => void): void {
  stream.setEncoding('utf8').on('data', take);
}

/** Runs a command to its end, with `input` as its standard input. */
export async function run(
  command: string,
  args: readonly string[],
  input = '',
  options?: ProcessOptions,
): Promise<Ended> {
  const process = new Process(command, args, options);
  process.stdin.end(input);
  return process.ended();
}

/** Whether any process of the group that `group: true` began is left. */
export function groupExists(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Below those that systems give to outgoing connections, one of which could take a port before its node does; each worker has a
 * range of its own.
 */
const FIRST_PORT = 20_000;
const PORTS_OF_WORKER = 3000;
let nextPort = Math.floor(Math.random() * PORTS_OF_WORKER);

/** Ports that nobody listens on, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const worker = Number(process.env['VITEST_POOL_ID'] ?? 1) % 4;
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST_PORT + worker * PORTS_OF_WORKER + (nextPort++ % PORTS_OF_WORKER);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Whether somebody accepts connections at `host:port`. */
export function isListening(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host as string);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Asks again until the answer is not undefined. What `ask` throws is the reason if time runs out. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let reason: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: reason });
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}
