// Warnings of peers that are refused again and again: one line for each and its reason, of the newest peers.
import type { LogFields, Logger } from '../env/logger.ts';

const MOST_REMEMBERED = 100;

export class OncePerPeer {
  readonly #told = new Set<string>();

  tell(logger: Logger, event: string, who: string, fields: LogFields & { readonly reason: string }): void {
    const key = `${event} ${who} ${fields.reason}`;
    if (this.#told.has(key)) return;
    if (this.#told.size >= MOST_REMEMBERED) this.#told.clear();
    this.#told.add(key);
    logger.warn(event, fields);
  }
}
