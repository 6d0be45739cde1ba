// Carries the changes that leaders ask for to the active controller (D-5): what is asked for in one turn goes in one call, one call is
// under way at a time, and as long as it is not known what became of a change it is asked for again, the same (D-5.6).
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import { backoffMs } from '../client/backoff.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { AlteredPartition, AlterPartitionResponse } from '../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Service } from '../gen/kvorum/v1/controller.ts';
import type { AlterationOutcome, AlterPartitions, PartitionAlteration } from '../replica/alter-partitions.ts';

export interface AlterPartitionChannelDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly controller: ControllerChannel;
  readonly brokerId: NodeId;
  readonly brokerEpoch: () => Offset;
  readonly requestTimeoutMs: Ms;
}

/** Of one call, well below what the controller takes (C-0.6). */
const MAX_PER_CALL = 1000;
const AGAIN_BACKOFF = { baseMs: 50, maxMs: 1000 };
/** Warned of once when calls have failed so often in a row. */
const WARN_AFTER_CALLS = 5;

/** D-5.4: these were surely not carried out. */
const SURELY_NOT = new Set(['INELIGIBLE_REPLICA', 'OPERATION_NOT_ATTEMPTED']);
/** D-5.6: who was asked knows less than this broker, or does not know it yet. */
const ASK_AGAIN = new Set(['NOT_CONTROLLER', 'STALE_BROKER_EPOCH']);

interface Asked {
  readonly alteration: PartitionAlteration;
  readonly signal: AbortSignal;
  readonly resolve: (outcome: AlterationOutcome | undefined) => void;
}

export class AlterPartitionChannel implements AlterPartitions {
  readonly #deps: AlterPartitionChannelDeps;
  /** Not answered yet, in the order in which they came. */
  #waiting: Asked[] = [];
  #isAsking = false;
  #stopped = false;
  /** Ends a pause at once. */
  #wake: () => void = () => {};

  constructor(deps: AlterPartitionChannelDeps) {
    this.#deps = deps;
  }

  alter(alteration: PartitionAlteration, signal: AbortSignal): Promise<AlterationOutcome | undefined> {
    if (this.#stopped || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const asked: Asked = { alteration, signal, resolve };
      this.#waiting.push(asked);
      signal.addEventListener('abort', () => this.#settle(asked, undefined), { once: true });
      if (!this.#isAsking) void this.#askAll();
    });
  }

  /** Nobody hears anything more. */
  stop(): void {
    this.#stopped = true;
    for (const asked of [...this.#waiting]) this.#settle(asked, undefined);
    this.#wake();
  }

  #settle(asked: Asked, outcome: AlterationOutcome | undefined): void {
    const index = this.#waiting.indexOf(asked);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    asked.resolve(outcome);
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true;
    await Promise.resolve(); // what is asked for in this turn goes along
    for (let failures = 0; this.#waiting.length > 0; ) {
      const batch = this.#waiting.slice(0, MAX_PER_CALL);
      const why = await this.#askSome(batch);
      failures = why === undefined ? 0 : failures + 1;
      if (failures === WARN_AFTER_CALLS && !this.#stopped) {
        this.#deps.logger.warn('isr-changes-not-answered', { partitions: batch.length, reason: why });
      }
      if (failures > 0 && !this.#stopped) await this.#pause(failures);
    }
    this.#isAsking = false;
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#deps;
    return new Promise((resolve) => {
      const timer = clock.schedule(backoffMs(random, 'broker.alterPartition', attempt, AGAIN_BACKOFF), resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Why some of them, which are not given up meanwhile, are to be asked for again; undefined: none. */
  async #askSome(batch: readonly Asked[]): Promise<string | undefined> {
    const { controller, brokerId, brokerEpoch, requestTimeoutMs } = this.#deps;
    const partitions = batch.map(({ alteration }) => ({
      ...alteration,
      isr: alteration.isr.map((member) => ({ ...member })),
    }));
    const request = { brokerId, brokerEpoch: brokerEpoch(), partitions };
    let answer: AlterPartitionResponse;
    try {
      answer = await controller.call(Service, Service.methods.alterPartition, request, requestTimeoutMs, {
        patient: true,
      });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return error.message;
    }
    if (answer.partitions.length !== batch.length) {
      return `${answer.partitions.length} answers for ${batch.length} partitions`;
    }
    let again: string | undefined;
    for (const [i, asked] of batch.entries()) {
      const outcome = outcomeOf(answer.partitions[i] as AlteredPartition);
      if (typeof outcome === 'string') again = outcome;
      else this.#settle(asked, outcome);
    }
    return again;
  }
}

/** The error, where it is to be asked for again. */
function outcomeOf(answer: AlteredPartition): AlterationOutcome | string {
  const { error, leaderEpoch, partitionEpoch, isr, recovering } = answer;
  if (error === undefined) return { kind: 'altered', leaderEpoch, partitionEpoch, isr, recovering };
  const { name, message } = error;
  if (ASK_AGAIN.has(name)) return `${name}: ${message}`;
  return { kind: SURELY_NOT.has(name) ? 'refused' : 'superseded', error: name, message };
}
