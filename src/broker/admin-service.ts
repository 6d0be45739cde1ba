// AdminService on a broker: reads from its own committed image, writes forwarded to the active controller. What is about the
// quorum itself is answered by quorum/.
import type { Ms } from '../base/ids.ts';
import type { RpcContext, RpcService } from '../env/network.ts';
import { RpcError, rpcService } from '../env/network.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import * as describe from '../metadata/describe.ts';
import type { BrokerContext } from './context.ts';

/** Replaced one by one. */
const notYet = () => Promise.reject(new RpcError('UNIMPLEMENTED', 'this version does not serve this call'));
// oxlint-disable-next-line require-yield
async function* notYetStream(): AsyncGenerator<never> {
  throw new RpcError('UNIMPLEMENTED', 'this version does not serve this call');
}

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
    ...context.quorumAdmin,
  });
}
