// What is true of one partition, as an omniscient observer knows it: which batches are committed, who must hold them, and which of them
// are gone for a reason that allows it. S-M11, S-M3, S-D3, S-D6, S-D7. Nothing here is sampled: it is told of every step.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Violation } from './violation.ts';
import { violation } from './violation.ts';

export interface TrueBatch {
  readonly baseOffset: Offset;
  readonly nextOffset: Offset;
  readonly leaderEpoch: Epoch;
  readonly crc: number;
}

/** One replica's log as it is. */
export interface TrueLog<Batch extends TrueBatch = TrueBatch> {
  readonly brokerId: NodeId;
  readonly batches: readonly Batch[];
  /** Whether the batch counts: with log.flush.mode=sync only what a power cut would leave. */
  readonly counts: (batch: Batch) => boolean;
}

/** Committed records that are not part of the log any more: [fromOffset, toOffset). */
export interface CommittedLoss<Batch extends TrueBatch = TrueBatch> {
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  /** Of the leader whose log does not have them. */
  readonly leaderEpoch: Epoch;
  readonly batches: readonly Batch[];
}

export class PartitionTruth<Batch extends TrueBatch = TrueBatch> {
  /** For messages. */
  readonly name: string;
  /** Everything that was committed and is not allowed to be gone, from the first batch on. */
  readonly committed: Batch[] = [];
  readonly losses: CommittedLoss<Batch>[] = [];
  /** The end of all that was ever committed: no consumer sees more (S-C1). */
  highest: Offset = 0;
  /** How many of the committed batches each replica is known to have. */
  readonly #verified = new Map<NodeId, number>();
  /** Who lost records in a power cut or with a disk, and whose registration of that has not been committed yet. */
  readonly #lossy = new Set<NodeId>();
  /** The life of a broker that leads an epoch. */
  readonly #leaders = new Map<Epoch, string>();
  /** Of an unclean election whose leader has not begun: until then nobody knows what is left. */
  #pending: Epoch | undefined;
  /** Of the newest unclean election whose leader has begun. */
  #uncleanSince: Epoch = -1;

  constructor(name: string) {
    this.name = name;
  }

  get endOffset(): Offset {
    return this.committed.at(-1)?.nextOffset ?? 0;
  }

  /** Whether an unclean election is decided and its leader has not begun: what is lost, its log will say. */
  get isUndecided(): boolean {
    return this.#pending !== undefined;
  }

  isLossy(brokerId: NodeId): boolean {
    return this.#lossy.has(brokerId);
  }

  /** S-M4, C-5.7: allowed, and recorded. */
  electedUncleanly(newLeaderEpoch: Epoch): void {
    this.#pending = newLeaderEpoch;
  }

  /** S-M3, S-M11: a broker begins to lead. What an unclean leader does not have is lost. Returns what it lacks in any case. */
  begins(life: string, leaderEpoch: Epoch, log: TrueLog<Batch>): Violation | undefined {
    const other = this.#leaders.get(leaderEpoch);
    if (other !== undefined && other !== life) {
      return violation('S-M3', `${other} and ${life} both lead ${this.name} in epoch ${leaderEpoch}`);
    }
    this.#leaders.set(leaderEpoch, life);
    if (this.#pending === undefined || leaderEpoch < this.#pending) return undefined;
    this.#pending = undefined;
    this.#uncleanSince = leaderEpoch;
    this.#lose(this.#verify(log, false), leaderEpoch);
    return undefined;
  }

  #lose(kept: number, leaderEpoch: Epoch): void {
    const gone = this.committed.splice(kept);
    const [first] = gone;
    if (first === undefined) return;
    const toOffset = gone.at(-1)?.nextOffset ?? first.nextOffset;
    this.losses.push({ fromOffset: first.baseOffset, toOffset, leaderEpoch, batches: gone });
    for (const [id, verified] of this.#verified) this.#verified.set(id, Math.min(verified, kept));
  }

  /** S-D6: a leader moved its high watermark. What it passed is committed. */
  advanced(leaderEpoch: Epoch, highWatermark: Offset, log: TrueLog<Batch>): Violation | undefined {
    const { committed } = this;
    if (leaderEpoch < this.#uncleanSince) return this.#committedInVain(highWatermark, log);
    const held = this.#verify(log, true);
    const where = `broker ${log.brokerId}, leader of ${this.name} in epoch ${leaderEpoch},`;
    const lacking = committed[held];
    if (lacking !== undefined) {
      // Its successor, whom it does not know yet, may have committed more.
      if (lacking.baseOffset >= highWatermark || this.isUndecided) return undefined;
      return violation('S-D7', `${where} does not have ${show(lacking)}, and ${show(log.batches[held])} in its place`);
    }
    for (let next = log.batches[held]; next !== undefined && next.nextOffset <= highWatermark; ) {
      if (!log.counts(next)) return violation('S-D6', `${where} commits ${show(next)}, which a power cut may take`);
      committed.push(next);
      next = log.batches[committed.length];
    }
    this.#verified.set(log.brokerId, committed.length);
    this.highest = Math.max(this.highest, this.endOffset);
    if (highWatermark <= this.endOffset) return undefined;
    const detail = `${where} has the high watermark ${highWatermark}, and what it has written ends at ${this.endOffset}`;
    return violation('S-D6', detail);
  }

  /** A leader that another was elected over uncleanly does not know it yet: what it commits is lost already. */
  #committedInVain(highWatermark: Offset, log: TrueLog<Batch>): undefined {
    const own = log.batches.filter(
      ({ baseOffset, nextOffset }) => baseOffset >= this.highest && nextOffset <= highWatermark,
    );
    const [first] = own;
    if (first === undefined) return;
    const toOffset = own.at(-1)?.nextOffset ?? first.nextOffset;
    this.highest = Math.max(this.highest, toOffset);
    this.losses.push({ fromOffset: first.baseOffset, toOffset, leaderEpoch: this.#uncleanSince, batches: own });
  }

  /** S-M11: who may be elected cleanly holds all that is committed. */
  mustHold(log: TrueLog<Batch> | undefined, brokerId: NodeId, why: string): Violation | undefined {
    if (this.isUndecided || this.#lossy.has(brokerId)) return undefined;
    const { committed } = this;
    const held = log === undefined ? 0 : this.#verify(log, true);
    if (held === committed.length) return undefined;
    const has = log?.batches[held];
    const instead = has === undefined ? 'nothing' : `${show(has)}${log?.counts(has) === false ? ', not durable' : ''}`;
    return violation(
      'S-M11',
      `broker ${brokerId}, ${why} of ${this.name}, lacks ${show(committed[held])}: it has ${instead} there`,
    );
  }

  /** S-D3: a living replica removed batches from its log. */
  removed(brokerId: NodeId, gone: readonly Batch[], log: TrueLog<Batch>): Violation | undefined {
    const before = this.#verified.get(brokerId) ?? 0;
    const held = this.#recount(log);
    if (held >= before || this.isUndecided || this.#lossy.has(brokerId)) return undefined;
    const lost = this.committed[held];
    return violation(
      'S-D3',
      `broker ${brokerId} cut ${show(lost)} of ${this.name}, which is committed (${gone.length} batches)`,
    );
  }

  /**
   * S-D3: a living replica cuts what it has from `fromOffset` on. Told before its disk shows it, as it may have fetched the same again by
   * then. `log`: as it was.
   */
  cuts(fromOffset: Offset, log: TrueLog<Batch>): Violation | undefined {
    if (this.isUndecided || this.#lossy.has(log.brokerId)) return undefined;
    const held = this.#recount(log);
    const lost = this.committed.slice(0, held).find(({ nextOffset }) => nextOffset > fromOffset);
    if (lost === undefined) return undefined;
    return violation('S-D3', `broker ${log.brokerId} cuts ${show(lost)} of ${this.name}, which is committed`);
  }

  /** S-D7: a follower heard in `leaderEpoch` that what it has below `highWatermark` is committed. */
  heard(leaderEpoch: Epoch, highWatermark: Offset, log: TrueLog<Batch>): Violation | undefined {
    // A leader that another was elected over uncleanly commits in vain.
    if (this.isUndecided || this.#lossy.has(log.brokerId) || leaderEpoch < this.#uncleanSince) return undefined;
    const held = this.#verify(log, false);
    const other = log.batches[held];
    if (other === undefined || other.nextOffset > highWatermark) return undefined;
    const where = `broker ${log.brokerId}, follower of ${this.name} in epoch ${leaderEpoch} with the high watermark ${highWatermark},`;
    return violation('S-D7', `${where} has ${show(other)}, and committed is ${show(this.committed[held])}`);
  }

  /**
   * A power cut or a new disk took `gone` from the log of a broker that is not running. Also what is not committed yet may be soon, as
   * its leader knows that it was there. True if committed records went with it.
   */
  crashed(brokerId: NodeId, gone: readonly Batch[], log: TrueLog<Batch>): boolean {
    const first = gone[0];
    if (first === undefined) return false;
    this.#lossy.add(brokerId);
    this.#recount(log);
    return isEqual(first, this.#at(first));
  }

  /** The committed batch that begins where this one does. */
  #at({ baseOffset }: Batch): Batch | undefined {
    const { committed } = this;
    let low = 0;
    for (let high = committed.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((committed[middle] as Batch).baseOffset < baseOffset) low = middle + 1;
      else high = middle;
    }
    return committed[low];
  }

  /** The controller has processed that the broker began another life. `isOnly`: nobody else has a replica. */
  registered(brokerId: NodeId, isOnly: boolean): void {
    const wasLossy = this.#lossy.delete(brokerId);
    // There is nobody who has more: it leads with what it has, and says what it lacks.
    if (wasLossy && isOnly) this.#pending ??= 0;
  }

  #recount(log: TrueLog<Batch>): number {
    this.#verified.delete(log.brokerId);
    return this.#verify(log, false);
  }

  /** How many of the committed batches it has, from the first on. */
  #verify({ brokerId, batches, counts }: TrueLog<Batch>, mustCount: boolean): number {
    const { committed } = this;
    let held = this.#verified.get(brokerId) ?? 0;
    while (held < committed.length && isEqual(committed[held], batches[held])) {
      if (mustCount && !counts(batches[held] as Batch)) break;
      held++;
    }
    this.#verified.set(brokerId, held);
    return held;
  }
}

/** The same records, written by the same leader. */
export function isEqual(a: TrueBatch | undefined, b: TrueBatch | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.baseOffset === b.baseOffset &&
    a.nextOffset === b.nextOffset &&
    a.leaderEpoch === b.leaderEpoch &&
    a.crc === b.crc
  );
}

function show(batch: TrueBatch | undefined): string {
  if (batch === undefined) return 'nothing';
  return `offsets ${batch.baseOffset} to ${batch.nextOffset - 1} of epoch ${batch.leaderEpoch}`;
}
