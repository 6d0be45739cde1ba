// The loss ledger against what is gone (S-D8), and whether there was a reason for losses at all (S-D3). That nothing else is gone is
// for the checkers of writes and reads to say.
import { isOpen } from './allowed-losses.ts';
import type { ClientHistory, LossEntry, Read } from './history.ts';
import { groupBy, logsByPlace, placeName } from './history.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

/** What may have cost records in a run. */
export interface Hazards {
  /** Topics or administrators allow unclean elections. */
  readonly uncleanElections: boolean;
  /** Disks lose what was synced, or power is cut while acknowledgements do not wait for syncs. */
  readonly lossyDisks: boolean;
}

/** S-D3, S-M4: where nothing can take records, nobody reports that they are gone. */
export function checkLossesHaveReasons({ ledger }: ClientHistory, hazards: Hazards): Violation | undefined {
  return firstViolation(ledger, (entry) => {
    if (hasReason(entry, ledger, hazards)) return undefined;
    if (entry.leader >= 0) {
      return violation('S-M4', `${nameOf(entry)}: an unclean election of ${entry.leader} that nobody allowed`);
    }
    const range = entry.ranges.find(({ fromOffset, toOffset }) => fromOffset < toOffset);
    if (range === undefined) return undefined;
    const { brokerId, kind, fromOffset, toOffset } = range;
    const what = `broker ${brokerId} lost ${fromOffset} to ${toOffset} (${kind})`;
    return violation('S-D3', `${nameOf(entry)}: ${what}, and nothing takes records`);
  });
}

/** Whether the entry excuses that records are gone. What one cuts by itself an unclean election may have cost that another entry tells of. */
export function hasReason(entry: LossEntry, ledger: readonly LossEntry[], hazards: Hazards): boolean {
  if (entry.leader >= 0) return hazards.uncleanElections;
  if (hazards.lossyDisks) return true;
  return hazards.uncleanElections && ledger.some((other) => other.leader >= 0 && isSamePlace(other, entry));
}

/**
 * S-D8: what the ledger says is lost is lost. Judged for partitions with one entry, closed: a second loss may bring back what the first
 * one took. What a replica cut below its high watermark was committed, so at its offsets the log holds nothing older than the entry.
 */
export function checkLedgerIsTrue({ ledger, logs }: ClientHistory): Violation | undefined {
  const byPlace = logsByPlace(logs);
  return firstViolation(groupBy(ledger, placeName), ([place, [entry, ...more]]) => {
    if (entry === undefined || more.length > 0 || isOpen(entry)) return undefined;
    const records = byPlace.get(place)?.records ?? [];
    const cuts = entry.ranges.filter(({ kind }) => kind === 'cut');
    return firstViolation(cuts, ({ brokerId, fromOffset, toOffset, highWatermark }) => {
      const end = Math.min(toOffset, highWatermark);
      const record = records.slice(fromOffset, end).find(({ leaderEpoch }) => leaderEpoch < entry.newLeaderEpoch);
      if (record === undefined) return undefined;
      const what = `broker ${brokerId} says that ${fromOffset} to ${end} is lost`;
      const there = `${record.text.slice(0, 40)} of epoch ${record.leaderEpoch} is at offset ${record.offset}`;
      return violation('S-D8', `${place}: ${what}, and ${there}`);
    });
  });
}

/**
 * S-D8 d: nobody is led over a cut in silence. Who read one record after the other in one session, without an error between them,
 * read one log: if the second is in it for good, so is the first.
 */
export function checkReadersAreTold({ reads, logs }: ClientHistory): Violation | undefined {
  const byPlace = logsByPlace(logs);
  const isThere = (read: Read): boolean => byPlace.get(placeName(read))?.records[read.offset]?.text === read.text;
  const sessions = groupBy(reads, (read) => `${read.session} ${placeName(read)}`);
  return firstViolation(sessions, ([session, group]) =>
    firstViolation(group.entries(), ([index, read]) => {
      const before = group[index - 1];
      if (before === undefined || !isThere(read) || isThere(before)) return undefined;
      const what = `${session} read ${before.text.slice(0, 40)} at offset ${before.offset}, which is lost`;
      return violation('S-D8', `${what}, and went on with ${read.text.slice(0, 40)} at ${read.offset} unwarned`);
    }),
  );
}

function isSamePlace(a: LossEntry, b: LossEntry): boolean {
  return placeName(a) === placeName(b);
}

function nameOf(entry: LossEntry): string {
  return `${placeName(entry)} epoch ${entry.oldLeaderEpoch} → ${entry.newLeaderEpoch}`;
}
