// Requests of other replicas that the core has not answered yet: numbered, counted per connection and in total, each answered once.
import { RpcError } from '../env/network.ts';
import type { CallId, RaftResponse } from '../raft/types.ts';
import { MAX_CALLS, MAX_CALLS_PER_PEER } from './limits.ts';

interface InboundCall {
  readonly peer: string;
  resolve(message: RaftResponse): void;
  reject(error: RpcError): void;
}

export class InboundCalls {
  readonly #calls = new Map<CallId, InboundCall>();
  readonly #perPeer = new Map<string, number>();
  #next: CallId = 0;

  /** Opens a call, which `begin` hands to the core. RpcError RESOURCE_EXHAUSTED. */
  open(peer: string, begin: (call: CallId) => void): Promise<RaftResponse> {
    const ofPeer = this.#perPeer.get(peer) ?? 0;
    if (ofPeer >= MAX_CALLS_PER_PEER || this.#calls.size >= MAX_CALLS) {
      const whose = ofPeer >= MAX_CALLS_PER_PEER ? 'of this connection ' : '';
      return Promise.reject(
        new RpcError('RESOURCE_EXHAUSTED', `too many calls ${whose}are under way: try again later`),
      );
    }
    this.#perPeer.set(peer, ofPeer + 1);
    return new Promise((resolve, reject) => {
      const call = this.#next++;
      this.#calls.set(call, { peer, resolve, reject });
      begin(call);
    });
  }

  /** Nothing if it was answered or given up before. */
  answer(call: CallId, message: RaftResponse): void {
    this.#take(call)?.resolve(message);
  }

  fail(call: CallId, error: RpcError): void {
    this.#take(call)?.reject(error);
  }

  failAll(error: () => RpcError): void {
    for (const call of this.#calls.keys()) this.#take(call)?.reject(error());
  }

  #take(id: CallId): InboundCall | undefined {
    const call = this.#calls.get(id);
    if (call === undefined) return undefined;
    this.#calls.delete(id);
    const left = (this.#perPeer.get(call.peer) ?? 0) - 1;
    if (left > 0) this.#perPeer.set(call.peer, left);
    else this.#perPeer.delete(call.peer);
    return call;
  }
}
