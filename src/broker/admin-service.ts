// AdminService on a broker: reads from its own committed image, writes forwarded to the active controller. What is about the
// quorum itself is answered by quorum/.
import type { Ms } from '../base/ids.ts';
import type { RpcContext, RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import * as describe from '../metadata/describe.ts';
import type { BrokerContext } from './context.ts';

export function adminService(context: BrokerContext): RpcService {
  const { topics, metadata, config, clusterId } = context;
  const waitMs = (call: RpcContext): Ms => Math.min(call.remainingMs, config.values['request.timeout.ms']);
  return rpcService(AdminServiceDefinition, {
    createTopics: (request, call) => topics.create(request.topics, request.validateOnly, waitMs(call)),
    deleteTopics: (request, call) => topics.delete(request.topics, waitMs(call)),
    listTopics: async () => describe.listTopics(metadata.image),
    describeTopics: async (request) => describe.describeTopics(metadata.image, request),
    describeCluster: async () =>
      describe.describeCluster(metadata.image, {
        clusterId,
        controllerId: context.quorumLeader(),
        controllers: config.voters,
      }),
    ...context.quorumAdmin,
  });
}
