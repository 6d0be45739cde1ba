// A build of the product with a bug in it: what the checkers must find, or they are blind.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../processes.ts';

export interface PlantedBug {
  /** Below src/. */
  readonly file: string;
  /** Is there once. */
  readonly right: string;
  readonly wrong: string;
}

const root = join(import.meta.dirname, '../../..');

/** Compiles a copy of src/ with the bug in it; the command line of that. Error if the source is not as the bug expects it. */
export function buildWith({ file, right, wrong }: PlantedBug): string {
  const folder = temporaryFolder();
  for (const name of ['src', 'proto', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const path = join(folder, 'src', file);
  const text = readFileSync(path, 'utf8');
  if (text.split(right).length !== 2) throw new Error(`src/${file} does not have this once any more: ${right}`);
  writeFileSync(
    path,
    text.replace(right, () => wrong),
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--noCheck', '--incremental', 'false', '--tsBuildInfoFile', 'null'];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build with a bug fails: ${stdout.slice(0, 2000)}`);
  const program = join(folder, 'dist/cli/kvorum.cjs');
  chmodSync(program, 0o755);
  return program;
}
