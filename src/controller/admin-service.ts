// AdminService on a controller: writes are carried out here if this is the active one, else passed on once; reads are answered
// from the committed image. DescribeQuorum is answered by the leader of the quorum.

import type { RpcContext, RpcMethod, RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { randomUuid } from '../env/random.ts';
import type { DescribeQuorumResponse, QuorumReplica } from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { describeCluster, describeTopics, listTopics } from '../metadata/describe.ts';
import type { Quorum } from '../quorum/quorum.ts';
import { decideCreateTopics } from './decide/create-topics.ts';
import { decideDeleteTopics } from './decide/delete-topics.ts';
import type { CommandRunner, ControllerDeps } from './deps.ts';

type QuorumDescription = ReturnType<Quorum['describe']>;

export function adminService(
  controller: CommandRunner,
  { env, config, clusterId, quorum, publisher, controllers }: ControllerDeps,
): RpcService {
  const { createTopics, deleteTopics, describeQuorum } = AdminServiceDefinition.methods;

  /** Passes a call on, once: the next node does not pass on what is marked as forwarded. */
  function forward<Request extends { forwarded: boolean }, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    { remainingMs }: RpcContext,
    repeatable = false,
  ): Promise<Response> {
    const timeoutMs = Math.min(remainingMs, config.values['request.timeout.ms']);
    const marked = { ...request, forwarded: true };
    return controllers.call(AdminServiceDefinition, method, marked, timeoutMs, { repeatable });
  }

  const createContext = {
    defaultPartitions: config.values['num.partitions'],
    newTopicId: () => randomUuid(env.random, 'controller.topicId'),
  };

  return rpcService(AdminServiceDefinition, {
    createTopics: (request, context) => {
      if (!controller.isActive && !request.forwarded) return forward(createTopics, request, context);
      return controller.execute(context, ({ working }) => decideCreateTopics(working, request, createContext));
    },
    deleteTopics: (request, context) => {
      if (!controller.isActive && !request.forwarded) return forward(deleteTopics, request, context);
      return controller.execute(context, ({ working }) => decideDeleteTopics(working, request));
    },
    listTopics: () => Promise.resolve(listTopics(publisher.image)),
    describeTopics: (request) => Promise.resolve(describeTopics(publisher.image, request)),
    describeCluster: () => {
      const facts = { clusterId, controllerId: controller.leaderId, controllers: config.voters };
      return Promise.resolve(describeCluster(publisher.image, facts));
    },
    describeQuorum: async (request, context) => {
      const description = quorum.describe();
      if (description.role === 'leader') return quorumResponse(description, env.clock.now());
      if (request.forwarded) throw controller.notActive();
      return forward(describeQuorum, request, context, true);
    },
  });
}

function quorumResponse(description: QuorumDescription, now: number): DescribeQuorumResponse {
  const age = (at: number): number => (at < 0 ? -1 : Math.max(0, Math.round(now - at)));
  const replicas = (list: QuorumDescription['voters']): QuorumReplica[] =>
    list.map(({ replica, logEndOffset, lastFetchMs, lastCaughtUpMs }) => {
      const leads = replica.id === description.leaderId;
      return {
        nodeId: replica.id,
        directoryId: replica.directoryId,
        logEndOffset,
        lastFetchAgeMs: leads ? 0 : age(lastFetchMs),
        lastCaughtUpAgeMs: leads ? 0 : age(lastCaughtUpMs),
      };
    });
  return {
    leaderId: description.leaderId,
    leaderEpoch: description.epoch,
    highWatermark: description.highWatermark,
    voters: replicas(description.voters),
    observers: replicas(description.observers),
  };
}
