// Calls to other replicas: core message -> RPC -> core message, and every failure -> why (refused, broken, timeout).
import { unreachable } from '../base/assert.ts';
import type { Ms, NodeId } from '../base/ids.ts';
import type { Address, Network, RpcClient } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { RaftServiceDefinition as Raft } from '../gen/kvorum/v1/raft.ts';
import type { CallFailure, RaftRequest, RaftResponse } from '../raft/types.ts';
import {
  endQuorumEpochToProto,
  fetchResponseOf,
  fetchSnapshotResponseOf,
  quorumEpochResponseOf,
  voteResponseOf,
} from './wire.ts';

export class Peers {
  readonly #network: Network;
  readonly #clients = new Map<NodeId, { readonly address: Address; readonly client: RpcClient }>();

  constructor(network: Network, peers: ReadonlyMap<NodeId, Address>) {
    this.#network = network;
    for (const [id, address] of peers) this.set(id, address);
  }

  /** A peer is (now) at this address. */
  set(id: NodeId, address: Address): void {
    const known = this.#clients.get(id);
    if (known?.address.host === address.host && known.address.port === address.port) return;
    known?.client.close();
    this.#clients.set(id, { address, client: this.#network.client(address) });
  }

  /** The peer's answer, or why there is none. */
  async call(to: NodeId, message: RaftRequest, timeoutMs: Ms): Promise<RaftResponse | { failure: CallFailure }> {
    const client = this.#clients.get(to)?.client;
    // Not found yet; 'refused' would say that its process is not there.
    if (client === undefined) return { failure: 'broken' };
    try {
      return await send(client, message, timeoutMs);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return { failure: error.transport ?? (error.status === 'DEADLINE_EXCEEDED' ? 'timeout' : 'broken') };
    }
  }

  close(): void {
    for (const { client } of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}

async function send(client: RpcClient, message: RaftRequest, timeoutMs: Ms): Promise<RaftResponse> {
  const { vote, beginQuorumEpoch, endQuorumEpoch, fetch, fetchSnapshot } = Raft.methods;
  switch (message.type) {
    case 'vote':
      return voteResponseOf(await client.call(Raft, vote, message, timeoutMs));
    case 'beginQuorumEpoch':
      return quorumEpochResponseOf(await client.call(Raft, beginQuorumEpoch, message, timeoutMs));
    case 'endQuorumEpoch':
      return quorumEpochResponseOf(await client.call(Raft, endQuorumEpoch, endQuorumEpochToProto(message), timeoutMs));
    case 'fetch':
      return fetchResponseOf(await client.call(Raft, fetch, message, timeoutMs));
    case 'fetchSnapshot':
      return fetchSnapshotResponseOf(await client.call(Raft, fetchSnapshot, message, timeoutMs));
    default:
      return unreachable(message, 'raft request');
  }
}
