// What the client of topics that are pruned and compacted did and saw, and what they are called.
import type { Offset } from '../../base/ids.ts';
import type { KeptRead, KeptWrite } from '../../check/kept.ts';

/** How their names begin. */
export const KEPT = 'kept-';
export const PRUNED = `${KEPT}pruned`;
export const COMPACTED = `${KEPT}compacted`;

/** A write under way or over. */
export type PendingKeptWrite = { -readonly [K in keyof KeptWrite]: KeptWrite[K] };

/** What the client did and saw. */
export class KeptTopics {
  readonly pruned = { writes: [] as PendingKeptWrite[], reads: [] as KeptRead[] };
  readonly compacted = { writes: [] as PendingKeptWrite[], reads: [] as KeptRead[] };
  /** The greatest start of the pruned log that a deletion was answered with. */
  deletedBefore: Offset = 0;
  deletions = 0;
}
