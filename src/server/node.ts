// Composes one node, controller, broker or both, from ports and configuration. The real and the simulated world call exactly
// this: there is no other way to put the floors together.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Broker } from '../broker/broker.ts';
import { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeConfig } from '../config/node-config.ts';
import { Controller } from '../controller/controller.ts';
import { metadataStateMachine } from '../controller/state-machine.ts';
import type { Env } from '../env/env.ts';
import type { Address, Listener, RpcService } from '../env/network.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { ControllerServiceDefinition } from '../gen/kvorum/v1/controller.ts';
import { RaftServiceDefinition } from '../gen/kvorum/v1/raft.ts';
import type { MetaProperties } from '../log/storage.ts';
import { MetadataPublisher } from '../metadata/publisher.ts';
import type { CoreTrace } from '../quorum/core-trace.ts';
import type { QuorumOptions } from '../quorum/options.ts';
import { Quorum } from '../quorum/quorum.ts';
import type { RaftConfig } from '../raft/types.ts';
import { composeNodeAdmin } from './admin.ts';
import { createBroker } from './create-broker.ts';
import { laterService } from './later-service.ts';
import { closeAll, controllerEndpoint, endpointsOf, listen } from './listeners.ts';
import { answerProbe } from './probes.ts';
import { openTrace } from './recording.ts';
import { startErrorOf, verifyStorage } from './storage.ts';
import type { VoterSearch } from './voters.ts';
import { controllersInForce, discoveryService, searchVoters } from './voters.ts';

export interface NodeHooks {
  /** The node cannot go on: it has stopped taking part; the process should log this and end. */
  readonly fatal: (reason: string, cause?: unknown) => void;
  /** Hears what goes into this node's consensus core and comes out. */
  readonly trace?: CoreTrace;
  /** Other limits of the metadata quorum than the usual ones; for simulations, which make rare sizes common. */
  readonly quorumLimits?: QuorumLimits;
}

export type QuorumLimits = Partial<Pick<RaftConfig, 'fetchMaxBytes' | 'snapshotChunkBytes'>>;

/** Where a node listens, after ports were bound. */
export interface NodeAddresses {
  readonly kafka: readonly Address[];
  readonly controller: readonly Address[];
  readonly grpc: readonly Address[];
  readonly http: readonly Address[];
}

/** How long a fetch of metadata waits for news at the leader, and the cut of one answer. */
const METADATA_FETCH_WAIT_MS = 800;
const METADATA_FETCH_BYTES = 1024 * 1024;
/** One piece of a snapshot that another node fetches. */
const SNAPSHOT_CHUNK_BYTES = 256 * 1024;

export class Node {
  readonly nodeId: NodeId;
  readonly clusterId: Uuid;
  readonly addresses: NodeAddresses;
  /** Resolves when a broker serves its partitions (at once for a mere controller); false if it was stopped before. */
  readonly ready: Promise<boolean>;
  readonly quorum: Quorum;
  readonly publisher: MetadataPublisher;
  /** The partitions of a broker, for observers only. */
  readonly replicas: Broker['replicas'] | undefined;
  readonly #stop: () => Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(
    parts: Pick<Node, 'nodeId' | 'clusterId' | 'addresses' | 'ready' | 'quorum' | 'publisher' | 'replicas'>,
    stop: () => Promise<void>,
  ) {
    this.nodeId = parts.nodeId;
    this.clusterId = parts.clusterId;
    this.addresses = parts.addresses;
    this.ready = parts.ready;
    this.quorum = parts.quorum;
    this.publisher = parts.publisher;
    this.replicas = parts.replicas;
    this.#stop = stop;
  }

  /** Leaves the cluster in good order and makes everything durable. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }
}

/** Starts a node on formatted folders. StartError: one sentence with the cause and the way out; nothing is left open then. */
export async function startNode(env: Env, config: NodeConfig, hooks: NodeHooks): Promise<Node> {
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await compose(env, config, hooks, undo);
  } catch (error) {
    for (const step of undo.reverse()) await undoOne(env, step);
    throw startErrorOf(error);
  }
}

/** What cannot be closed must not hide why the node did not start, nor keep the rest open. */
async function undoOne(env: Env, step: () => Promise<void> | void): Promise<void> {
  try {
    await step();
  } catch (error) {
    env.logger.error('not-closed-after-failed-start', { error });
  }
}

/** What is there by now. */
interface Running {
  raft?: RpcService;
  controller?: Controller;
  quorum?: Quorum;
  channel?: ControllerChannel;
  broker?: Broker;
}

async function compose(
  env: Env,
  config: NodeConfig,
  hooks: NodeHooks,
  undo: (() => Promise<void> | void)[],
): Promise<Node> {
  const meta = await verifyStorage(env, config);
  const { clusterId } = meta;
  const running: Running = {};
  const controllerListeners = await listenForControllers(env, config, meta, running);
  undo.push(() => closeAll(controllerListeners));

  const self = { clusterId, replica: { id: config.nodeId, directoryId: meta.directoryId } };
  const voters = searchVoters(env, config, self, {
    found: (id, address) => running.quorum?.setPeer(id, address),
    foreign: (reason) => hooks.fatal(reason),
  });
  undo.push(() => voters.stop());
  const recording = await openTrace(env, config, hooks.trace);
  undo.push(() => recording.close());
  const quorum = await openQuorum(env, config, meta, voters, {
    endpoint: controllerEndpoint(config, controllerListeners),
    // Who waits for an active controller may be asking those that were voters before.
    votersChanged: () => running.channel?.controllersChanged(),
    fatal: hooks.fatal,
    trace: recording.trace,
    limits: hooks.quorumLimits ?? {},
  });
  // a leader hands over first, whatever failed.
  const fatal: NodeHooks['fatal'] = (reason, cause) => quorum.fail(reason, cause);
  running.quorum = quorum;
  running.raft = quorum.service;
  undo.push(() => quorum.stop());

  const known = configOfKnownVoters(config, voters, quorum);
  const publisher = new MetadataPublisher();
  const channel = new ControllerChannel(env, () => (known.voters.length > 0 ? known.voters : controllersOf(config)));
  running.channel = channel;
  undo.push(() => channel.close());
  let stateMachine = metadataStateMachine(publisher, { leaderChanged: () => {} });
  const leader = (): NodeId => presentLeader(quorum);
  const ownReplicas = (topics: readonly string[]) => running.broker?.describeReplicas(topics) ?? [];
  const links = { quorum, channel, publisher, leaderId: leader, ownReplicas };
  const admin = composeNodeAdmin(env, known, clusterId, links);
  if (config.isController) {
    const controller = new Controller({
      env,
      config: known,
      clusterId,
      quorum,
      publisher,
      controllers: channel,
      admin,
    });
    running.controller = controller;
    undo.push(() => controller.stop());
    stateMachine = controller.stateMachine;
  }

  const broker = config.isBroker
    ? await createBroker(env, known, meta, { publisher, channel, admin, quorumLeader: leader, fatal }, undo)
    : undefined;
  if (broker !== undefined) {
    running.broker = broker;
    undo.push(() => broker.stop());
  }
  const endpoints = (await broker?.bind()) ?? [];
  const grpcListeners = await listen(config, 'grpc', (at) =>
    env.network.serve(at, broker === undefined ? (running.controller?.services ?? []) : [broker.service]),
  );
  undo.push(() => closeAll(grpcListeners));
  const probes = { started: false, brokerReady: broker === undefined };
  const httpListeners = await listen(config, 'http', (at) =>
    env.network.serveHttp(at, (path) => {
      const hasLeader = leader() !== NO_NODE;
      const isServing = probes.started && probes.brokerReady && (broker?.isInService ?? true);
      return answerProbe(path, { started: probes.started, ready: isServing && hasLeader });
    }),
  );
  undo.push(() => closeAll(httpListeners));

  quorum.start(stateMachine);
  probes.started = true;
  const ready = broker?.start([...endpoints, ...endpointsOf(config, 'grpc', grpcListeners)]) ?? Promise.resolve(true);
  const addresses = {
    kafka: endpoints.map(({ host, port }) => ({ host, port })),
    controller: controllerListeners.map((listener) => listener.address),
    grpc: grpcListeners.map((listener) => listener.address),
    http: httpListeners.map((listener) => listener.address),
  };
  void ready.then((serving) => {
    probes.brokerReady = serving;
  });
  const replicas = broker?.replicas;
  return new Node({ nodeId: config.nodeId, clusterId, addresses, ready, quorum, publisher, replicas }, () => {
    probes.brokerReady = false;
    return inTurn([
      () => broker?.stop(),
      () => closeAll([...grpcListeners, ...httpListeners]),
      () => voters.stop(),
      () => running.controller?.stop(),
      () => quorum.stop(),
      () => admin.forwarder.close(),
      () => recording.close(),
      () => closeAll(controllerListeners),
      () => channel.close(),
    ]);
  });
}

/** Takes every step, whatever became of those before; then throws the first failure. */
async function inTurn(steps: readonly (() => Promise<void> | void)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** The leader, -1 if none is known: who stands for election has lost the one that it still remembers. */
function presentLeader(quorum: Pick<Quorum, 'describe'>): NodeId {
  const { role, leaderId } = quorum.describe();
  return role === 'prospective' ? NO_NODE : leaderId;
}

/** Who the controllers are changes while the node runs: it shows the voters in force. */
function configOfKnownVoters(config: NodeConfig, search: VoterSearch, quorum: Quorum): NodeConfig {
  return {
    ...config,
    get voters() {
      return controllersInForce(quorum.describe().voters, search.known());
    },
  };
}

function controllersOf(config: NodeConfig): { id: NodeId; address: Address }[] {
  if (config.voters.length > 0) return [...config.voters];
  return config.bootstrapServers.map((address) => ({ id: NO_NODE, address }));
}

function openQuorum(
  env: Env,
  config: NodeConfig,
  meta: MetaProperties,
  voters: VoterSearch,
  {
    limits,
    ...hooks
  }: Pick<QuorumOptions, 'endpoint' | 'fatal' | 'trace' | 'votersChanged'> & { limits: QuorumLimits },
): Promise<Quorum> {
  const { values } = config;
  return Quorum.open(env, {
    directory: config.metadataLogDir,
    ...hooks,
    snapshots: {
      maxBytes: values['metadata.log.max.record.bytes.between.snapshots'],
      maxIntervalMs: values['metadata.log.max.snapshot.interval.ms'],
    },
    raft: {
      clusterId: meta.clusterId,
      replica: { id: config.nodeId, directoryId: meta.directoryId },
      electionTimeoutMs: values['controller.quorum.election.timeout.ms'],
      fetchTimeoutMs: values['controller.quorum.fetch.timeout.ms'],
      requestTimeoutMs: values['controller.quorum.request.timeout.ms'],
      retryBackoffMs: values['controller.quorum.retry.backoff.ms'],
      // A parked fetch is answered well before anybody gives it up, and before its sender is told who leads again (R-3.4: after
      // half a fetch timeout).
      fetchMaxWaitMs: Math.min(
        METADATA_FETCH_WAIT_MS,
        0.4 * values['controller.quorum.fetch.timeout.ms'],
        0.4 * values['controller.quorum.request.timeout.ms'],
      ),
      fetchMaxBytes: METADATA_FETCH_BYTES,
      snapshotChunkBytes: SNAPSHOT_CHUNK_BYTES,
      ...limits,
    },
    findVoters: (logIsEmpty) => voters.find(logIsEmpty),
  }).catch((error: unknown) => {
    throw startErrorOf(error, `the metadata log in ${config.metadataLogDir} cannot be opened`);
  });
}

/** Binds the controller listeners before anything else exists, so that a taken port is the first thing to be known. */
function listenForControllers(
  env: Env,
  config: NodeConfig,
  meta: MetaProperties,
  running: { raft?: RpcService; controller?: Controller; quorum?: Quorum },
): Promise<Listener[]> {
  const bound: Listener[] = [];
  const of = (name: string) => running.controller?.services.find(({ definition }) => definition.fullName === name);
  const services = [
    discoveryService(
      { clusterId: meta.clusterId, replica: { id: config.nodeId, directoryId: meta.directoryId } },
      {
        endpoint: () => controllerEndpoint(config, bound),
        voters: () => running.quorum?.describe().voters ?? [],
      },
    ),
    laterService(RaftServiceDefinition, () => running.raft, 'UNAVAILABLE'),
    laterService(ControllerServiceDefinition, () => of(ControllerServiceDefinition.fullName)),
    laterService(AdminServiceDefinition, () => of(AdminServiceDefinition.fullName)),
  ];
  return listen(config, 'controller', async (at) => {
    const listener = await env.network.serve(at, services);
    bound.push(listener);
    return listener;
  });
}
