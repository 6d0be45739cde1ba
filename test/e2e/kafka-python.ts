// kafka-python: an unmodified client that shares no code with librdkafka. Used where Python has it, else installed from the package index for
// this run alone; where neither works the tests that need it are skipped and say so.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Process, temporaryFolder } from './processes.ts';

const PACKAGE = 'kafka-python==3.0.12';
const INSTALL_TIMEOUT_MS = 60_000;

function runs(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS }).status === 0;
}

/** A Python that has the client. */
function findOrInstall(): string | undefined {
  if (runs('python3', ['-c', 'import kafka'])) return 'python3';
  const folder = temporaryFolder();
  const python = join(folder, 'bin/python');
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries', '0', PACKAGE];
  if (runs('python3', ['-m', 'venv', folder]) && runs(python, install)) return python;
  process.stderr.write(
    `there is no python3 with kafka-python, and ${PACKAGE} cannot be installed: its tests are skipped\n`,
  );
  return undefined;
}

const python = findOrInstall();

export const hasKafkaPython = python !== undefined;

/** Runs a script with arguments. */
export function startPython(script: string, args: readonly string[]): Process {
  const folder = temporaryFolder();
  const file = join(folder, 'script.py');
  writeFileSync(file, script);
  return new Process(python ?? 'python3', ['-u', file, ...args], { cwd: folder });
}
