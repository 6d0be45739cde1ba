// InitProducerId for idempotent producers: a new id with epoch 0 (behaviour 51). A transactional id is refused.
import type { ResponseInput } from '../../protocol/api.ts';
import type { InitProducerIdRequest, initProducerIdApi } from '../../protocol/apis/init-producer-id.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { BrokerContext, Call } from '../context.ts';

export async function initProducerId(
  context: BrokerContext,
  request: InitProducerIdRequest,
  call: Call,
): Promise<ResponseInput<typeof initProducerIdApi>> {
  if (request.transactionalId !== null) {
    context.logger.warn('transactions-refused', {
      peer: call.peer,
      transactionalId: request.transactionalId,
      reason: 'this version has no transactions: use an idempotent producer without a transactional id',
    });
    const errorCode = request.transactionalId === '' ? ErrorCode.INVALID_REQUEST : REFUSED;
    return { errorCode, producerEpoch: -1 };
  }
  const producerId = await context.producerIds.next();
  // Without a reachable controller: a coordinator that loads, which every client waits for.
  if (producerId === undefined) return { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, producerEpoch: -1 };
  return { errorCode: ErrorCode.NONE, producerId, producerEpoch: 0 };
}

/** Final for every client, and it says what the matter is: this user gets no transactional ids here. */
const REFUSED = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
