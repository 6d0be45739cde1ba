// gRPC status codes by the names that Kvorum uses, both ways.
import { status } from '@grpc/grpc-js';
import type { RpcStatus } from '../env/network.ts';

const CODES = {
  CANCELLED: status.CANCELLED,
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  NOT_FOUND: status.NOT_FOUND,
  ALREADY_EXISTS: status.ALREADY_EXISTS,
  RESOURCE_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION: status.FAILED_PRECONDITION,
  ABORTED: status.ABORTED,
  UNIMPLEMENTED: status.UNIMPLEMENTED,
  INTERNAL: status.INTERNAL,
  UNAVAILABLE: status.UNAVAILABLE,
} as const satisfies Record<RpcStatus, status>;

const NAMES: ReadonlyMap<number, RpcStatus> = new Map(
  Object.entries(CODES).map(([name, code]) => [code, name as RpcStatus]),
);

export function codeOf(name: RpcStatus): status {
  return CODES[name];
}

/** INTERNAL for codes that Kvorum never sends, which only foreign servers and proxies do. */
export function statusOf(code: number): RpcStatus {
  return NAMES.get(code) ?? 'INTERNAL';
}

/** The answer to a failure that is ours and none of the caller's business. */
export const INTERNAL_FAILURE = {
  code: status.INTERNAL,
  details: 'internal error, see the log of the server',
} as const;
