// Answers item by item: what was done goes to standard output, what failed to standard error, each in a line of its own.
import type { ItemError } from '../gen/kvorum/v1/admin.ts';
import type { Format } from './common-options.ts';
import { print } from './output.ts';

/** One item of an answer as people read it. */
export interface ItemLine {
  /** Which item, e.g. `orders` or `topic orders`. */
  readonly name: string;
  /** Not set: done. */
  readonly error?: ItemError | undefined;
  readonly text: string;
}

/** Prints an answer; exit code 1 if an item failed. Programs find the errors in the answer. */
export async function reportItems(format: Format, answer: object, items: readonly ItemLine[]): Promise<void> {
  await print(format, answer, () =>
    items
      .filter(({ error }) => error === undefined)
      .map(({ name, text }) => `${name}: ${text}`)
      .join('\n'),
  );
  sayFailures(format, items);
}

/** A line on standard error for each item that failed, and exit code 1 if there is one. */
export function sayFailures(format: Format, items: readonly Omit<ItemLine, 'text'>[]): void {
  const failed = items.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return;
  process.exitCode = 1;
  if (format === 'json' || format === 'yaml') return;
  for (const { name, error } of failed) console.error(`${name || "''"}: ${error?.name}: ${error?.message}`);
}
