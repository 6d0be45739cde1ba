// One broker process: binds, registers, opens its replicas on its own registration (D-0.7), serves once it is unfenced, and
// leaves in the reverse order. The steps are here, what they do is in the files around.
import type { NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { LOST_DIRECTORY } from '../base/uuid.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import { ignoredInFile } from '../config/in-force.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { sleep } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { RpcService } from '../env/network.ts';
import { randomUuid } from '../env/random.ts';
import type { ReplicaDescription } from '../gen/kvorum/v1/admin.ts';
import type { ReplicaDirectory } from '../gen/kvorum/v1/controller.ts';
import type { Endpoint } from '../gen/kvorum/v1/metadata.ts';
import type { OfflineDirectory } from '../log/directory-health.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import { brokerOverrides } from '../replica/broker-overrides.ts';
import { ReplicaManager } from '../replica/replica-manager.ts';
import type { BrokerAdmin } from './admin-service.ts';
import { adminService } from './admin-service.ts';
import { AlterPartitionChannel } from './alter-partition-channel.ts';
import { BrokerLife } from './broker-life.ts';
import type { BrokerContext } from './context.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { FramePool } from './frame-pool.ts';
import { KafkaServer } from './kafka-server.ts';
import { LossReportChannel } from './loss-report-channel.ts';
import { OncePerPeer } from './once-per-peer.ts';
import { ProducerIds } from './producer-ids.ts';
import { Registration } from './registration.ts';
import { describeReplicas } from './replica-descriptions.ts';
import { ReplicaDirectories } from './replica-directories.ts';
import { SERVED_APIS } from './routes.ts';
import { TopicCommands } from './topic-commands.ts';
import { within } from './within.ts';

export interface BrokerDeps {
  readonly env: Env;
  readonly config: NodeConfig;
  readonly clusterId: Uuid;
  /** The node's committed image. */
  readonly publisher: MetadataPublisher;
  readonly controller: ControllerChannel;
  /** What AdminService is on every node, and the way to the active controller. */
  readonly admin: BrokerAdmin;
  /** Opened, locked, this start counted. */
  readonly logDirectories: readonly LogDirectory[];
  /** Those of log.dirs that could not be opened. */
  readonly offlineDirectories: readonly OfflineDirectory[];
  /** The leader of the quorum as this node knows it, -1 if none. */
  quorumLeader(): NodeId;
  /** The node must stop. */
  readonly fatal: (reason: string, cause?: unknown) => void;
}

/** How long a log dir that failed waits to be told, for what the controller is to know of it before. */
const TELL_TIMEOUT_MS = 2000;

/** How long a stopping broker waits for the controller to move its leaders. */
const LEAVE_TIMEOUT_MS = 5000;

/** Memory of frames and reads that is kept for use again. */
const POOL_BYTES = 32 * 1024 * 1024;

export class Broker {
  /** AdminService, for a gRPC listener. */
  readonly service: RpcService;
  readonly #deps: BrokerDeps;
  readonly #logger: Logger;
  readonly #replicas: ReplicaManager;
  readonly #replicaDirectories: ReplicaDirectories;
  readonly #alterPartitions: AlterPartitionChannel;
  readonly #lossReports: LossReportChannel;
  readonly #fetchSessions: FetchSessions;
  readonly #server: KafkaServer;
  readonly #context: BrokerContext;
  readonly #stopSignal = signal();
  readonly #life: BrokerLife;
  #registration: Registration | undefined;
  #unsubscribe: () => void = () => {};
  /** Replicas on their way to be open. */
  #opening: Promise<void> | undefined;
  #stopping = false;

  constructor(deps: BrokerDeps) {
    const { env, config, clusterId, publisher, controller, logDirectories, offlineDirectories } = deps;
    const logger = env.logger.child({ component: 'broker' });
    const { clock, random } = env;
    const { values } = config;
    const brokerId = config.nodeId;
    this.#deps = deps;
    this.#logger = logger;
    this.#life = new BrokerLife(logDirectories, offlineDirectories, env.bootId());
    this.#replicaDirectories = new ReplicaDirectories({
      clock,
      logger,
      controller,
      brokerId,
      brokerEpoch: () => this.#brokerEpoch,
      requestTimeoutMs: values['request.timeout.ms'],
    });
    const logDirWatch = {
      misplaced: (replica: ReplicaDirectory) => this.#replicaDirectories.tell(replica),
      failed: (directory: LogDirectory) => void this.#logDirFailed(directory),
    };
    const directories = { logDirectories, offlineDirectories, logDirWatch };
    const toController = {
      clock,
      random,
      logger,
      controller,
      brokerId,
      brokerEpoch: () => this.#brokerEpoch,
      requestTimeoutMs: values['request.timeout.ms'],
    };
    this.#alterPartitions = new AlterPartitionChannel(toController);
    this.#lossReports = new LossReportChannel(toController);
    const buffers = new FramePool(POOL_BYTES);
    this.#replicas = new ReplicaManager({
      brokerId,
      clock,
      random,
      logger,
      values,
      ...directories,
      alterPartitions: this.#alterPartitions,
      lossReports: this.#lossReports,
      brokerEpoch: () => this.#brokerEpoch,
      network: env.network,
      buffers,
      clusterId,
      interBrokerListener: config.interBrokerListener ?? '',
    });
    this.#fetchSessions = new FetchSessions({
      clock,
      random,
      find: (topicId, partition) => this.#replicas.find(topicId, partition),
      findNow: (topicId, partition) =>
        publisher.image.topics.has(topicId) ? this.#replicas.findNow(topicId, partition) : 'UNKNOWN_TOPIC_ID',
    });
    this.#server = new KafkaServer(env, config, deps.fatal);
    this.#context = {
      clusterId,
      config,
      clock,
      random,
      logger,
      metadata: publisher,
      replicas: this.#replicas,
      buffers,
      fetchSessions: this.#fetchSessions,
      refusedPeers: new OncePerPeer(),
      controller,
      producerIds: new ProducerIds({ controller, logger, brokerId, brokerEpoch: () => this.#brokerEpoch }),
      topics: new TopicCommands({ logger, controller, forwarder: deps.admin.forwarder, values }),
      servedApis: SERVED_APIS,
      quorumLeader: () => deps.quorumLeader(),
    };
    this.service = adminService(deps.admin);
  }

  /** Its own replicas of the topics, of all if none is named. */
  describeReplicas(topics: readonly string[]): ReplicaDescription[] {
    const { env, config, publisher } = this.#deps;
    const { nodeId: brokerId } = config;
    const { image } = publisher;
    return describeReplicas({ brokerId, image, replicas: this.#replicas, nowMs: env.clock.now() }, topics);
  }

  /** For observers. */
  get replicas(): Pick<ReplicaManager, 'partitions'> {
    return this.#replicas;
  }

  get #brokerEpoch(): Offset {
    return this.#registration?.brokerEpoch ?? -1;
  }

  /**
   * Whether the cluster counts on this broker, as far as it knows: unfenced in its own image, and within its session. One that is cut
   * off sees neither its fencing nor what followed from it.
   */
  get isInService(): boolean {
    const { publisher, config } = this.#deps;
    const broker = publisher.image.brokers.get(config.nodeId);
    const isUnfenced = broker?.brokerEpoch === this.#brokerEpoch && !broker.fenced;
    return isUnfenced && this.#registration?.isInSession === true;
  }

  /** Takes the Kafka ports; nothing is answered yet. Returns where it can be reached, by listener name. EnvError as Network.listen. */
  async bind(): Promise<Endpoint[]> {
    const listeners = this.#deps.config.listeners.filter(({ kind }) => kind === 'kafka');
    const bound = await this.#server.bind(listeners, () => this.#context);
    return bound.map(({ config, port }) => ({
      listener: config.name,
      host: config.advertised.host,
      port: config.advertised.port || port,
    }));
  }

  /**
   * Joins the cluster and serves. Resolves when clients are answered and every partition led here can be used; false once it is
   * clear that this will not be: stopped, or told so by `fatal`.
   */
  start(endpoints: readonly Endpoint[]): Promise<boolean> {
    return Promise.race([this.#join(endpoints), this.#stopSignal.promise.then(() => false)]);
  }

  async #join(endpoints: readonly Endpoint[]): Promise<boolean> {
    const { env, publisher } = this.#deps;
    const registration = this.#register(endpoints);
    this.#registration = registration;
    const brokerEpoch = await registration.register();
    if (brokerEpoch === undefined || this.#stopping) return false;
    void registration.keepAlive();
    void registration.holdSession();
    await this.#life.begin(brokerEpoch); // C-2.4
    await publisher.whenAt(brokerEpoch + 1); // D-0.7
    if (this.#stopping) return false;
    this.#warnOfFile(publisher.image);
    this.#opening = this.#replicas.open(() => publisher.image, brokerEpoch);
    this.#unsubscribe = publisher.subscribe((image, delta) => {
      this.#replicas.apply(image, delta);
      for (const id of delta.brokers) this.#fetchSessions.registered(id, image.brokers.get(id)?.brokerEpoch);
    });
    if (!(await this.#opened(this.#opening))) return false;
    await this.#replicas.settled();
    await this.#life.recovered();
    // D-10.2: before it can be elected for what it lacks.
    await this.#replicaDirectories.told(LOST_DIRECTORY);
    if (this.#stopping) return false;
    registration.wantServe();
    await this.#unfenced(brokerEpoch);
    await this.#replicas.settled();
    if (this.#stopping) return false;
    this.#server.serve();
    this.#logger.info('broker-ready', { brokerEpoch, endpoints, atMs: Math.round(env.clock.now()) });
    return true;
  }

  #warnOfFile(image: MetadataImage): void {
    const { config } = this.#deps;
    const { cluster } = brokerOverrides(image, config.nodeId);
    for (const reason of ignoredInFile(cluster, config)) this.#logger.warn('config-ignored', { reason });
  }

  async #opened(opening: Promise<void>): Promise<boolean> {
    try {
      await opening;
    } catch (error) {
      if (!isEnvError(error)) throw error;
      if (!this.#stopping) this.#deps.fatal('the log directories cannot be opened', error);
      return false;
    }
    return !this.#stopping;
  }

  #register(endpoints: readonly Endpoint[]): Registration {
    const { env, config, clusterId, publisher, controller, logDirectories } = this.#deps;
    return new Registration({
      clock: env.clock,
      logger: this.#logger,
      controller,
      config,
      clusterId,
      incarnationId: randomUuid(env.random, 'broker.incarnation'),
      logDirs: logDirectories.flatMap(({ meta, health }) => (health.failure ? [] : [meta.directoryId])).sort(),
      endpoints,
      bootCounter: Math.max(...logDirectories.map(({ bootCounter }) => bootCounter)),
      lastLife: this.#life.last,
      metadataEndOffset: () => publisher.image.endOffset,
      superseded: (reason) => this.#deps.fatal(`this broker may not go on: ${reason}`),
    });
  }

  /**
   * D-10.5: tells the controller, once that knows which replicas were there; with the last log dir this process has nothing to go on
   * for.
   */
  async #logDirFailed(directory: LogDirectory): Promise<void> {
    const { logDirectories, env } = this.#deps;
    const { path, meta, health } = directory;
    void this.#life.directoryFailed(directory);
    if (this.#stopping) return;
    if (logDirectories.every((directory) => directory.health.failure !== undefined)) {
      this.#deps.fatal(`no log dir is left, the last one was ${path}`, health.failure);
      return;
    }
    await within(env.clock, TELL_TIMEOUT_MS, this.#replicaDirectories.told(meta.directoryId));
    this.#registration?.logDirFailed(meta.directoryId);
  }

  #unfenced(brokerEpoch: Offset): Promise<void> {
    const { publisher, config } = this.#deps;
    const isServing = (image: MetadataImage): boolean => {
      const broker = image.brokers.get(config.nodeId);
      return broker?.brokerEpoch === brokerEpoch && !broker.fenced;
    };
    if (isServing(publisher.image)) return Promise.resolve();
    return new Promise((resolve) => {
      const unsubscribe = publisher.subscribe((image) => {
        if (!isServing(image) && !this.#stopping) return;
        unsubscribe();
        resolve();
      });
      void this.#stopSignal.promise.then(unsubscribe);
    });
  }

  /** Leaves the cluster, answers what is under way, makes everything durable. One that was not started lets go what it holds. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#stopSignal.resolve();
    const { clock } = this.#deps.env;
    const registration = this.#registration;
    if (registration !== undefined && registration.brokerEpoch >= 0) {
      const left = await within(clock, LEAVE_TIMEOUT_MS, registration.leave());
      if (left === 'timeout') this.#logger.warn('not-released', { reason: 'no controller let this broker go in time' });
    }
    registration?.stop();
    this.#replicaDirectories.stop();
    this.#alterPartitions.stop();
    this.#lossReports.stop();
    this.#unsubscribe();
    // Behaviour 57: who waits for this broker is told that it does not lead any more, then the sockets close.
    await this.#replicas.close();
    this.#fetchSessions.close();
    await this.#opening?.catch(() => undefined); // told by `start`
    await sleep(clock, 0); // those answers are on their way
    await this.#server.close();
    const closing = this.#deps.logDirectories.map((directory) => directory.close(true, this.#brokerEpoch));
    const failed = (await Promise.allSettled(closing)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }
}

interface Signal {
  readonly promise: Promise<void>;
  resolve(): void;
}

function signal(): Signal {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve: () => resolve() };
}
