// RaftService: what peers ask of this replica's core.
import { assert } from '../base/assert.ts';
import type { RpcService } from '../env/network.ts';
import { rpcService } from '../env/network.ts';
import { RaftServiceDefinition } from '../gen/kvorum/v1/raft.ts';
import type { RaftRequest, RaftResponse } from '../raft/types.ts';
import * as wire from './wire.ts';

/** `serve` takes a request to the core and resolves with its reply. */
export function raftService(serve: (message: RaftRequest) => Promise<RaftResponse>): RpcService {
  async function answer<T extends RaftResponse['type']>(
    type: T,
    message: RaftRequest,
  ): Promise<Extract<RaftResponse, { type: T }>> {
    const response = await serve(message);
    assert(response.type === type, `a ${message.type} request is answered by ${type}`);
    return response as Extract<RaftResponse, { type: T }>;
  }
  return rpcService(RaftServiceDefinition, {
    vote: async (request) => wire.voteResponseToProto(await answer('vote', wire.voteRequestOf(request))),
    beginQuorumEpoch: async (request) =>
      wire.quorumEpochResponseToProto(await answer('quorumEpoch', wire.beginQuorumEpochOf(request))),
    endQuorumEpoch: async (request) =>
      wire.quorumEpochResponseToProto(await answer('quorumEpoch', wire.endQuorumEpochOf(request))),
    fetchSnapshot: async (request) =>
      wire.fetchSnapshotResponseToProto(await answer('fetchSnapshot', wire.fetchSnapshotRequestOf(request))),
    fetch: async (request) => wire.fetchResponseToProto(await answer('fetch', wire.fetchRequestOf(request))),
  });
}
