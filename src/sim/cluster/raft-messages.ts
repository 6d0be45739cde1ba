// Sees Raft messages leave a node through its network port: requests as they are called, responses as handlers return them.
import type { Network, RpcClient, RpcHandler, RpcService } from '../../env/network.ts';
import type * as proto from '../../gen/kvorum/v1/raft.ts';
import { RaftServiceDefinition } from '../../gen/kvorum/v1/raft.ts';
import * as wire from '../../quorum/wire.ts';
import type { RaftRequest, RaftResponse } from '../../raft/types.ts';

export interface RaftMessages {
  /** `request`: what a response answers. */
  leaves(message: RaftRequest | RaftResponse, request: RaftRequest | undefined): void;
}

/** The port with `messages` told of everything that leaves through RaftService. */
export function watchRaftMessages(network: Network, messages: RaftMessages): Network {
  return {
    ...network,
    client: (to) => watchedClient(network.client(to), messages),
    serve: (at, services) =>
      network.serve(
        at,
        services.map((service) =>
          service.definition.fullName === RaftServiceDefinition.fullName ? watchedService(service, messages) : service,
        ),
      ),
  };
}

function watchedClient(client: RpcClient, messages: RaftMessages): RpcClient {
  return {
    ...client,
    call(service, method, request, timeoutMs) {
      if (service.fullName === RaftServiceDefinition.fullName) {
        messages.leaves(requestOf(method.name, request), undefined);
      }
      return client.call(service, method, request, timeoutMs);
    },
  };
}

function watchedService(service: RpcService, messages: RaftMessages): RpcService {
  const handlers: Record<string, RpcHandler<unknown, unknown>> = {};
  for (const [key, method] of Object.entries(service.definition.methods)) {
    const handler = service.handlers[key] as RpcHandler<unknown, unknown>;
    handlers[key] = async (request, context) => {
      const response = await handler(request, context);
      messages.leaves(responseOf(method.name, response), requestOf(method.name, request));
      return response;
    };
  }
  return { ...service, handlers };
}

function requestOf(method: string, request: unknown): RaftRequest {
  switch (method) {
    case 'Vote':
      return wire.voteRequestOf(request as proto.VoteRequest);
    case 'BeginQuorumEpoch':
      return wire.beginQuorumEpochOf(request as proto.BeginQuorumEpochRequest);
    case 'EndQuorumEpoch':
      return wire.endQuorumEpochOf(request as proto.EndQuorumEpochRequest);
    case 'Fetch':
      return wire.fetchRequestOf(request as proto.FetchRequest);
    case 'FetchSnapshot':
      return wire.fetchSnapshotRequestOf(request as proto.FetchSnapshotRequest);
    default:
      throw new Error(`the simulator does not know the Raft call ${method}`);
  }
}

function responseOf(method: string, response: unknown): RaftResponse {
  switch (method) {
    case 'Vote':
      return wire.voteResponseOf(response as proto.VoteResponse);
    case 'BeginQuorumEpoch':
    case 'EndQuorumEpoch':
      return wire.quorumEpochResponseOf(response as proto.QuorumEpochResponse);
    case 'Fetch':
      return wire.fetchResponseOf(response as proto.FetchResponse);
    case 'FetchSnapshot':
      return wire.fetchSnapshotResponseOf(response as proto.FetchSnapshotResponse);
    default:
      throw new Error(`the simulator does not know the Raft call ${method}`);
  }
}
