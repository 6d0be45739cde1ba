// Asks before something is destroyed, where somebody can be asked.
import { createInterface } from 'node:readline/promises';
import { StartError } from '../server/start-error.ts';
import type { Destroying } from './common-options.ts';
import { UsageError } from './failure.ts';

/**
 * Returns if `--yes` was given or the answer is y. StartError otherwise; UsageError where standard input is no terminal.
 * `what`: what is about to be destroyed, as a question; `undone`: e.g. 'nothing was deleted'.
 */
export async function confirm({ yes }: Destroying, what: string, undone: string): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY) {
    throw new UsageError(`${undone}: standard input is no terminal, so nobody can be asked; give --yes`);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if (!/^y(es)?$/i.test((await terminal.question(`${what} [y/N] `)).trim())) throw new StartError(undone);
  } finally {
    terminal.close();
  }
}
