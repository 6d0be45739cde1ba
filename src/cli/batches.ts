// Many items in calls of a size that a server carries out as one, one call after the other.
import type { Progress } from './progress.ts';
import { createProgress } from './progress.ts';

/** Items of one call: its records are one batch of the metadata log. */
export const MAX_ITEMS = 500;

export interface Sent<Answer> {
  readonly answers: readonly Answer[];
  /** Why it ended early; the items of the call that failed and those after it have no answer. */
  readonly failure?: Error;
}

/** Calls for all items. After a failure nothing more is sent, and what was answered before is not lost. */
export async function inBatches<Item, Answer>(
  items: readonly Item[],
  send: (batch: Item[]) => Promise<Answer>,
  progress: Progress = createProgress(),
): Promise<Sent<Answer>> {
  const answers: Answer[] = [];
  try {
    for (let from = 0; from < items.length; from += MAX_ITEMS) {
      if (items.length > MAX_ITEMS) progress.say(`${from} of ${items.length}`);
      answers.push(await send(items.slice(from, from + MAX_ITEMS)));
    }
    return { answers };
  } catch (failure) {
    if (!(failure instanceof Error)) throw failure;
    return { answers, failure };
  } finally {
    progress.end();
  }
}
