// Where fetchers go on: they mostly read where their last read ended, so the positions of recent ends are remembered and the
// index only serves jumps.
import type { Offset } from '../base/ids.ts';
import type { SegmentView } from './segment-view.ts';

/** How many ends of reads are remembered. */
const MAX_HINTS = 16;

/** Where the batch starts that a fetcher of an offset wants next, as of one generation of the log. */
export class PositionHints {
  readonly #positions = new Map<Offset, { readonly segment: object; readonly position: number }>();
  #generation = 0;

  get(view: SegmentView, offset: Offset): number | undefined {
    if (view.generation !== this.#generation) return undefined;
    const hint = this.#positions.get(offset);
    return hint?.segment === view.segment ? hint.position : undefined;
  }

  set(view: SegmentView, offset: Offset, position: number): void {
    // A reader that a truncation overtook knows positions that are gone.
    if (view.generation < this.#generation) return;
    if (view.generation > this.#generation) this.#positions.clear();
    this.#generation = view.generation;
    this.#positions.delete(offset);
    this.#positions.set(offset, { segment: view.segment, position });
    if (this.#positions.size <= MAX_HINTS) return;
    for (const oldest of this.#positions.keys()) {
      this.#positions.delete(oldest);
      return;
    }
  }
}
