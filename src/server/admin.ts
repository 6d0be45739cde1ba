// AdminService as far as it is the same on every node: reads from the node's own committed image and log, and the way to the active
// controller for everything else. Controllers and brokers add what they decide themselves.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { AdminForwarder } from '../client/admin-forwarder.ts';
import type { AdminReads } from '../client/admin-writes.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Forwarder } from '../controller/forwarder.ts';
import type { Clock } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Random } from '../env/random.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import type { IdentifyResponse } from '../gen/kvorum/v1/raft.ts';
import { describeCluster, describeTopics, listTopics } from '../metadata/describe.ts';
import type { ControllerLevels } from '../metadata/features.ts';
import { describeFeatures } from '../metadata/features.ts';
import { ELR_LEVEL } from '../metadata/level.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { QuorumAdmin, QuorumAdminDeps } from '../quorum/admin.ts';
import { quorumAdmin } from '../quorum/admin.ts';
import type { Quorum } from '../quorum/quorum.ts';
import { describeConfigs } from './describe-configs.ts';
import { durabilityPolicy } from './durability.ts';
import type { Elect } from './election-checks.ts';
import { withPossibleLosses } from './election-checks.ts';
import { askControllers } from './features.ts';
import type { LogDirsAdmin } from './log-dirs-admin.ts';
import { logDirsAdmin } from './log-dirs-admin.ts';
import { lossesAdmin } from './losses-admin.ts';
import type { MetadataAdmin } from './metadata-admin.ts';
import { metadataAdmin } from './metadata-admin.ts';
import { checkDescribeConfigs, checkDescribeTopics } from './read-limits.ts';
import type { RecordsAdmin } from './records-admin.ts';
import { recordsAdmin } from './records-admin.ts';
import type { ReplicasAdmin, ReplicasAdminDeps } from './replicas-admin.ts';
import { replicasAdmin } from './replicas-admin.ts';
import { identify } from './voters.ts';

export interface NodeAdminDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** `voters`: those in force. */
  readonly config: Pick<NodeConfig, 'nodeId' | 'voters' | 'values' | 'setKeys'>;
  readonly clusterId: Uuid;
  readonly publisher: MetadataPublisher;
  readonly controllers: Pick<Forwarder, 'call'>;
  /** The leader of the quorum as this node knows it, -1 if it knows none. */
  readonly leaderId: () => NodeId;
  /** Who answers at `host:port`; RpcError. */
  readonly identify: (endpoint: string) => Promise<IdentifyResponse>;
  /** The handlers that other parts of the node have. */
  readonly parts: QuorumAdmin & MetadataAdmin & RecordsAdmin & LogDirsAdmin & ReplicasAdmin;
}

/** What a node's AdminService is made of. */
export interface NodeAdmin {
  readonly reads: AdminReads;
  readonly forwarder: AdminForwarder;
  /** Has checks of unclean elections say what they may cost. */
  readonly withPossibleLosses: (elect: Elect) => Elect;
  /** The levels that the voters can follow, asked now. */
  readonly controllerLevels: () => Promise<ControllerLevels[]>;
}

export function composeAdmin(deps: NodeAdminDeps): NodeAdmin {
  const { clock, random, config, clusterId, publisher, controllers, identify } = deps;
  const controllerLevels = (): Promise<ControllerLevels[]> =>
    askControllers({ clusterId, nodeId: config.nodeId, voters: () => config.voters, identify });
  const forwarder = new AdminForwarder({
    clock,
    random,
    controller: controllers,
    requestTimeoutMs: config.values['request.timeout.ms'],
    remembersCommands: () => publisher.image.level >= ELR_LEVEL,
    whenAt: (endOffset) => publisher.whenAt(endOffset),
  });
  const reads: AdminReads = {
    listTopics: async () => listTopics(publisher.image),
    describeTopics: async (request) => {
      checkDescribeTopics(publisher.image, request);
      return describeTopics(publisher.image, request, durabilityPolicy(publisher.image, config.values));
    },
    describeCluster: async () =>
      describeCluster(publisher.image, { clusterId, controllerId: deps.leaderId(), controllers: config.voters }),
    describeFeatures: async () => {
      const levels = await controllerLevels();
      return describeFeatures(publisher.image, levels);
    },
    describeConfigs: async (request) => {
      checkDescribeConfigs(request);
      return describeConfigs(publisher.image, request, config);
    },
    ...lossesAdmin(publisher),
    ...deps.parts,
  };
  const asked = { clock, publisher, describeReplicas: deps.parts.describeReplicas };
  return { reads, forwarder, controllerLevels, withPossibleLosses: (elect) => withPossibleLosses(asked, elect) };
}

/** The same for a node in the world. */
export function composeNodeAdmin(
  env: Env,
  config: NodeConfig,
  clusterId: Uuid,
  links: Pick<NodeAdminDeps, 'publisher' | 'leaderId'> & {
    readonly quorum: Quorum;
    readonly channel: ControllerChannel;
    readonly ownReplicas: ReplicasAdminDeps['ownReplicas'];
  },
): NodeAdmin {
  const { quorum, channel, publisher, leaderId, ownReplicas } = links;
  const { clock, random } = env;
  const { nodeId } = config;
  const requestTimeoutMs = config.values['request.timeout.ms'];
  const askIdentity = (endpoint: string) => identify(env, endpoint);
  const callLeader: QuorumAdminDeps['callLeader'] = (method, request, timeoutMs, repeatable) =>
    channel.call(Admin, method, request, timeoutMs, { repeatable });
  const parts = {
    ...quorumAdmin({ nodeId, clusterId, clock, quorum, identify: askIdentity, callLeader, requestTimeoutMs }),
    ...metadataAdmin({ clock, quorum, publisher }),
    ...recordsAdmin({ clock, random, network: env.network, publisher, requestTimeoutMs }),
    ...logDirsAdmin({ clock, network: env.network, publisher, requestTimeoutMs }),
    ...replicasAdmin({ network: env.network, config, publisher, ownReplicas, requestTimeoutMs }),
  };
  return composeAdmin({
    clock,
    random,
    config,
    clusterId,
    publisher,
    controllers: channel,
    leaderId,
    identify: askIdentity,
    parts,
  });
}
