// The calling side of RPC: one channel per client. A call to a process that is not there fails at once with `refused`
// instead of waiting; the channel reconnects by itself within a second.

import { isIPv4, isIPv6 } from 'node:net';
import type { ServiceError } from '@grpc/grpc-js';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type { Ms } from '../base/ids.ts';
import type { Address, RpcClient, RpcMethod, RpcServiceDefinition, RpcStreamMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { MAX_MESSAGE_BYTES, pathOf, serialize } from './grpc-codec.ts';
import { detailIn } from './grpc-detail.ts';
import { statusOf } from './grpc-status.ts';

/** HTTP/2's default of 64 KiB would stall large answers (metadata fetches, snapshots). */
const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  // A peer that restarts is found again soon.
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  // A connection that died without a word (machine gone, network cut) is noticed and replaced.
  'grpc.keepalive_time_ms': 5000,
  'grpc.keepalive_timeout_ms': 3000,
  // Whoever calls decides about retries (safety rules differ); closing closes; no proxies between nodes.
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
};

export function createClient(to: Address): RpcClient {
  const target = targetOf(to);
  const client = new Client(target, credentials.createInsecure(), CHANNEL_OPTIONS);
  const running = new Set<{ cancel(): void }>();
  let closed = false;

  async function* stream<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcStreamMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
  ): AsyncGenerator<Response, void> {
    if (closed) throw new RpcError('CANCELLED', 'the client is closed', 'refused');
    const call = client.makeServerStreamRequest(
      pathOf(service, method),
      (message: Request) => serialize(method.requestType, message),
      (bytes: Buffer) => method.responseType.decode(bytes),
      request,
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
    );
    running.add(call);
    // The loop below hears of failures; one that comes after the loop was left is nobody's business.
    call.on('error', () => undefined);
    try {
      for await (const message of call) yield message as Response;
    } catch (error) {
      throw toRpcError(error as ServiceError, { closed, reached: call.getPeer() !== target });
    } finally {
      running.delete(call);
      call.cancel();
    }
  }

  return {
    stream,
    call: <Request, Response>(
      service: RpcServiceDefinition,
      method: RpcMethod<Request, Response>,
      request: Request,
      timeoutMs: Ms,
    ) =>
      new Promise<Response>((resolve, reject) => {
        if (closed) {
          reject(new RpcError('CANCELLED', 'the client is closed', 'refused'));
          return;
        }
        const call = client.makeUnaryRequest(
          pathOf(service, method),
          (message: Request) => serialize(method.requestType, message),
          (bytes: Buffer) => method.responseType.decode(bytes),
          request,
          new Metadata(),
          { deadline: Date.now() + timeoutMs },
          (error, response) => {
            running.delete(call);
            if (error === null) resolve(response as Response);
            else reject(toRpcError(error, { closed, reached: call.getPeer() !== target }));
          },
        );
        running.add(call);
      }),
    close: () => {
      closed = true;
      for (const call of running) call.cancel();
      client.close();
    },
  };
}

/** grpc-js resolves names itself; addresses are told apart by scheme so that no resolver is asked about them. */
function targetOf({ host, port }: Address): string {
  if (isIPv4(host)) return `ipv4:${host}:${port}`;
  if (isIPv6(host)) return `ipv6:[${host}]:${port}`;
  return `dns:${host}:${port}`;
}

/**
 * Tells what the peer said from what the transport said: an answer of a peer carries headers, one that ends a stream after
 * messages a trailer. `reached` is false while the call never got a connection (its peer is still the bare
 * target), so that it was surely not carried out.
 */
function toRpcError(error: ServiceError, call: { closed: boolean; reached: boolean }): RpcError {
  const status = statusOf(error.code);
  if (Object.keys(error.metadata.getMap()).length > 0) {
    return new RpcError(status, error.details, undefined, detailIn(error.metadata));
  }
  if (call.closed) return new RpcError('CANCELLED', 'the client was closed', call.reached ? 'broken' : 'refused');
  // An unanswered CANCELLED is what a server that is torn down leaves behind.
  if (status === 'UNAVAILABLE' || status === 'CANCELLED' || !call.reached) {
    if (status === 'DEADLINE_EXCEEDED') return new RpcError(status, error.details);
    return new RpcError('UNAVAILABLE', unwrapped(error.details), call.reached ? 'broken' : 'refused');
  }
  return new RpcError(status, error.details);
}

/** What the system said of a connection, out of the words that grpc-js wraps it in. */
function unwrapped(details: string): string {
  return /Last error: (?:Error: )?(.+?)\. Resolution note:/.exec(details)?.[1] ?? details;
}
