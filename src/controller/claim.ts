// One claim of this node to be the active controller: the working image (committed state and this claim's own uncommitted
// batches), the answers that wait for commits, whether commits can come, and the brokers' sessions. Ends whole (C-0.3).
import { assert } from '../base/assert.ts';
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import { RpcError } from '../env/network.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { levelOf } from '../metadata/level.ts';
import { encodeRecord } from '../metadata/record.ts';
import { replay } from '../metadata/replay.ts';
import { MAX_BATCH_BYTES } from '../quorum/limits.ts';
import type { Quorum } from '../quorum/quorum.ts';
import type { Decided, Refusal } from './decide/decision.ts';
import { isRefusal, refusalError, refuse } from './decide/decision.ts';
import type { Forwarder } from './forwarder.ts';
import { MajorityWatch } from './majority-watch.ts';
import { PendingReplies } from './pending-replies.ts';
import { BrokerSessions } from './sessions.ts';

export interface ClaimDeps {
  readonly quorum: Pick<Quorum, 'append' | 'describe'>;
  readonly clock: Clock;
  readonly controllers: Pick<Forwarder, 'refusing'>;
  readonly sessionTimeoutMs: Ms;
  readonly fetchTimeoutMs: Ms;
}

interface Batch {
  readonly records: readonly MetadataRecord[];
  readonly encoded: readonly Uint8Array[];
  readonly bytes: number;
}

export class Claim {
  readonly epoch: Epoch;
  readonly sessions: BrokerSessions;
  readonly pending: PendingReplies;
  readonly #majority: MajorityWatch;
  readonly #quorum: Pick<Quorum, 'append'>;
  readonly #clock: Clock;
  #working: MetadataImage;
  #committedEndOffset: Offset;

  constructor(epoch: Epoch, committed: MetadataImage, deps: ClaimDeps) {
    this.epoch = epoch;
    this.#working = committed;
    this.#committedEndOffset = committed.endOffset;
    this.#quorum = deps.quorum;
    this.#clock = deps.clock;
    this.pending = new PendingReplies(deps.clock);
    this.sessions = new BrokerSessions(deps.sessionTimeoutMs);
    this.sessions.startAll(committed, deps.clock.now());
    this.#majority = new MajorityWatch({
      ...deps,
      waiting: () => ({ count: this.pending.size, committedEndOffset: this.#committedEndOffset }),
      lost: (reason) => this.pending.failAll(() => majorityLost(reason)),
    });
  }

  /** Why a command should be refused, as it could not be committed now; undefined if nothing is known against it. */
  objection(): RpcError | undefined {
    const reason = this.#majority.objection();
    if (reason === undefined) return undefined;
    return noMajority(`${reason}; nothing was done`, false);
  }

  /** The claim is over: none of those who wait will know. */
  end(error: () => RpcError): void {
    this.#majority.stop();
    this.pending.failAll(error);
  }

  /** Committed state and what this claim has appended: what commands are decided on (C-0.1). Never shown to anybody. */
  get working(): MetadataImage {
    return this.#working;
  }

  /** Appends the records as one batch and applies them to the working image; false if this node leads no more. */
  write(records: readonly MetadataRecord[]): boolean {
    return this.#append(this.#batchOf(records));
  }

  /**
   * Carries a decision out. The answer, or the refusal, comes when what it was decided on is committed, its own batch included
   * (C-0.2). `undefined`: this node leads no more, and nothing was done.
   */
  carryOut<T>(decided: Decided<T>, remainingMs: Ms): Promise<T> | undefined {
    const batch = isRefusal(decided) ? undefined : this.#batchOf(decided.records);
    const outcome = batch === undefined || batch.bytes <= MAX_BATCH_BYTES ? decided : tooLarge(batch.bytes);
    if (batch !== undefined && !isRefusal(outcome) && !this.#append(batch)) return undefined;
    const after = this.#working;
    const answer = (): T => {
      if (isRefusal(outcome)) throw refusalError(outcome);
      return outcome.respond(after);
    };
    const promise = this.pending.add(after.endOffset, remainingMs).then(answer);
    this.#settle();
    return promise;
  }

  #batchOf([first, ...others]: readonly MetadataRecord[]): Batch {
    if (first === undefined) return { records: [], encoded: [], bytes: 0 };
    const records = [{ ...first, timestampMs: this.#clock.wallTime() }, ...others];
    const encoded = records.map(encodeRecord);
    return { records, encoded, bytes: encoded.reduce((sum, { length }) => sum + length, 0) };
  }

  #append({ records, encoded }: Batch): boolean {
    if (records.length === 0) return true;
    const { level } = this.#working;
    const tooNew = level === 0 ? undefined : records.find((record) => levelOf(record) > level);
    assert(tooNew === undefined, () => `a ${tooNew?.kind?.$case} record is written at metadata level ${level}`);
    const appended = this.#quorum.append(this.epoch, encoded);
    if (appended === undefined) return false;
    const { baseOffset, lastOffset } = appended;
    const batch = { baseOffset, endOffset: lastOffset + 1, epoch: this.epoch, records };
    this.#working = replay(this.#working, batch).image;
    return true;
  }

  /** The quorum committed up to the end of `image`, which is this node's committed image. */
  committed(image: MetadataImage): void {
    this.#committedEndOffset = image.endOffset;
    // Control batches of the quorum move the offset without a record of ours (C-0.7).
    if (image.endOffset >= this.#working.endOffset) this.#working = image;
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

function majorityLost(reason: string): RpcError {
  return noMajority(`${reason}; whether the call takes effect is not known`, true);
}

function noMajority(why: string, mayTakeEffect: boolean): RpcError {
  const detail = { reason: 'NO_MAJORITY', mayTakeEffect, controllerId: NO_NODE };
  return new RpcError('UNAVAILABLE', `the active controller cannot commit: ${why}`, undefined, detail);
}
