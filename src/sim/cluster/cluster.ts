// A simulated cluster: formatted nodes and the hosts of clients, in one world.
import type { Epoch } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { Producer } from '../../client/producer.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import { parseNodeConfig } from '../../config/node-config.ts';
import type { Address } from '../../env/network.ts';
import type { ReplicaKey } from '../../raft/types.ts';
import type { QuorumLimits } from '../../server/node.ts';
import { StartError } from '../../server/start-error.ts';
import type { DiskOperation } from '../disk/sim-disk.ts';
import type { SimProcess } from '../process/process.ts';
import { World } from '../world/world.ts';
import type { SimNode } from './node.ts';
import { DATA_DIRECTORY, METADATA_DIRECTORY, mayRefuseToStart, SNAPSHOT_DIRECTORY, seeReplicas } from './node.ts';
import { Ghost } from './observe.ts';
import { RaftWatch } from './raft-watch.ts';
import { ReplicaWatch } from './replica-watch.ts';
import type { ClusterConfig, ClusterScenario, Moment } from './scenario.ts';
import { ViolatedError } from './violated.ts';

export interface SimCluster {
  readonly scenario: ClusterScenario;
  readonly world: World;
  readonly ghost: Ghost;
  readonly clusterId: Uuid;
  /** By id: controllers first. */
  readonly nodes: readonly SimNode[];
  readonly controllers: readonly SimNode[];
  readonly brokers: readonly SimNode[];
  /** Kafka addresses of the brokers. */
  readonly bootstrap: readonly Address[];
  readonly clients: SimProcess[];
  /** Wraps what producers send with. */
  readonly sender: (producer: Producer) => Pick<Producer, 'send' | 'close' | 'unresolved'>;
  /** Of the metadata quorum, by epoch. */
  readonly leaders: ReadonlyMap<Epoch, ReplicaKey>;
}

const CLUSTER_ID: Uuid = 'c2ltdWxhdGVkLWNsdXN0ZQ';
export const CONTROLLER_PORT = 9093;
const KAFKA_PORT = 9092;
const GRPC_PORT = 9094;

export function createCluster(
  scenario: ClusterScenario,
  tamper: SimNode['tamper'] = untouched,
  sender: SimCluster['sender'] = untouched,
): SimCluster {
  const { config, seed } = scenario;
  const world = new World({ seed, logLines: 5000 });
  const ghost = new Ghost();
  const watch = new RaftWatch(config.controllers, config.brokers, {
    failed: (property, detail) => world.fail(property, new ViolatedError({ property, detail })),
    happened: (nodeId, moment) => ghost.happened(nodeId, moment),
    reigns: ghost.reigns,
    now: () => world.nowMs,
  });
  ghost.committed = watch.ghost.committed;
  ghost.now = () => world.nowMs;
  ghost.replicas = new ReplicaWatch(
    {
      metadata: ghost.metadata.state,
      flushMode: config.flushMode,
      dataDirectory: DATA_DIRECTORY,
      now: () => world.nowMs,
      count: (what) => ghost.count(what),
      happened: (brokerId, moment) => ghost.happened(brokerId, moment),
      failed: (violation) => world.fail(violation.property, new ViolatedError(violation)),
    },
    ghost.appends,
  );
  const nodes = Array.from({ length: config.controllers + config.brokers }, (_, index): SimNode => {
    const id = index + 1;
    const isController = index < config.controllers;
    const process = world.process(hostName(id, isController), {
      judge: (error) => (error instanceof StartError && mayRefuseToStart(node) ? 'die' : 'fail'),
    });
    const node: SimNode = {
      id,
      process,
      config: nodeConfig(config, id, isController),
      world,
      ghost,
      clusterId: CLUSTER_ID,
      watch: watch.node(id, process.disk, SNAPSHOT_DIRECTORY),
      quorumLimits: quorumLimits(config),
      tamper,
      node: undefined,
      isStopping: false,
      isExcused: false,
      disks: 1,
      diskState: 'good',
    };
    process.disk.onOperation = (what, path) => {
      const moment = snapshotMoment(what, path);
      if (moment !== undefined) ghost.happened(id, moment);
    };
    process.disk.watchStore = (path) => (path === METADATA_DIRECTORY ? node.watch.newDatabase() : undefined);
    node.watch.appliedEndOffset = () => node.node?.publisher.image.endOffset ?? -1;
    return node;
  });
  const brokers = nodes.slice(config.controllers);
  world.addCheck('S-M11', (host) => {
    for (const broker of brokers) if (host === undefined || host === broker.process.name) seeReplicas(broker);
  });
  return {
    scenario,
    world,
    ghost,
    clusterId: CLUSTER_ID,
    nodes,
    controllers: nodes.slice(0, config.controllers),
    brokers,
    bootstrap: brokers.map(({ process }) => ({ host: process.name, port: KAFKA_PORT })),
    clients: [],
    sender,
    leaders: watch.ghost.leaders,
  };
}

function quorumLimits({ fetchMaxBytes, snapshotChunkBytes }: ClusterConfig): QuorumLimits {
  return { ...(fetchMaxBytes > 0 && { fetchMaxBytes }), ...(snapshotChunkBytes > 0 && { snapshotChunkBytes }) };
}

function snapshotMoment(what: DiskOperation, path: string): Moment | undefined {
  if (!path.startsWith(SNAPSHOT_DIRECTORY)) return undefined;
  if (what === 'renamed') return 'snapshotRenamed';
  return what === 'synced' ? 'snapshotSynced' : 'snapshotDirectorySynced';
}

function untouched<T>(it: T): T {
  return it;
}

function hostName(id: number, isController: boolean): string {
  return `${isController ? 'controller' : 'broker'}${id}`;
}

function nodeConfig(config: ClusterConfig, id: number, isController: boolean): NodeConfig {
  const host = hostName(id, isController);
  const voters = Array.from(
    { length: config.controllers },
    (_, i) => `${i + 1}@${hostName(i + 1, true)}:${CONTROLLER_PORT}`,
  );
  const lines = [
    `node.id=${id}`,
    `process.roles=${isController ? 'controller' : 'broker'}`,
    `controller.quorum.voters=${voters.join(',')}`,
    isController
      ? `listeners=CONTROLLER://${host}:${CONTROLLER_PORT}`
      : `listeners=PLAINTEXT://${host}:${KAFKA_PORT},GRPC://${host}:${GRPC_PORT}`,
    `log.dirs=${DATA_DIRECTORY}`,
    `timing.profile=${config.timingProfile}`,
    `log.flush.mode=${config.flushMode}`,
    `log.segment.bytes=${config.segmentBytes}`,
    'auto.create.topics.enable=false',
    // The broker looks often for what to prune and to compact.
    'log.retention.check.interval.ms=700',
    'log.cleaner.backoff.ms=500',
    ...Object.entries(config.nodeSettings).map(([key, value]) => `${key}=${value}`),
  ];
  const parsed = parseNodeConfig(lines.join('\n'));
  if (!parsed.ok) throw new Error(`the scenario's nodes cannot be configured: ${parsed.errors.join('; ')}`);
  return parsed.config;
}
