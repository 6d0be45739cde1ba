// FindCoordinator: answered with a final error, so that a group or transactional client stops with a message, not hangs.
import type { ResponseInput } from '../../protocol/api.ts';
import type { FindCoordinatorRequest, findCoordinatorApi } from '../../protocol/apis/find-coordinator.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerContext, Call } from '../context.ts';

const TRANSACTION = 1;

export function findCoordinator(
  context: BrokerContext,
  request: FindCoordinatorRequest,
  call: Call,
): ResponseInput<typeof findCoordinatorApi> {
  const transactional = request.keyType === TRANSACTION;
  const errorMessage = transactional
    ? 'this version of Kvorum has no transactions: use an idempotent producer'
    : 'this version of Kvorum has no consumer groups: assign partitions yourself';
  const errorCode = transactional
    ? ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    : ErrorCode.GROUP_AUTHORIZATION_FAILED;
  const keys = call.apiVersion < 4 ? [request.key] : request.coordinatorKeys;
  context.logger.warn('coordinator-refused', { peer: call.peer, keys, reason: errorMessage });
  const nowhere = { nodeId: -1, host: '', port: -1 };
  if (call.apiVersion < 4) return { errorCode, errorMessage, ...nowhere };
  return { coordinators: keys.map((key) => ({ key, ...nowhere, errorCode, errorMessage })) };
}
