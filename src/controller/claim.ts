// One claim of this node to be the active controller: the working image (committed state and this claim's own uncommitted
// batches), the answers that wait for commits, whether commits can come, the brokers' sessions, and who is on the way out. Ends
// whole (C-0.3).
import { assert } from '../base/assert.ts';
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { RpcError } from '../env/network.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { levelOf } from '../metadata/level.ts';
import { encodeRecords } from '../metadata/record.ts';
import { replay } from '../metadata/replay.ts';
import { MAX_BATCH_BYTES } from '../quorum/limits.ts';
import type { Quorum } from '../quorum/quorum.ts';
import type { Decided, Refusal } from './decide/decision.ts';
import { isRefusal, refusalError, refuse } from './decide/decision.ts';
import { Departures } from './departures.ts';
import type { Forwarder } from './forwarder.ts';
import { MajorityWatch } from './majority-watch.ts';
import { Moves } from './moves.ts';
import { PendingReplies } from './pending-replies.ts';
import { BrokerSessions } from './sessions.ts';
import type { Attempt } from './surprises.ts';

export interface ClaimDeps {
  readonly quorum: Pick<Quorum, 'append' | 'describe' | 'isCongested' | 'logEndOffset'>;
  readonly clock: Clock;
  readonly controllers: Pick<Forwarder, 'refusing'>;
  readonly sessionTimeoutMs: Ms;
  /** 0: a broken connection is no reason to fence. */
  readonly connectionGraceMs: Ms;
  readonly fetchTimeoutMs: Ms;
  readonly attempt: Attempt;
}

interface Batch {
  readonly records: readonly MetadataRecord[];
  readonly encoded: readonly Uint8Array[];
  /** Of all of them, encoded. */
  readonly bytes: number;
}

export class Claim {
  readonly epoch: Epoch;
  readonly sessions: BrokerSessions;
  readonly pending: PendingReplies;
  readonly departures: Departures;
  readonly moves = new Moves();
  readonly #majority: MajorityWatch;
  readonly #quorum: ClaimDeps['quorum'];
  readonly #clock: Clock;
  readonly #whenOver = new Set<() => void>();
  #appended: MetadataImage;
  /** {@link working} of `#appended`, until either changes. */
  #seen: MetadataImage | undefined;
  #committedEndOffset: Offset;
  #isOver = false;

  constructor(epoch: Epoch, committed: MetadataImage, deps: ClaimDeps) {
    this.epoch = epoch;
    this.#appended = committed;
    this.#committedEndOffset = committed.endOffset;
    this.#quorum = deps.quorum;
    this.#clock = deps.clock;
    this.pending = new PendingReplies(deps.clock);
    this.sessions = new BrokerSessions(deps.sessionTimeoutMs, deps.connectionGraceMs);
    this.sessions.startAll(committed, deps.clock.now());
    this.departures = new Departures({
      clock: deps.clock,
      image: () => this.working,
      write: (brokerId, records) => this.#move(brokerId, records),
      isCongested: () => deps.quorum.isCongested,
      attempt: deps.attempt,
    });
    this.#majority = new MajorityWatch({
      ...deps,
      waiting: () => ({ count: this.pending.size, committedEndOffset: this.#committedEndOffset }),
      lost: (reason) => this.pending.failAll(() => majorityLost(reason)),
    });
  }

  /** Why a command should be refused, as it could not be committed now; undefined if nothing is known against it. */
  objection(): RpcError | undefined {
    if (this.pending.full || this.#quorum.isCongested) return tooMany();
    const reason = this.#majority.objection();
    return reason === undefined ? undefined : noMajority(`${reason}; nothing was done`, false);
  }

  /** Too many wait even for those who only say that they live. */
  get isFull(): boolean {
    return this.pending.full;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Calls once when the claim ends, at once if it has; returns what takes that back. */
  whenOver(callback: () => void): () => void {
    if (this.#isOver) callback();
    else this.#whenOver.add(callback);
    return () => void this.#whenOver.delete(callback);
  }

  /** The claim is over: none of those who wait will know. */
  end(error: () => RpcError): void {
    this.#isOver = true;
    this.#majority.stop();
    this.departures.end();
    this.pending.failAll(error);
    for (const callback of this.#whenOver) callback();
    this.#whenOver.clear();
  }

  /**
   * Committed state and what this claim has appended, with brokers that are on the way out shown as gone: what commands are
   * decided on (C-0.1). Never shown to anybody.
   */
  get working(): MetadataImage {
    this.#seen ??= this.departures.seenBy(this.#appended);
    return this.#seen;
  }

  /** A broker is on the way out from now on: see {@link Departures.begin}. */
  depart(departure: Parameters<Departures['begin']>[0]): Promise<void> {
    this.#seen = undefined;
    return this.departures.begin(departure);
  }

  /** Appends the records as one batch and applies them to the working image; false if this node leads no more. */
  write(records: readonly MetadataRecord[]): boolean {
    return this.#append(this.#batchOf(records));
  }

  #batchOf([first, ...others]: readonly MetadataRecord[]): Batch {
    if (first === undefined) return { records: [], encoded: [], bytes: 0 };
    const records = [{ ...first, timestampMs: this.#clock.wallTime() }, ...others];
    const encoded = encodeRecords(records);
    return { records, encoded, bytes: encoded.reduce((sum, { length }) => sum + length, 0) };
  }

  /** Applied first: what cannot be replayed must not get into the log, where it would end every node (C-0.4). */
  #append({ records, encoded }: Batch): boolean {
    if (records.length === 0) return true;
    const { level } = this.#appended;
    const tooNew = level === 0 ? undefined : records.find((record) => levelOf(record) > level);
    assert(tooNew === undefined, () => `a ${tooNew?.kind?.$case} record is written at metadata level ${level}`);
    const baseOffset = this.#quorum.logEndOffset;
    const batch = { baseOffset, endOffset: baseOffset + records.length, epoch: this.epoch, records };
    const { image } = replay(this.#appended, batch);
    const appended = this.#quorum.append(this.epoch, encoded);
    if (appended === undefined) return false;
    assert(appended.baseOffset === baseOffset, () => `a batch for offset ${baseOffset} is at ${appended.baseOffset}`);
    this.#appended = image;
    this.#seen = undefined;
    return true;
  }

  #move(brokerId: NodeId, records: readonly MetadataRecord[]): boolean {
    this.moves.add(brokerId, records);
    this.#seen = undefined;
    return this.write(records);
  }

  /**
   * Carries a decision out. The answer, or the refusal, comes when what it was decided on is committed, its own batch included
   * (C-0.2). `undefined`: this node leads no more, and nothing was done.
   */
  carryOut<T>(decided: Decided<T>, remainingMs: Ms): Promise<T> | undefined {
    const batch = isRefusal(decided) ? undefined : this.#batchOf(decided.records);
    const outcome = batch === undefined || batch.bytes <= MAX_BATCH_BYTES ? decided : tooLarge(batch.bytes);
    if (batch !== undefined && !isRefusal(outcome) && !this.#append(batch)) return undefined;
    const after = this.#appended;
    const answer = (): T => {
      if (isRefusal(outcome)) throw refusalError(outcome);
      return outcome.respond(after);
    };
    const promise = this.pending.add(after.endOffset, remainingMs).then(answer);
    this.#settle();
    return promise;
  }

  /** The quorum committed up to the end of `image`, which is this node's committed image. */
  committed(image: MetadataImage): void {
    this.#committedEndOffset = image.endOffset;
    // Control batches of the quorum move the offset without a record of ours (C-0.7).
    if (image.endOffset >= this.#appended.endOffset) {
      this.#appended = image;
      this.#seen = undefined;
    }
    this.#settle();
  }

  #settle(): void {
    this.pending.settle(this.#committedEndOffset);
    if (this.pending.size > 0) this.#majority.look();
    else this.#majority.rest();
  }
}

/** C-0.6: what one call changes is one batch, or nothing. */
function tooLarge(bytes: number): Refusal {
  const message = `the call would write ${bytes} bytes of metadata at once, of ${MAX_BATCH_BYTES} possible: use several calls`;
  return refuse('INVALID_ARGUMENT', message, 'INVALID_SIZE');
}

function tooMany(): RpcError {
  const detail = { reason: 'TOO_MANY_PENDING', mayTakeEffect: false, controllerId: NO_NODE };
  const message = 'too many calls wait for the quorum to commit: nothing was done, try again later';
  return new RpcError('RESOURCE_EXHAUSTED', message, undefined, detail);
}

function majorityLost(reason: string): RpcError {
  return noMajority(`${reason}; whether the call takes effect is not known`, true);
}

function noMajority(why: string, mayTakeEffect: boolean): RpcError {
  const detail = { reason: 'NO_MAJORITY', mayTakeEffect, controllerId: NO_NODE };
  return new RpcError('UNAVAILABLE', `the active controller cannot commit: ${why}`, undefined, detail);
}
