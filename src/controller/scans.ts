// What the active controller looks for by itself: partitions without a leader that may have one (C-5.9, C-10.2), and partitions
// that another than their preferred replica leads (C-5.9). At most so many per turn; where nothing has changed since nothing was
// found, it does not look.
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { electLeaderless, electPreferred } from './decide/affected-partitions.ts';
import { MOVES_PER_BATCH } from './decide/broker-state.ts';
import type { ElectionPolicy } from './decide/policy.ts';
import { electionPolicyOf } from './decide/policy.ts';
import type { Attempt } from './surprises.ts';

export interface ScansDeps {
  readonly clock: Clock;
  readonly image: () => MetadataImage;
  /** False: the claim is over. */
  readonly write: (records: readonly MetadataRecord[]) => boolean;
  /** Nothing should be begun now. */
  readonly isBusy: () => boolean;
  readonly attempt: Attempt;
  /** unclean.leader.election.interval.ms. */
  readonly leaderlessMs: Ms;
  /** leader.imbalance.check.interval.seconds; undefined: leaders are not balanced. */
  readonly balanceMs: Ms | undefined;
}

/** C-5.9: a big imbalance is put right in passes, not in one stampede of clients. */
const BALANCE_PASS_MS: Ms = 1000;
const BALANCED_PER_PASS = 1000;

export class Scans {
  readonly #leaderless: Scan;
  readonly #balance: Scan | undefined;

  constructor(deps: ScansDeps) {
    const { leaderlessMs, balanceMs } = deps;
    this.#leaderless = new Scan(deps, {
      operation: 'the scan for leaderless partitions',
      elect: electLeaderless,
      limit: MOVES_PER_BATCH,
      everyMs: leaderlessMs,
      moreMs: 0,
    });
    this.#balance =
      balanceMs === undefined
        ? undefined
        : new Scan(deps, {
            operation: 'the balance of leaders',
            elect: electPreferred,
            limit: BALANCED_PER_PASS,
            everyMs: balanceMs,
            moreMs: BALANCE_PASS_MS,
          });
  }

  /** The first look is after a whole interval: a claim that a scan ends has lasted that long (C-0.3). */
  start(): void {
    this.#leaderless.start();
    this.#balance?.start();
  }

  /** Something may have made a leader possible. */
  soon(): void {
    this.#leaderless.soon();
  }

  stop(): void {
    this.#leaderless.stop();
    this.#balance?.stop();
  }
}

interface ScanKind {
  readonly operation: string;
  readonly elect: (image: MetadataImage, policy: ElectionPolicy, limit: number) => MetadataRecord[];
  readonly limit: number;
  readonly everyMs: Ms;
  /** Pause before the next turn where the last one reached the limit. */
  readonly moreMs: Ms;
}

class Scan {
  readonly #deps: ScansDeps;
  readonly #kind: ScanKind;
  #timer: Timer | undefined;
  /** When the timer runs. */
  #dueAt: Ms = Number.POSITIVE_INFINITY;
  #isStopped = false;
  /** In this image nothing was found. */
  #fruitless: MetadataImage | undefined;

  constructor(deps: ScansDeps, kind: ScanKind) {
    this.#deps = deps;
    this.#kind = kind;
  }

  start(): void {
    this.#schedule(this.#kind.everyMs);
  }

  /** However often it is called: a turn that is due comes. */
  soon(): void {
    if (this.#dueAt > this.#deps.clock.now()) this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: Ms): void {
    this.#timer?.cancel();
    if (this.#isStopped) return;
    const { clock } = this.#deps;
    this.#dueAt = clock.now() + delayMs;
    this.#timer = clock.schedule(delayMs, () => {
      // Armed first: what throws does so each time, and not at once again.
      this.#schedule(this.#kind.everyMs);
      this.#deps.attempt(this.#kind.operation, () => this.#turn());
    });
  }

  #turn(): void {
    const { image, write, isBusy } = this.#deps;
    const { elect, limit, moreMs } = this.#kind;
    const seen = image();
    if (isBusy() || this.#isAsBefore(seen)) return;
    const records = elect(seen, electionPolicyOf(seen), limit);
    if (records.length === 0) this.#fruitless = seen;
    else if (write(records) && records.length >= limit) this.#schedule(moreMs);
  }

  /** These are persistent values: the same ones show the same. */
  #isAsBefore({ level, topics, brokers, configs }: MetadataImage): boolean {
    const before = this.#fruitless;
    if (before?.level !== level) return false; // a higher one has ELRs and unclean elections
    return before.topics === topics && before.brokers === brokers && before.configs === configs;
  }
}
