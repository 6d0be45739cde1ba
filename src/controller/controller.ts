// The controller of one node (C-0, C-1): sequences claims, commands and timers. While this node leads the quorum and has caught
// up, commands are decided on the claim's working image, appended, and answered when committed; else callers are told who leads.
import { assert } from '../base/assert.ts';
import type { Epoch, Ms, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { RpcContext, RpcService } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { LATEST_METADATA_LEVEL, metadataRecord } from '../metadata/record.ts';
import type { CommittedBatch, StateMachine } from '../quorum/state-machine.ts';
import { adminService } from './admin-service.ts';
import { Claim } from './claim.ts';
import { controllerService } from './controller-service.ts';
import { fence } from './decide/broker-state.ts';
import type { Decided } from './decide/decision.ts';
import { isRefusal } from './decide/decision.ts';
import type { CommandRunner, ControllerDeps, ExecuteOptions } from './deps.ts';
import { logChanges } from './log-changes.ts';
import { metadataStateMachine } from './state-machine.ts';

function unknownOutcome(): RpcError {
  const message = 'this node is no longer the active controller; whether the call took effect is not known: try again';
  const detail = { reason: 'NO_LONGER_CONTROLLER', mayTakeEffect: true, controllerId: NO_NODE };
  return new RpcError('UNAVAILABLE', message, undefined, detail);
}

/** What a controller that stops gives its last commands to be committed: a commit takes a few milliseconds. */
const LAST_COMMITS_MS: Ms = 300;

export class Controller implements CommandRunner {
  /** ControllerService and AdminService, for the controller listener. */
  readonly services: readonly RpcService[];
  /** To be given to `Quorum.start`. */
  readonly stateMachine: StateMachine;
  readonly #deps: ControllerDeps;
  readonly #logger: Logger;
  readonly #unsubscribe: () => void;
  #claim: Claim | undefined;
  #leaderId: NodeId = NO_NODE;
  #scanTimer: Timer | undefined;
  #stopped = false;

  constructor(deps: ControllerDeps) {
    this.#deps = deps;
    this.#logger = deps.env.logger.child({ component: 'controller' });
    this.services = [controllerService(this, deps), adminService(this, deps)];
    this.stateMachine = metadataStateMachine(deps.publisher, {
      apply: (batch) => this.#apply(batch),
      claim: (epoch) => this.#begin(epoch),
      renounce: (epoch) => this.#renounce(epoch),
      leaderChanged: (leaderId) => {
        this.#leaderId = leaderId;
      },
    });
    this.#unsubscribe = deps.publisher.subscribe((image, delta, previous) => {
      const sessions = this.#claim?.sessions;
      if (sessions !== undefined) logChanges(this.#logger, image, delta, previous, sessions);
    });
  }

  get isActive(): boolean {
    return this.#claim !== undefined && !this.#stopped;
  }

  get leaderId(): NodeId {
    return this.#leaderId;
  }

  async execute<T>(
    context: RpcContext,
    decide: (claim: Claim, now: Ms) => Decided<T>,
    { decided, isLifeSign = false }: ExecuteOptions = {},
  ): Promise<T> {
    const claim = this.#claim;
    if (claim === undefined || this.#stopped) throw this.notActive();
    if (claim.pending.full || this.#deps.quorum.isCongested) {
      const detail = { reason: 'TOO_MANY_PENDING', mayTakeEffect: false, controllerId: this.#leaderId };
      const message = 'too many calls wait for the quorum to commit: nothing was done, try again later';
      throw new RpcError('RESOURCE_EXHAUSTED', message, undefined, detail);
    }
    const objection = isLifeSign ? undefined : claim.objection();
    if (objection !== undefined) throw objection;
    const now = this.#deps.env.clock.now();
    const answer = this.#guard(() => {
      const decision = decide(claim, now);
      const promise = claim.carryOut(decision, context.remainingMs);
      if (promise !== undefined && !isRefusal(decision)) decided?.(claim, now);
      return promise;
    });
    // The claim can end within the call; then nothing else will answer what it still holds.
    if (this.#claim !== claim) claim.end(unknownOutcome);
    if (answer !== undefined) return answer;
    throw this.#claim === claim ? this.notActive() : unknownOutcome();
  }

  notActive(): RpcError {
    const { nodeId } = this.#deps.config;
    const known =
      this.#leaderId === NO_NODE
        ? 'no active controller is known yet'
        : this.#leaderId !== nodeId
          ? `the active controller is node ${this.#leaderId}`
          : this.#stopped
            ? 'it is stopping'
            : 'it was elected and is catching up';
    const detail = { reason: 'NOT_CONTROLLER', mayTakeEffect: false, controllerId: this.#leaderId };
    const message = `node ${nodeId} is not the active controller: ${known}`;
    return new RpcError('FAILED_PRECONDITION', message, undefined, detail);
  }

  /** Takes no more commands, lets those under way be committed, fails what then still waits. The quorum is stopped by its owner. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#scanTimer?.cancel();
    await this.#claim?.pending.none(LAST_COMMITS_MS);
    this.#unsubscribe();
    this.#drop();
  }

  #apply(batch: CommittedBatch): void {
    const { publisher } = this.#deps;
    publisher.apply(batch);
    this.#claim?.committed(publisher.image);
  }

  #begin(epoch: Epoch): void {
    if (this.#stopped) return;
    assert(this.#claim === undefined, `epoch ${epoch} is claimed before the claim before it was renounced`);
    const { env, config, quorum, publisher, controllers } = this.#deps;
    assert(!publisher.isLoading, `epoch ${epoch} is claimed while a snapshot is loaded (R-9.3)`);
    const claim = new Claim(epoch, publisher.image, {
      quorum,
      clock: env.clock,
      controllers,
      sessionTimeoutMs: config.values['broker.session.timeout.ms'],
      fetchTimeoutMs: config.values['controller.quorum.fetch.timeout.ms'],
    });
    this.#claim = claim;
    this.#logger.info('controller-active', { epoch, metadataEndOffset: publisher.image.endOffset });
    if (claim.working.level === 0) {
      // C-1.1: the first record of a new cluster.
      const level = { level: LATEST_METADATA_LEVEL };
      this.#guard(() => claim.write([metadataRecord({ $case: 'metadataLevel', metadataLevel: level })]));
    }
    this.#scheduleScan(claim);
  }

  #renounce(epoch: Epoch): void {
    if (this.#claim?.epoch !== epoch) return;
    this.#logger.info('controller-renounced', { epoch });
    this.#drop();
  }

  /** C-0.3: the working image goes, and all who wait are told that they do not know. */
  #drop(): void {
    const claim = this.#claim;
    this.#claim = undefined;
    this.#scanTimer?.cancel();
    this.#scanTimer = undefined;
    claim?.end(unknownOutcome);
  }

  /** Session expiry, at the next deadline. */
  #scheduleScan(claim: Claim): void {
    const now = this.#deps.env.clock.now();
    const deadline = claim.sessions.nextDeadline(claim.working, now);
    this.#scanAt(claim, Math.max(deadline, now), 'first');
  }

  #scanAt(claim: Claim, dueAt: Ms, look: 'first' | 'second'): void {
    const { clock } = this.#deps.env;
    this.#scanTimer = clock.schedule(dueAt - clock.now(), () => {
      if (this.#claim !== claim || this.#stopped) return;
      const heartbeatMs = this.#deps.config.values['broker.heartbeat.interval.ms'];
      const now = clock.now();
      // A timer this late says that the process stood still, and heartbeats wait to be read (C-3.5): let them come first.
      if (look === 'first' && now - dueAt >= heartbeatMs) this.#scanAt(claim, now + 2 * heartbeatMs, 'second');
      else this.#guard(() => this.#scan(claim, now));
    });
  }

  /** C-3.4: each stale broker is fenced by a batch of its own, decided on what the one before left. */
  #scan(claim: Claim, now: Ms): void {
    for (;;) {
      const expired = claim.sessions.firstExpired(claim.working, now);
      const broker = expired === undefined ? undefined : claim.working.brokers.get(expired);
      if (broker === undefined) break;
      if (!claim.write(fence(claim.working, broker, 'session expired'))) return;
    }
    this.#scheduleScan(claim);
  }

  /** A command that throws is a bug: the state it leaves is not to be trusted (C-0.3). */
  #guard<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#drop();
      this.#deps.fatal('a command of the active controller failed', error);
      return undefined;
    }
  }
}
