// HoldSession: a stream that a broker holds to the active controller. That it breaks is the first sign of the broker's death; what
// follows from it is decided by its session.
import type { RpcStreamContext } from '../env/network.ts';
import type { HoldSessionRequest, HoldSessionResponse } from '../gen/kvorum/v1/controller.ts';
import type { Claim } from './claim.ts';
import { refusalError } from './decide/decision.ts';
import { checkBrokerEpoch } from './decide/heartbeat.ts';
import type { CommandRunner } from './deps.ts';

export type SessionHolder = Pick<CommandRunner, 'notActive' | 'present' | 'connectionBroke'>;

/** RpcError FAILED_PRECONDITION when this is not the active controller (any more), ABORTED for another broker epoch. */
export async function* holdSession(
  controller: SessionHolder,
  request: HoldSessionRequest,
  { signal }: Pick<RpcStreamContext, 'signal'>,
): AsyncGenerator<HoldSessionResponse> {
  const claim = controller.present();
  if (claim === undefined) throw controller.notActive();
  const checked = checkBrokerEpoch(claim.working, request);
  if ('refused' in checked) throw refusalError(checked);
  const { brokerId, brokerEpoch } = request;
  const connection = {};
  claim.sessions.connected(brokerId, brokerEpoch, connection);
  try {
    yield {};
    await over(claim, signal);
  } finally {
    // The reader who leaves, in whatever way, ends this.
    if (!claim.isOver) controller.connectionBroke(claim, brokerId, connection);
  }
  if (claim.isOver) throw controller.notActive();
}

/** Resolves when the claim is over, or nobody listens any more. */
function over(claim: Claim, signal: AbortSignal): Promise<void> {
  if (signal.aborted || claim.isOver) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      forget();
      signal.removeEventListener('abort', end);
      resolve();
    };
    signal.addEventListener('abort', end);
    const forget = claim.whenOver(end);
  });
}
