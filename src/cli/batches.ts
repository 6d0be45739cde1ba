// Many items in calls of a size that a server carries out as one, one call after the other.
import type { Progress } from './progress.ts';
import { createProgress } from './progress.ts';

/** Items of one call: its records are one batch of the metadata log. */
export const MAX_ITEMS = 500;

/** New partitions, or altered keys, of one call (C-0.6). */
const MAX_PARTS = 10_000;

/** How many items go in one call if each has so many parts. */
export function itemsPerCall(parts: number): number {
  return Math.max(1, Math.min(MAX_ITEMS, Math.floor(MAX_PARTS / Math.max(1, parts))));
}

export interface Sent<Answer> {
  readonly answers: readonly Answer[];
  /** Why it ended early; the items of the call that failed and those after it have no answer. */
  readonly failure?: Error;
}

/** Calls for all items, at most `size` at a time. After a failure nothing more is sent, and what was answered before is not lost. */
export async function inBatches<Item, Answer>(
  items: readonly Item[],
  send: (batch: Item[]) => Promise<Answer>,
  size = MAX_ITEMS,
  progress: Progress = createProgress(),
): Promise<Sent<Answer>> {
  const answers: Answer[] = [];
  try {
    for (let from = 0; from < items.length; from += size) {
      if (items.length > size) progress.say(`${from} of ${items.length}`);
      answers.push(await send(items.slice(from, from + size)));
    }
    return { answers };
  } catch (failure) {
    if (!(failure instanceof Error)) throw failure;
    return { answers, failure };
  } finally {
    progress.end();
  }
}
