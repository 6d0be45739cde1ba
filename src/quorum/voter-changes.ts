// Voter changes under way: appended at once or refused, then committed, or cut off by the end of this leadership.
import type { Offset } from '../base/ids.ts';
import type { RaftEffect, VoterChangeError } from '../raft/types.ts';

/** The change was refused: nothing happened. `message` says what and how to go on. */
export class VoterChangeRefused extends Error {
  override name = 'VoterChangeRefused';
  readonly code: VoterChangeError;

  constructor(code: VoterChangeError, message: string) {
    super(message);
    this.code = code;
  }
}

/** The change was appended, then this node ceased to lead or to run: it may or may not take effect. Describe the quorum, then decide. */
export class VoterChangeUnknown extends Error {
  override name = 'VoterChangeUnknown';

  constructor() {
    super(
      'this node no longer leads the quorum; whether the change took effect is not known: describe the quorum, then decide',
    );
  }
}

interface Waiter {
  readonly resolve: (appended: { offset: Offset }) => void;
  readonly reject: (error: Error) => void;
  /** -1 until it is appended. */
  offset: Offset;
}

export class VoterChanges {
  readonly #waiting = new Map<number, Waiter>();

  /** Resolves when the change asked for under `token` is committed. VoterChangeRefused, VoterChangeUnknown. */
  wait(token: number): Promise<{ offset: Offset }> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(token, { resolve, reject, offset: -1 });
    });
  }

  answered({ token, result }: Extract<RaftEffect, { type: 'voterChange' }>): void {
    const waiter = this.#waiting.get(token);
    if (waiter === undefined) return;
    if (result.type === 'appended') {
      waiter.offset = result.offset;
      return;
    }
    this.#waiting.delete(token);
    waiter.reject(new VoterChangeRefused(result.error, result.message));
  }

  committed(highWatermark: Offset): void {
    for (const [token, waiter] of this.#waiting) {
      if (waiter.offset < 0 || waiter.offset >= highWatermark) continue;
      this.#waiting.delete(token);
      waiter.resolve({ offset: waiter.offset });
    }
  }

  /** This node no longer leads the epoch of the changes, or stops. */
  abandon(): void {
    for (const waiter of this.#waiting.values()) waiter.reject(new VoterChangeUnknown());
    this.#waiting.clear();
  }
}
