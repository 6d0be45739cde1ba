// Methods of ts-proto's generic definitions as grpc-js wants them, and the limits that both sides share.
import type { MethodDefinition } from '@grpc/grpc-js';
import type { RpcMessageType, RpcMethod, RpcServiceDefinition } from '../env/network.ts';

/** The largest message that either side takes; gRPC's default of 4 MiB is less than a fetch of metadata may be. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

export function pathOf(service: RpcServiceDefinition, method: { readonly name: string }): string {
  return `/${service.fullName}/${method.name}`;
}

export function serialize<T>(type: RpcMessageType<T>, message: T): Buffer {
  const bytes = type.encode(message).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function methodDefinition<Request, Response>(
  service: RpcServiceDefinition,
  method: RpcMethod<Request, Response>,
): MethodDefinition<Request, Response> {
  const { requestType, responseType } = method;
  return {
    path: pathOf(service, method),
    requestStream: false,
    responseStream: false,
    requestSerialize: (message) => serialize(requestType, message),
    requestDeserialize: (bytes) => requestType.decode(bytes),
    responseSerialize: (message) => serialize(responseType, message),
    responseDeserialize: (bytes) => responseType.decode(bytes),
  };
}
