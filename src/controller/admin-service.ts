// AdminService on a controller: writes are carried out here if this is the active one, else passed on once; reads are answered
// from the committed image. What is about the quorum itself is answered by quorum/.

import type { RpcContext, RpcMethod, RpcService } from '../env/network.ts';
import { RpcError, rpcService } from '../env/network.ts';
import { randomUuid } from '../env/random.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { describeCluster, describeTopics, listTopics } from '../metadata/describe.ts';
import { decideCreateTopics } from './decide/create-topics.ts';
import { decideDeleteTopics } from './decide/delete-topics.ts';
import type { CommandRunner, ControllerDeps } from './deps.ts';

/** Replaced one by one. */
const notYet = () => Promise.reject(new RpcError('UNIMPLEMENTED', 'this version does not serve this call'));
// oxlint-disable-next-line require-yield
async function* notYetStream(): AsyncGenerator<never> {
  throw new RpcError('UNIMPLEMENTED', 'this version does not serve this call');
}

export function adminService(
  controller: CommandRunner,
  { env, config, clusterId, publisher, controllers, quorumAdmin }: ControllerDeps,
): RpcService {
  const { createTopics, deleteTopics } = AdminServiceDefinition.methods;

  /** Passes a call on, once: the next node does not pass on what is marked as forwarded. */
  function forward<Request extends { forwarded: boolean }, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    { remainingMs }: RpcContext,
  ): Promise<Response> {
    const timeoutMs = Math.min(remainingMs, config.values['request.timeout.ms']);
    const marked = { ...request, forwarded: true };
    return controllers.call(AdminServiceDefinition, method, marked, timeoutMs, { repeatable: false });
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
    createPartitions: notYet,
    alterConfigs: notYet,
    describeConfigs: notYet,
    electLeaders: notYet,
    explainPartition: notYet,
    metadataHistory: notYetStream,
    diffMetadata: notYetStream,
    unregisterBroker: notYet,
    describeFeatures: notYet,
    updateFeatures: notYet,
    ...quorumAdmin,
  });
}
