// Methods of ts-proto's generic definitions as grpc-js wants them, and the limits that both sides share.
import type { MethodDefinition } from '@grpc/grpc-js';
import type { Ms } from '../base/ids.ts';
import type { RpcMessageType, RpcMethod, RpcServiceDefinition, RpcStreamMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { readRequest } from '../env/rpc-request.ts';

/** The largest message that either side takes; gRPC's default of 4 MiB is less than a fetch of metadata may be. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** A trailer of every failed stream: grpc-js shows the caller nothing else that a broken connection would not look like. */
export const ANSWERED_TRAILER = 'kvorum-answered';

export function pathOf(service: RpcServiceDefinition, method: { readonly name: string }): string {
  return `/${service.fullName}/${method.name}`;
}

/** Milliseconds until the deadline of a call that is served, Infinity if its caller set none. */
export function remainingMs(call: { getDeadline(): Date | number }): Ms {
  const deadline = call.getDeadline();
  return Math.max(0, (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now());
}

export function serialize<T>(type: RpcMessageType<T>, message: T): Buffer {
  const bytes = type.encode(message).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** grpc-js answers INTERNAL, without a reason, where decoding throws: what cannot be read goes to the handler as its error. */
function readOrReason<Request>(
  method: { readonly name: string; readonly requestType: RpcMessageType<Request> },
  bytes: Buffer,
): Request {
  try {
    return readRequest(method, bytes);
  } catch (error) {
    if (error instanceof RpcError) return error as Request;
    throw error;
  }
}

/** The request of a call. RpcError if its bytes were none. */
export function requestOf<Request>(call: { readonly request: Request }): Request {
  if (call.request instanceof RpcError) throw call.request;
  return call.request;
}

export function methodDefinition<Request, Response>(
  service: RpcServiceDefinition,
  method: RpcMethod<Request, Response> | RpcStreamMethod<Request, Response>,
): MethodDefinition<Request, Response> {
  const { requestType, responseType } = method;
  return {
    path: pathOf(service, method),
    requestStream: false,
    responseStream: method.responseStream === true,
    requestSerialize: (message) => serialize(requestType, message),
    requestDeserialize: (bytes) => readOrReason(method, bytes),
    responseSerialize: (message) => serialize(responseType, message),
    responseDeserialize: (bytes) => responseType.decode(bytes),
  };
}
