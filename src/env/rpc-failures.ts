// Failures of calls that had no effect, with the detail that says so.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { RpcStatus } from './network.ts';
import { RpcError } from './network.ts';

/** The request is wrong in itself; `field` is its name in the message, `command.client_id` where it lies deeper. */
export function invalidArgument(field: string, message: string): RpcError {
  return undone('INVALID_ARGUMENT', `INVALID_${field}`, message);
}

/** `reason` as FailureDetail has it; `controllerId`: the active controller, where it is known. */
export function undone(status: RpcStatus, reason: string, message: string, controllerId: NodeId = NO_NODE): RpcError {
  return new RpcError(status, message, undefined, { reason, mayTakeEffect: false, controllerId });
}
