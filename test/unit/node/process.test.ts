// Whole processes: they end when all is closed, load little, and stop on a broken invariant.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Ended {
  code: number | string;
  stdout: string;
  stderr: string;
}

function run(fixture: string, ...args: string[]): Promise<Ended> {
  const script = fileURLToPath(new URL(`fixtures/${fixture}.ts`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', script, ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? 'killed'), stdout, stderr });
    });
  });
}

describe('a process of the real world', () => {
  it('ends by itself when everything is closed', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'kvorum-process-'));
    const ended = await run('uses-everything', directory);
    await rm(directory, { recursive: true, force: true });
    expect(ended).toEqual({ code: 0, stdout: 'done', stderr: '' });
  });

  it('loads gRPC and LevelDB only when they are used', async () => {
    expect((await run('loads-little')).stdout).toBe('pino');
  });

  it('stops when a handler finds a broken invariant', async () => {
    const ended = await run('breaks-an-invariant');
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('AssertionError: the high watermark went back');
  });
});
