// What the log dirs say of the last registered life of this broker, for its registration (C-2.4): whether every record that it
// acknowledged is there. All of them must say so, of the same broker epoch: what one that is offline, new or another's would say is not
// known. A life that was not registered acknowledged nothing, so that the note of the one before still holds (B85).
import type { Offset } from '../base/ids.ts';
import type { OfflineDirectory } from '../log/directory-health.ts';
import { isWhole } from '../log/life-note.ts';
import type { LogDirectory } from '../log/log-directory.ts';

/** clean: it stopped by itself. crash: it did not, and nothing acknowledged can be gone. unknown: it can, or there was none. */
export type LastLifeEnd = 'clean' | 'crash' | 'unknown';

export interface LastLife {
  /** -1: unknown. */
  readonly brokerEpoch: Offset;
  readonly end: LastLifeEnd;
}

const UNKNOWN: LastLife = { brokerEpoch: -1, end: 'unknown' };

/** What of a log dir is looked at. */
export type LifeWitness = Pick<LogDirectory, 'cleanShutdownEpoch' | 'meta'> & {
  readonly life: Pick<LogDirectory['life'], 'last'>;
};

export function lastLifeOf(
  opened: readonly LifeWitness[],
  offline: readonly OfflineDirectory[],
  bootId: string | undefined,
): LastLife {
  if (offline.length > 0) return UNKNOWN;
  const present = new Set(opened.map(({ meta }) => meta.directoryId));
  const testimonies = opened.map((directory) => testimonyOf(directory, present, bootId));
  const [first = UNKNOWN] = testimonies;
  if (testimonies.some(({ brokerEpoch }) => brokerEpoch !== first.brokerEpoch)) return UNKNOWN;
  return testimonies.find(({ end }) => end !== 'clean') ?? first;
}

function testimonyOf(
  { cleanShutdownEpoch, life }: LifeWitness,
  present: ReadonlySet<string>,
  bootId: string | undefined,
): LastLife {
  if (cleanShutdownEpoch !== undefined && cleanShutdownEpoch >= 0) {
    return { brokerEpoch: cleanShutdownEpoch, end: 'clean' };
  }
  const { last } = life;
  const isThere = last?.logDirs.every((id) => present.has(id)) === true;
  return isThere && isWhole(last, bootId) ? { brokerEpoch: last.brokerEpoch, end: 'crash' } : UNKNOWN;
}
