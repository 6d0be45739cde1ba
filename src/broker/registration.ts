// A broker's membership (C-2, C-3): registers this incarnation, keeps its session by heartbeats and a held connection, and says
// goodbye.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Clock } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type { BrokerHeartbeatResponse, RegisterBrokerRequest } from '../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Service } from '../gen/kvorum/v1/controller.ts';
import type { Endpoint } from '../gen/kvorum/v1/metadata.ts';
import { LATEST_METADATA_LEVEL, MIN_METADATA_LEVEL } from '../metadata/record.ts';
import type { LastLife } from './last-life.ts';

export interface RegistrationDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly controller: ControllerChannel;
  readonly config: NodeConfig;
  readonly clusterId: Uuid;
  readonly incarnationId: Uuid;
  readonly logDirs: readonly Uuid[];
  readonly endpoints: readonly Endpoint[];
  readonly bootCounter: number;
  /** C-2.4: what is there of all that it acknowledged. */
  readonly lastLife: LastLife;
  /** End of what the own image has replayed. */
  metadataEndOffset(): Offset;
  /** This process must not go on: another one is the broker now. */
  superseded(reason: string): void;
}

/** Pause after a failed attempt to register. */
const RETRY_MS: Ms = 200;

/**
 * Pause before a connection is held again that did not last, or that the controller would not have: well within the grace that a
 * broken one has.
 */
const HOLD_AGAIN_MS: Ms = 50;

/** Interval of heartbeats while the controller moves the leaders of a broker that wants to go, a part with each of them. */
const LEAVING_INTERVAL_MS: Ms = 20;

export class Registration {
  readonly #deps: RegistrationDeps;
  readonly #brokerId: NodeId;
  #brokerEpoch: Offset = -1;
  /** When the last heartbeat was sent that the active controller answered. */
  #heardAt: Ms = Number.NEGATIVE_INFINITY;
  #wantServe = false;
  #wantShutdown = false;
  #stopped = false;
  /** A wish has changed since the last heartbeat was sent. */
  #urgent = false;
  #wake: (() => void) | undefined;
  /** directory.id of the log dirs that have failed since the start. */
  readonly #offlineLogDirs = new Set<Uuid>();
  readonly #heard = new Set<(response: BrokerHeartbeatResponse) => void>();

  constructor(deps: RegistrationDeps) {
    this.#deps = deps;
    this.#brokerId = deps.config.nodeId;
  }

  /** -1 before the registration. */
  get brokerEpoch(): Offset {
    return this.#brokerEpoch;
  }

  /** Whether the active controller has answered within a session: else it has fenced this broker by now, or nobody could. */
  get isInSession(): boolean {
    const { clock, config } = this.#deps;
    return clock.now() - this.#heardAt < config.values['broker.session.timeout.ms'];
  }

  /** Registers, however long it takes for a controller to answer. Resolves with the broker epoch, or undefined if stopped. */
  async register(): Promise<Offset | undefined> {
    const { clock, logger, controller, config } = this.#deps;
    for (let attempt = 1; !this.#stopped; attempt++) {
      try {
        const timeoutMs = config.values['request.timeout.ms'];
        const request = this.#request();
        const { registerBroker } = Service.methods;
        const { brokerEpoch } = await controller.call(Service, registerBroker, request, timeoutMs, { patient: true });
        this.#brokerEpoch = brokerEpoch;
        const { incarnationId, lastLife } = this.#deps;
        logger.info('broker-registered', { brokerEpoch, incarnationId, lastLife: lastLife.end });
        return brokerEpoch;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (this.#stopped) return undefined;
        if (error.status === 'ABORTED' || error.status === 'INVALID_ARGUMENT') {
          this.#stopped = true;
          this.#deps.superseded(error.message);
          return undefined;
        }
        if (attempt === 1 || attempt % 25 === 0)
          logger.warn('broker-not-registered', { attempt, reason: error.message });
        await sleep(clock, RETRY_MS);
      }
    }
    return undefined;
  }

  #request(): RegisterBrokerRequest {
    const { config, clusterId, incarnationId, logDirs, endpoints, bootCounter, lastLife } = this.#deps;
    return {
      clusterId,
      brokerId: this.#brokerId,
      incarnationId,
      logDirs: [...logDirs],
      endpoints: [...endpoints],
      rack: config.rack,
      bootCounter,
      previousBrokerEpoch: lastLife.brokerEpoch,
      afterCrash: lastLife.end === 'crash',
      minMetadataLevel: MIN_METADATA_LEVEL,
      maxMetadataLevel: LATEST_METADATA_LEVEL,
    };
  }

  /** Sends heartbeats until `stop`: each interval, and at once when a wish changes. */
  async keepAlive(): Promise<void> {
    const { clock, config } = this.#deps;
    const intervalMs = config.values['broker.heartbeat.interval.ms'];
    while (!this.#stopped) {
      const sentAt = clock.now();
      this.#urgent = false;
      const response = await this.#heartbeat();
      if (response !== undefined) {
        this.#heardAt = sentAt;
        for (const listener of [...this.#heard]) listener(response);
      }
      const everyMs = this.#wantShutdown ? Math.min(LEAVING_INTERVAL_MS, intervalMs) : intervalMs;
      await this.#pause(Math.max(0, everyMs - (clock.now() - sentAt)));
    }
  }

  /**
   * Holds a connection to the active controller until `stop`, which shows when this process dies: again at once where one breaks.
   * What the controller says against it is said to heartbeats as well.
   */
  async holdSession(): Promise<void> {
    const { clock, controller, config } = this.#deps;
    const request = { brokerId: this.#brokerId, brokerEpoch: this.#brokerEpoch };
    const findWithinMs = config.values['broker.session.timeout.ms'];
    while (!this.#stopped) {
      let restMs: Ms = HOLD_AGAIN_MS;
      try {
        for await (const _ of controller.stream(Service, Service.methods.holdSession, request, findWithinMs))
          restMs = 0;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        // A verdict of the active controller is not another one a moment later.
        const isVerdict = error.status !== 'FAILED_PRECONDITION' && error.status !== 'UNAVAILABLE';
        if (isVerdict) restMs = config.values['broker.heartbeat.interval.ms'];
      }
      if (restMs > 0 && !this.#stopped) await sleep(clock, restMs);
    }
  }

  async #heartbeat(): Promise<BrokerHeartbeatResponse | undefined> {
    const { controller, config, logger } = this.#deps;
    const request = {
      brokerId: this.#brokerId,
      brokerEpoch: this.#brokerEpoch,
      metadataEndOffset: this.#deps.metadataEndOffset(),
      wantFence: !this.#wantServe,
      wantShutdown: this.#wantShutdown,
      offlineLogDirs: [...this.#offlineLogDirs],
    };
    try {
      const timeoutMs = config.values['broker.session.timeout.ms'];
      const { brokerHeartbeat } = Service.methods;
      return await controller.call(Service, brokerHeartbeat, request, timeoutMs, { patient: true });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (this.#stopped) return undefined;
      if (error.status === 'ABORTED') {
        this.#stopped = true;
        this.#deps.superseded(error.message); // C-2.2a: never go on silently
      } else logger.warn('heartbeat-failed', { reason: error.message });
      return undefined;
    }
  }

  /** The logs are open: asks to be unfenced (C-3.1). */
  wantServe(): void {
    this.#wantServe = true;
    this.#hurry();
  }

  /** D-10.5: a log dir that was registered is offline, to be told with the next heartbeat, at once, and with every one after it. */
  logDirFailed(directoryId: Uuid): void {
    this.#offlineLogDirs.add(directoryId);
    this.#hurry();
  }

  /** Sends the next heartbeat now, or as soon as the one under way is answered. */
  #hurry(): void {
    this.#urgent = true;
    this.#wake?.();
  }

  #pause(ms: Ms): Promise<void> {
    if (this.#urgent || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#deps.clock.schedule(ms, wake);
      this.#wake = wake;
    });
  }

  /** C-3.3: asks to be let go, and resolves when nothing depends on this broker any more: at once if it is not it any more. */
  leave(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#wantShutdown = true;
    return new Promise((resolve) => {
      const listener = (response: BrokerHeartbeatResponse): void => {
        if (!response.shouldShutdown) return;
        this.#heard.delete(listener);
        resolve();
      };
      this.#heard.add(listener);
      this.#hurry();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#hurry();
  }
}
