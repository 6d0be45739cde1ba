// What the active controller does by itself, for as long as a claim lasts: ends sessions, and looks for leaders (C-1.3).

import type { NodeValues } from '../config/node-keys.ts';
import type { Clock } from '../env/clock.ts';
import { fencing } from './broker-commands.ts';
import type { Claim } from './claim.ts';
import { fence } from './decide/broker-state.ts';
import { Scans } from './scans.ts';
import { SessionWatch } from './session-watch.ts';
import type { Expired } from './sessions.ts';
import type { Attempt } from './surprises.ts';

export interface DutiesDeps {
  readonly clock: Clock;
  readonly values: NodeValues;
  readonly attempt: Attempt;
}

export class Duties {
  readonly #claim: Claim;
  readonly #watch: SessionWatch;
  readonly #scans: Scans;

  constructor(claim: Claim, { clock, values, attempt }: DutiesDeps) {
    const image = () => claim.working;
    this.#claim = claim;
    this.#watch = new SessionWatch({
      clock,
      sessions: claim.sessions,
      image,
      fence: (expired) => this.#fence(expired),
      attempt,
      heartbeatMs: values['broker.heartbeat.interval.ms'],
      graceMs: values['broker.connection.grace.ms'],
    });
    this.#scans = new Scans({
      clock,
      image,
      write: (records) => claim.write(records),
      isBusy: () => claim.objection() !== undefined,
      attempt,
      leaderlessMs: values['unclean.leader.election.interval.ms'],
      balanceMs: values['auto.leader.rebalance.enable']
        ? values['leader.imbalance.check.interval.seconds'] * 1000
        : undefined,
    });
  }

  start(): void {
    this.#watch.look();
    this.#scans.start();
  }

  /** A session may end sooner than was thought. */
  sessionsChanged(): void {
    this.#watch.look();
  }

  /** Something may have made a leader possible. */
  electionsPossible(): void {
    this.#scans.soon();
  }

  stop(): void {
    this.#watch.stop();
    this.#scans.stop();
  }

  /** C-3.4: by a batch of its own, decided on what the one before left; by several where that is much. */
  #fence({ brokerId, cause }: Expired): Promise<void> | undefined {
    const { working, moves, departures } = this.#claim;
    // What it is leaving for another reason, as for failed log dirs, it leaves first.
    const underWay = departures.of(brokerId);
    if (underWay !== undefined) return underWay;
    const broker = working.brokers.get(brokerId);
    if (broker === undefined) return undefined;
    const { records, isComplete } = fence(working, broker, cause);
    if (!isComplete) return this.#claim.depart(fencing(broker, cause));
    moves.add(brokerId, records);
    this.#claim.write(records);
    return undefined;
  }
}
