// Whether the active controller can commit at all. Check quorum ends its claim when a majority of the voters has not fetched
// for one and a half fetch timeouts; who waits for an answer should know sooner where that can be known: when nobody listens any
// more where those voters were. Says so and nothing else: the claim, and what is in the log, stay as they are (M-3).
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Address } from '../env/network.ts';
import type { Quorum } from '../quorum/quorum.ts';
import type { Forwarder } from './forwarder.ts';

export interface MajorityWatchDeps {
  readonly clock: Clock;
  readonly quorum: Pick<Quorum, 'describe'>;
  readonly controllers: Pick<Forwarder, 'refusing'>;
  /** A majority that has not fetched for so long is gone, whatever the reason. */
  readonly fetchTimeoutMs: Ms;
  /** How many answers wait for a commit, and the end of what is committed. */
  readonly waiting: () => { readonly count: number; readonly committedEndOffset: number };
  /** What waits cannot be committed: `reason` as {@link MajorityWatch.objection}. */
  readonly lost: (reason: string) => void;
}

/** How often it is looked whether commits come, while answers wait for them. */
const LOOK_MS: Ms = 200;
/** How long the other controllers are given to refuse a connection. */
const REFUSE_WITHIN_MS: Ms = 300;

export class MajorityWatch {
  readonly #deps: MajorityWatchDeps;
  #timer: Timer | undefined;
  #isAsking = false;
  #isStopped = false;
  /** Found lost at this time, and in these words. */
  #lost: { readonly at: Ms; readonly reason: string } | undefined;

  constructor(deps: MajorityWatchDeps) {
    this.#deps = deps;
  }

  /** An answer waits for a commit. */
  look(): void {
    if (this.#timer !== undefined || this.#isAsking || this.#isStopped) return;
    const { committedEndOffset } = this.#deps.waiting();
    this.#timer = this.#deps.clock.schedule(LOOK_MS, () => {
      this.#timer = undefined;
      void this.#check(committedEndOffset);
    });
  }

  /** None waits any more. */
  rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Why nothing can be committed now, as far as that is known: `2 of 3 voters …`. */
  objection(): string | undefined {
    const { clock, fetchTimeoutMs } = this.#deps;
    const now = clock.now();
    if (this.#lost !== undefined && this.#hasHeardSince(this.#lost.at)) this.#lost = undefined;
    if (this.#lost !== undefined) return this.#lost.reason;
    if (this.#hasHeardSince(now - fetchTimeoutMs)) return undefined;
    return `no majority of the voters has fetched from this controller for ${fetchTimeoutMs} ms`;
  }

  stop(): void {
    this.#isStopped = true;
    this.rest();
  }

  async #check(committedBefore: number): Promise<void> {
    const { count, committedEndOffset } = this.#deps.waiting();
    if (count === 0) return;
    if (committedEndOffset === committedBefore) {
      this.#isAsking = true;
      const askedAt = this.#deps.clock.now();
      const refusing = await this.#deps.controllers.refusing(REFUSE_WITHIN_MS);
      this.#isAsking = false;
      if (this.#isStopped) return;
      const { voters } = this.#deps.quorum.describe();
      const gone = refusing.filter(({ id, address }) =>
        voters.some(({ replica, endpoint }) => id === replica.id || endpoint === hostPort(address)),
      );
      if (voters.length - gone.length < majorityOf(voters.length) && !this.#hasHeardSince(askedAt)) {
        const reason = `${gone.length} of ${voters.length} voters are gone, nobody listens at ${gone.map(({ address }) => hostPort(address)).join(' and ')}`;
        this.#lost = { at: this.#deps.clock.now(), reason };
        this.#deps.lost(reason);
      }
    }
    this.look();
  }

  /** Whether a majority, this leader included, has fetched since then. */
  #hasHeardSince(time: Ms): boolean {
    const { voters, leaderId } = this.#deps.quorum.describe();
    const heard = voters.filter(({ replica, lastFetchMs }) => replica.id === leaderId || lastFetchMs >= time);
    return heard.length >= majorityOf(voters.length);
  }
}

function hostPort({ host, port }: Address): string {
  return `${host}:${port}`;
}

function majorityOf(count: number): number {
  return Math.floor(count / 2) + 1;
}
