// Carries what replicas lost to the active controller (S-D8): what is said in one turn goes in one call, one call is under way at a time,
// and it is said again until it is in the loss ledger. Only then does the replica act on it (D-3.5).
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import { backoffMs } from '../client/backoff.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { ReportLossesResponse } from '../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Service } from '../gen/kvorum/v1/controller.ts';
import { LossKind } from '../gen/kvorum/v1/metadata.ts';
import type { LossReports, ReplicaLoss, ReplicaLossKind } from '../replica/loss-reports.ts';

export interface LossReportChannelDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly controller: Pick<ControllerChannel, 'call'>;
  readonly brokerId: NodeId;
  /** The epoch of the present registration, -1 before. */
  readonly brokerEpoch: () => Offset;
  readonly requestTimeoutMs: Ms;
}

/** Of one call, well below what the controller takes (C-0.6). */
const MAX_PER_CALL = 1000;
const AGAIN_BACKOFF = { baseMs: 50, maxMs: 1000 };
/** Warned of once when calls have failed so often in a row. */
const WARN_AFTER_CALLS = 5;

/** Who was asked knows less than this broker, or had no room for it. */
const ASK_AGAIN = new Set(['NOT_CONTROLLER', 'OPERATION_NOT_ATTEMPTED']);
/** With the topic what was lost of it is gone. */
const IS_GONE = new Set(['UNKNOWN_TOPIC_ID', 'UNKNOWN_TOPIC_OR_PARTITION']);

const KINDS: Readonly<Record<ReplicaLossKind, LossKind>> = {
  led: LossKind.LED,
  cut: LossKind.CUT,
  hole: LossKind.HOLE,
  short: LossKind.SHORT,
};

interface Report {
  readonly loss: ReplicaLoss;
  readonly resolve: (isReported: boolean) => void;
}

export class LossReportChannel implements LossReports {
  readonly #deps: LossReportChannelDeps;
  /** Not answered yet, in the order in which they came. */
  readonly #waiting = new Set<Report>();
  #isTelling = false;
  #stopped = false;
  /** Ends a pause at once. */
  #wake: () => void = () => {};

  constructor(deps: LossReportChannelDeps) {
    this.#deps = deps;
  }

  report(loss: ReplicaLoss, signal: AbortSignal): Promise<boolean> {
    if (this.#stopped || signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const giveUp = (): void => this.#settle(report, false);
      const report: Report = {
        loss,
        resolve: (isReported) => {
          signal.removeEventListener('abort', giveUp);
          resolve(isReported);
        },
      };
      this.#waiting.add(report);
      signal.addEventListener('abort', giveUp);
      if (!this.#isTelling) void this.#tellAll();
    });
  }

  /** Nobody hears anything more. */
  stop(): void {
    this.#stopped = true;
    for (const report of [...this.#waiting]) this.#settle(report, false);
    this.#wake();
  }

  #settle(report: Report, isReported: boolean): void {
    if (this.#waiting.delete(report)) report.resolve(isReported);
  }

  async #tellAll(): Promise<void> {
    this.#isTelling = true;
    await Promise.resolve(); // what is said in this turn goes along
    for (let failures = 0; this.#waiting.size > 0; ) {
      const batch = [...this.#waiting].slice(0, MAX_PER_CALL);
      const why = await this.#tellSome(batch);
      failures = why === undefined ? 0 : failures + 1;
      if (failures === WARN_AFTER_CALLS && !this.#stopped) {
        this.#deps.logger.warn('losses-not-reported', { partitions: batch.length, reason: why });
      }
      if (failures > 0 && this.#waiting.size > 0) await this.#pause(failures);
    }
    this.#isTelling = false;
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#deps;
    return new Promise((resolve) => {
      const timer = clock.schedule(backoffMs(random, 'broker.reportLosses', attempt, AGAIN_BACKOFF), resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Why some of them are to be said again; undefined: none. */
  async #tellSome(batch: readonly Report[]): Promise<string | undefined> {
    const { controller, brokerId, brokerEpoch, requestTimeoutMs } = this.#deps;
    const losses = batch.map(({ loss }) => ({ ...loss, brokerId, kind: KINDS[loss.kind], reason: '' }));
    const request = { brokerId, brokerEpoch: brokerEpoch(), losses };
    let answer: ReportLossesResponse;
    try {
      const { reportLosses } = Service.methods;
      answer = await controller.call(Service, reportLosses, request, requestTimeoutMs, { patient: true });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      // The cluster, or its active controller, has no ledger yet.
      const hasNone = error.status === 'UNIMPLEMENTED' || error.detail?.reason === 'UNSUPPORTED_VERSION';
      if (!hasNone) return error.message;
      for (const report of batch) this.#notForLedger(report, error.message);
      return undefined;
    }
    if (answer.losses.length !== batch.length) return `${answer.losses.length} answers for ${batch.length} reports`;
    let again: string | undefined;
    for (const [i, report] of batch.entries()) {
      const error = answer.losses[i]?.error;
      if (error === undefined || IS_GONE.has(error.name)) this.#settle(report, true);
      else if (ASK_AGAIN.has(error.name)) again = `${error.name}: ${error.message}`;
      else this.#notForLedger(report, `${error.name}: ${error.message}`);
    }
    return again;
  }

  /** It is in this broker's log at least. */
  #notForLedger(report: Report, reason: string): void {
    if (this.#waiting.has(report)) this.#deps.logger.warn('loss-not-in-ledger', { ...report.loss, reason });
    this.#settle(report, true);
  }
}
