// Requests as they came over a network: bytes that anybody may have sent.
import type { RpcMessageType } from './network.ts';
import { undone } from './rpc-failures.ts';

/** Decodes a request. RpcError INVALID_ARGUMENT, which says what is wrong with the bytes as far as decoding tells. */
export function readRequest<T>(
  method: { readonly name: string; readonly requestType: RpcMessageType<T> },
  bytes: Buffer,
): T {
  try {
    return method.requestType.decode(bytes);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const isNumber = /MAX_SAFE_INTEGER|MIN_SAFE_INTEGER/.test(cause);
    const why = isNumber
      ? 'it has a 64-bit number beyond 2^53 - 1 or below -(2^53 - 1)'
      : `its bytes are no such message (${cause})`;
    const message = `the request of ${method.name} cannot be read: ${why}`;
    throw undone('INVALID_ARGUMENT', isNumber ? 'INVALID_NUMBER' : 'INVALID_MESSAGE', message);
  }
}
