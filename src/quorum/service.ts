// RaftService: what peers ask of this replica's core. A request of another cluster is refused here, with both clusters named.
import { assert } from '../base/assert.ts';
import type { Uuid } from '../base/uuid.ts';
import type { RpcContext, RpcService } from '../env/network.ts';
import { RpcError, rpcService } from '../env/network.ts';
import { RaftServiceDefinition } from '../gen/kvorum/v1/raft.ts';
import type { RaftRequest, RaftResponse } from '../raft/types.ts';
import * as wire from './wire.ts';

/** `serve` takes a request of `peer`, a connection, to the core and resolves with its reply. */
export function raftService(
  clusterId: Uuid,
  serve: (message: RaftRequest, peer: string) => Promise<RaftResponse>,
): RpcService {
  async function answer<T extends RaftResponse['type']>(
    type: T,
    message: RaftRequest,
    { peer }: RpcContext,
  ): Promise<Extract<RaftResponse, { type: T }>> {
    if (message.clusterId !== clusterId) {
      const what = `cluster_id is ${message.clusterId || 'missing'}, this node belongs to ${clusterId}`;
      throw new RpcError('FAILED_PRECONDITION', `${what}: correct the addresses of the controllers`);
    }
    const response = await serve(message, peer);
    assert(response.type === type, `a ${message.type} request is answered by ${type}`);
    return response as Extract<RaftResponse, { type: T }>;
  }
  return rpcService(RaftServiceDefinition, {
    vote: async (request, context) =>
      wire.voteResponseToProto(await answer('vote', wire.voteRequestOf(request), context)),
    beginQuorumEpoch: async (request, context) =>
      wire.quorumEpochResponseToProto(await answer('quorumEpoch', wire.beginQuorumEpochOf(request), context)),
    endQuorumEpoch: async (request, context) =>
      wire.quorumEpochResponseToProto(await answer('quorumEpoch', wire.endQuorumEpochOf(request), context)),
    fetchSnapshot: async (request, context) =>
      wire.fetchSnapshotResponseToProto(await answer('fetchSnapshot', wire.fetchSnapshotRequestOf(request), context)),
    fetch: async (request, context) =>
      wire.fetchResponseToProto(await answer('fetch', wire.fetchRequestOf(request), context)),
  });
}
