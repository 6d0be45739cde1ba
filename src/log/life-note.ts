// What one life of a broker leaves in each of its log dirs for the next start (C-2.4), so that a crash in which nothing acknowledged
// can be gone is told from one in which something can. Everything that was acknowledged until a life ended is on disk, or (if
// `asyncUsed`) in the page cache of the boot `bootId`, which ends with the operating system and not with the process.
// The note names the broker epoch that was granted: a life that was not registered leaves the note of the one before, and changes
// nothing that was acknowledged in that (B85).
import type { Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { isUuid } from '../base/uuid.ts';

export interface LifeNote {
  /** Granted to that life. */
  readonly brokerEpoch: Offset;
  /** Env.bootId. */
  readonly bootId: string | undefined;
  /** Whether anything was acknowledged, or could have been, that was not synced. */
  readonly asyncUsed: boolean;
  /** directory.id of all log dirs of the broker that worked, in order: what is not there any more vouches for nothing. */
  readonly logDirs: readonly Uuid[];
}

/** Whether all that was acknowledged until that life ended is there at a start in the boot `bootId`, however it ended. */
export function isWhole({ asyncUsed, bootId: then }: LifeNote, bootId: string | undefined): boolean {
  return !asyncUsed || (then !== undefined && then === bootId);
}

export function encodeLifeNote(note: LifeNote): Buffer {
  const { brokerEpoch, bootId, asyncUsed, logDirs } = note;
  return Buffer.from(JSON.stringify({ version: 0, brokerEpoch, bootId, asyncUsed, logDirs }));
}

/** Undefined if it makes no sense: it vouches for nothing then. */
export function decodeLifeNote(bytes: Buffer): LifeNote | undefined {
  let found: unknown;
  try {
    found = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof found !== 'object' || found === null) return undefined;
  const { version, brokerEpoch, bootId, asyncUsed, logDirs } = found as Record<string, unknown>;
  const isKnown =
    version === 0 &&
    typeof brokerEpoch === 'number' &&
    Number.isSafeInteger(brokerEpoch) &&
    brokerEpoch >= 0 &&
    (bootId === undefined || typeof bootId === 'string') &&
    typeof asyncUsed === 'boolean' &&
    Array.isArray(logDirs) &&
    logDirs.every((id) => typeof id === 'string' && isUuid(id));
  return isKnown ? { brokerEpoch, bootId, asyncUsed, logDirs } : undefined;
}
