// The controller of one node (C-0, C-1): sequences claims, commands and timers. While this node leads the quorum and has caught
// up, commands are decided on the claim's working image, appended, and answered when committed; else callers are told who leads.
// What a bug throws ends the claim, not the node (C-0.3).
import { AssertionError, assert } from '../base/assert.ts';
import type { Epoch, Ms, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { ignoredInFile } from '../config/in-force.ts';
import type { Logger } from '../env/logger.ts';
import type { RpcContext, RpcService } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import { brokerEntity, configsOf } from '../metadata/image.ts';
import { LATEST_METADATA_LEVEL, metadataRecord } from '../metadata/record.ts';
import type { CommittedBatch, StateMachine } from '../quorum/state-machine.ts';
import { adminService } from './admin-service.ts';
import { Claim } from './claim.ts';
import { controllerService } from './controller-service.ts';
import { bootstrapConfigs } from './decide/bootstrap-configs.ts';
import type { Decided } from './decide/decision.ts';
import { isRefusal } from './decide/decision.ts';
import type { CommandRunner, ControllerDeps, ExecuteOptions, Wait } from './deps.ts';
import { Duties } from './duties.ts';
import { logChanges } from './log-changes.ts';
import { metadataStateMachine } from './state-machine.ts';
import { Surprises } from './surprises.ts';

function unknownOutcome(): RpcError {
  const message = 'this node is no longer the active controller; whether the call took effect is not known: try again';
  const detail = { reason: 'NO_LONGER_CONTROLLER', mayTakeEffect: true, controllerId: NO_NODE };
  return new RpcError('UNAVAILABLE', message, undefined, detail);
}

function overdue(): RpcError {
  const message = 'not decided before the deadline; it may have taken effect in part: try again';
  const detail = { reason: 'DEADLINE', mayTakeEffect: true, controllerId: NO_NODE };
  return new RpcError('DEADLINE_EXCEEDED', message, undefined, detail);
}

function bug(operation: string, what: string, mayTakeEffect: boolean): RpcError {
  const message = `${operation} failed by a bug, see the log of the active controller; ${what}`;
  return new RpcError('INTERNAL', message, undefined, { reason: 'BUG', mayTakeEffect, controllerId: NO_NODE });
}

/** What a controller that stops gives its last commands to be committed: a commit takes a few milliseconds. */
const LAST_COMMITS_MS: Ms = 300;

/** A command that asks to wait so often waits for something that does not come. */
const MAX_WAITS = 100;

function waitsForEver(): never {
  throw new AssertionError('a command waits for ever');
}

export class Controller implements CommandRunner {
  /** ControllerService and AdminService, for the controller listener. */
  readonly services: readonly RpcService[];
  /** To be given to `Quorum.start`. */
  readonly stateMachine: StateMachine;
  readonly #deps: ControllerDeps;
  readonly #logger: Logger;
  readonly #surprises = new Surprises();
  readonly #unsubscribe: () => void;
  #claim: Claim | undefined;
  #duties: Duties | undefined;
  #leaderId: NodeId = NO_NODE;
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
      const moves = this.#claim?.moves;
      if (moves !== undefined) logChanges(this.#logger, image, delta, previous, moves);
    });
  }

  get isActive(): boolean {
    return this.#claim !== undefined && !this.#stopped;
  }

  get leaderId(): NodeId {
    return this.#leaderId;
  }

  present(): Claim | undefined {
    return this.#stopped ? undefined : this.#claim;
  }

  async execute<T>(
    context: RpcContext,
    decide: (claim: Claim, now: Ms) => Decided<T> | Wait,
    options: ExecuteOptions = {},
  ): Promise<T> {
    const { clock } = this.#deps.env;
    const claim = this.present();
    if (claim === undefined) throw this.notActive();
    const giveUpAt = clock.now() + context.remainingMs;
    for (let waits = 0; ; waits++) {
      const remainingMs = giveUpAt - clock.now();
      const answer = this.#command(claim, remainingMs, waits < MAX_WAITS ? decide : waitsForEver, options);
      if (!('until' in answer)) return this.#answered(claim, answer.answer, options);
      await answer.until;
      if (this.present() !== claim) throw unknownOutcome();
      if (clock.now() >= giveUpAt) {
        throw overdue();
      }
    }
  }

  /** Decides once. */
  #command<T>(
    claim: Claim,
    remainingMs: Ms,
    decide: (claim: Claim, now: Ms) => Decided<T> | Wait,
    { operation = 'the command', decided, lifeSign }: ExecuteOptions,
  ): Wait | { readonly answer: Promise<T> } {
    const now = this.#deps.env.clock.now();
    lifeSign?.(claim, now);
    const restMs = this.#surprises.restMs(operation, now);
    if (restMs > 0)
      throw bug(operation, `it is not tried again here for ${Math.ceil(restMs)} ms; nothing was done`, false);
    const objection = lifeSign === undefined || claim.isFull ? claim.objection() : undefined;
    if (objection !== undefined) throw objection;
    const { endOffset } = claim.working;
    let answer: Promise<T> | undefined;
    try {
      const decision = decide(claim, now);
      if ('until' in decision) return decision;
      answer = claim.carryOut(decision, remainingMs);
      if (answer === undefined) throw this.notActive();
      if (!isRefusal(decision)) {
        decided?.(claim, now, decision.records);
        this.#wrote(decision.records);
      }
      this.#surprises.wentWell(operation);
      // The claim can end within the call; then nothing else will answer what it still holds.
      if (this.#claim !== claim) claim.end(unknownOutcome);
      return { answer };
    } catch (error) {
      if (error instanceof RpcError) throw error;
      answer?.catch(() => undefined); // nobody waits for it
      const isDone = claim.working.endOffset > endOffset;
      this.#surprise(claim, operation, error);
      throw bug(operation, isDone ? 'whether it took effect is not known' : 'nothing was done', isDone);
    }
  }

  async #answered<T>(claim: Claim, answer: Promise<T>, { operation = 'the command' }: ExecuteOptions): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof RpcError) throw error;
      this.#surprise(claim, operation, error);
      throw bug(operation, 'it took effect, but there is no answer', true);
    }
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

  connectionBroke(claim: Claim, brokerId: NodeId, connection: object): void {
    if (this.present() !== claim) return;
    const counts = claim.sessions.disconnected(brokerId, connection, this.#deps.env.clock.now());
    if (!counts) return;
    this.#logger.info('broker-connection-broke', {
      brokerId,
      fencedInMs: this.#deps.config.values['broker.connection.grace.ms'],
    });
    this.#duties?.sessionsChanged();
  }

  /** Takes no more commands, lets those under way be committed, fails what then still waits. The quorum is stopped by its owner. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#duties?.stop();
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
    const { values } = config;
    assert(!publisher.isLoading, `epoch ${epoch} is claimed while a snapshot is loaded (R-9.3)`);
    const attempt = (operation: string, run: () => void): Ms => this.#attempt(claim, operation, run);
    const claim: Claim = new Claim(epoch, publisher.image, {
      quorum,
      clock: env.clock,
      controllers,
      sessionTimeoutMs: values['broker.session.timeout.ms'],
      connectionGraceMs: values['broker.connection.grace.ms'],
      fetchTimeoutMs: values['controller.quorum.fetch.timeout.ms'],
      attempt,
    });
    this.#claim = claim;
    this.#duties = new Duties(claim, { clock: env.clock, values, attempt });
    this.#logger.info('controller-active', { epoch, metadataEndOffset: publisher.image.endOffset });
    if (claim.working.level === 0) {
      // C-1.1: the first record of a new cluster.
      const level = metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: LATEST_METADATA_LEVEL } });
      attempt('the first record', () => claim.write([level, ...bootstrapConfigs(config)]));
    }
    const agreed = configsOf(claim.working, brokerEntity());
    for (const reason of ignoredInFile(agreed, config)) this.#logger.warn('config-ignored', { reason });
    if (this.#claim === claim) this.#duties.start();
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
    this.#duties?.stop();
    this.#duties = undefined;
    claim?.end(unknownOutcome);
  }

  /** What was written may make elections possible that are not in its batch (C-3.6, C-10.2). */
  #wrote(records: readonly MetadataRecord[]): void {
    const mayElect = records.some(
      ({ kind }) => kind?.$case === 'config' || (kind?.$case === 'brokerChange' && kind.brokerChange.fenced === false),
    );
    if (mayElect) this.#duties?.electionsPossible();
  }

  #attempt(claim: Claim, operation: string, run: () => void): Ms {
    if (this.#claim !== claim || this.#stopped) return 0;
    const restMs = this.#surprises.restMs(operation, this.#deps.env.clock.now());
    if (restMs > 0) return restMs;
    try {
      run();
      this.#surprises.wentWell(operation);
    } catch (error) {
      this.#surprise(claim, operation, error);
    }
    return 0;
  }

  /**
   * C-0.3: after a bug the working image is not to be trusted. The claim ends, and so does the leadership; the log is as good as it
   * was, and the next controller begins with what is committed of it.
   */
  #surprise(claim: Claim, operation: string, error: unknown): void {
    this.#surprises.add(operation, this.#deps.env.clock.now());
    this.#logger.error('controller-resigns', { epoch: claim.epoch, operation, error });
    if (this.#claim === claim) this.#drop();
    this.#deps.quorum.resign(claim.epoch);
  }
}
