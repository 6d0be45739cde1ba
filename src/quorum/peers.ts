// Calls to other replicas: core message -> RPC -> core message, and every failure -> why (refused, broken, timeout). Where they
// listen: as configured or found, which wins, else as the voter set in force says.
import { unreachable } from '../base/assert.ts';
import type { Ms, NodeId } from '../base/ids.ts';
import { parseHostPort } from '../config/listeners.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, Network, RpcClient } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { RaftServiceDefinition as Raft } from '../gen/kvorum/v1/raft.ts';
import type { CallFailure, EndQuorumEpochRequest, RaftRequest, RaftResponse, Voter } from '../raft/types.ts';
import {
  beginQuorumEpochToProto,
  endQuorumEpochToProto,
  fetchResponseOf,
  fetchSnapshotResponseOf,
  quorumEpochResponseOf,
  voteResponseOf,
} from './wire.ts';

/** `host:port`, IPv6 in brackets. */
export function endpointOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export interface PeersDeps {
  readonly network: Network;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Peer {
  readonly address: Address;
  readonly client: RpcClient;
  /** Configured or found by its address: the voter set does not move it. */
  readonly isFixed: boolean;
  /** What it refused last, so that it is said once. */
  refusal: string;
}

export class Peers {
  readonly #deps: PeersDeps;
  readonly #peers = new Map<NodeId, Peer>();
  /** EndQuorumEpoch calls under way: a stop lets them arrive. */
  readonly #farewells = new Set<Promise<unknown>>();
  #closed = false;

  constructor(deps: PeersDeps, addresses: ReadonlyMap<NodeId, Address>) {
    this.#deps = deps;
    for (const [id, address] of addresses) this.set(id, address);
  }

  /** A peer is (now) at this address, as configured or found. */
  set(id: NodeId, address: Address): void {
    this.#place(id, address, true);
  }

  /** The voter set in force, or a leader that others told of: where those listen whose address nobody configured. */
  follow(voters: readonly Pick<Voter, 'id' | 'endpoint'>[]): void {
    for (const { id, endpoint } of voters) {
      if (this.#peers.get(id)?.isFixed === true || endpoint === '') continue;
      const address = parseHostPort(endpoint);
      if (address === undefined || address.host === '') {
        this.#deps.logger.warn('voter-endpoint-malformed', { voter: id, endpoint, fix: 'update the voter' });
      } else this.#place(id, address, false);
    }
  }

  /** The peer's answer, or why there is none. */
  async call(to: NodeId, message: RaftRequest, timeoutMs: Ms): Promise<RaftResponse | { failure: CallFailure }> {
    const peer = this.#peers.get(to);
    // Not found yet; 'refused' would say that its process is not there.
    if (peer === undefined) return { failure: 'broken' };
    const sent = send(peer.client, message, timeoutMs);
    if (message.type === 'endQuorumEpoch') this.#remember(sent);
    try {
      const response = await sent;
      peer.refusal = '';
      return response;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (error.transport === undefined) this.#tellRefusal(to, peer, error);
      return { failure: error.transport ?? (error.status === 'DEADLINE_EXCEEDED' ? 'timeout' : 'broken') };
    }
  }

  /** The last words of a leader: EndQuorumEpoch to these, whatever becomes of it. */
  sendFarewell(to: readonly NodeId[], message: EndQuorumEpochRequest, timeoutMs: Ms): void {
    for (const id of to) void this.call(id, message, timeoutMs);
  }

  /** Waits for the EndQuorumEpoch calls under way, but no longer than this. */
  async farewell(limitMs: Ms): Promise<void> {
    if (this.#farewells.size === 0) return;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#deps.clock.schedule(limitMs, resolve);
    });
    await Promise.race([Promise.allSettled(this.#farewells), late]);
    timer?.cancel();
  }

  close(): void {
    this.#closed = true;
    for (const { client } of this.#peers.values()) client.close();
    this.#peers.clear();
  }

  #place(id: NodeId, address: Address, isFixed: boolean): void {
    if (this.#closed) return;
    const known = this.#peers.get(id);
    if (known?.address.host === address.host && known.address.port === address.port) {
      this.#peers.set(id, { ...known, isFixed });
      return;
    }
    known?.client.close();
    this.#peers.set(id, { address, client: this.#deps.network.client(address), isFixed, refusal: '' });
  }

  #remember(call: Promise<unknown>): void {
    const forget = (): void => void this.#farewells.delete(call);
    this.#farewells.add(call);
    call.then(forget, forget);
  }

  /** A peer that answers with a status has something against this node: another cluster, a malformed or too large request. */
  #tellRefusal(id: NodeId, peer: Peer, { status, message }: RpcError): void {
    if (status === 'DEADLINE_EXCEEDED' || status === 'CANCELLED' || peer.refusal === message) return;
    peer.refusal = message;
    // One that starts or stops says so too.
    const level = status === 'UNAVAILABLE' ? 'debug' : 'warn';
    this.#deps.logger[level]('peer-refused-call', { peer: id, address: peer.address, status, reason: message });
  }
}

async function send(client: RpcClient, message: RaftRequest, timeoutMs: Ms): Promise<RaftResponse> {
  const { vote, beginQuorumEpoch, endQuorumEpoch, fetch, fetchSnapshot } = Raft.methods;
  switch (message.type) {
    case 'vote':
      return voteResponseOf(await client.call(Raft, vote, message, timeoutMs));
    case 'beginQuorumEpoch':
      return quorumEpochResponseOf(
        await client.call(Raft, beginQuorumEpoch, beginQuorumEpochToProto(message), timeoutMs),
      );
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
