// What request handlers know of their broker and of the call they answer. Plain data and ports; no handler keeps state.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { Random } from '../env/random.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { AnyApi } from '../protocol/api.ts';
import type { ReplicaManager } from '../replica/replica-manager.ts';
import type { FetchSessions } from './fetch-sessions.ts';
import type { FramePool } from './frame-pool.ts';
import type { OncePerPeer } from './once-per-peer.ts';
import type { ProducerIds } from './producer-ids.ts';
import type { TopicCommands } from './topic-commands.ts';

export interface BrokerContext {
  readonly clusterId: Uuid;
  readonly config: NodeConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metadata: MetadataPublisher;
  readonly replicas: ReplicaManager;
  /** Memory for frames and for what is read to be sent. */
  readonly buffers: FramePool;
  /** Of the brokers that fetch from this one. */
  readonly fetchSessions: FetchSessions;
  readonly refusedPeers: OncePerPeer;
  /** To the active controller. */
  readonly controller: ControllerChannel;
  readonly producerIds: ProducerIds;
  readonly topics: TopicCommands;
  /** What the dispatch table holds, for ApiVersions. */
  readonly servedApis: readonly AnyApi[];
  /** The leader of the quorum as this node knows it, -1 if it knows none. */
  quorumLeader(): NodeId;
}

/** One Kafka request. */
export interface Call {
  readonly apiVersion: number;
  readonly clientId: string;
  /** `host:port` of the client. */
  readonly peer: string;
  /** Name of the listener the request came through: answers name addresses of the same listener (behaviour 6). */
  readonly listener: string;
  /** Set by a handler that waits: called when others wait for its answer, or nobody does any more. */
  hurry?: () => void;
}
