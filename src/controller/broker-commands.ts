// Commands about brokers that go on over several batches where a broker has many partitions: the first batches by a departure, then
// the command is decided again on what is left.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../gen/kvorum/v1/admin.ts';
import type {
  BrokerHeartbeatRequest,
  BrokerHeartbeatResponse,
  RegisterBrokerRequest,
  RegisterBrokerResponse,
} from '../gen/kvorum/v1/controller.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration } from '../metadata/image.ts';
import { ELR_LEVEL } from '../metadata/level.ts';
import type { Claim } from './claim.ts';
import { failDirectories, fence, leave, MOVES_PER_BATCH } from './decide/broker-state.ts';
import type { Decided } from './decide/decision.ts';
import { checkBrokerEpoch, decideHeartbeat } from './decide/heartbeat.ts';
import { decideRegisterBroker } from './decide/register-broker.ts';
import { decideUnregisterBroker } from './decide/unregister-broker.ts';
import type { Departure } from './departures.ts';
import type { Wait } from './deps.ts';

/** Fences a broker in as many batches as it takes (C-3.4). */
export function fencing({ brokerId, brokerEpoch }: BrokerRegistration, cause: string): Departure {
  return {
    brokerId,
    brokerEpoch,
    seenAs: { fenced: true },
    next: (image, broker) => fence(image, broker, cause),
  };
}

/** C-2.1 to C-2.4. */
export function registerBroker(
  claim: Claim,
  request: RegisterBrokerRequest,
  { clusterId, now }: { readonly clusterId: Uuid; readonly now: Ms },
): Decided<RegisterBrokerResponse> | Wait {
  const { working, sessions, departures } = claim;
  const sessionValid = sessions.isValid(request.brokerId, now);
  const decided = decideRegisterBroker(working, request, { clusterId, sessionValid });
  if (!('predecessor' in decided)) return decided;
  const until = departures.of(request.brokerId);
  if (until !== undefined) return { until };
  const { predecessor, leaving } = decided;
  const { brokerId, brokerEpoch } = predecessor;
  return {
    until: claim.depart({
      brokerId,
      brokerEpoch,
      seenAs: { fenced: true },
      // What is left then goes with the registration record (C-2.4): the predecessor stays as it is in the log until that is there.
      next: (image) => leave(image, leaving, MOVES_PER_BATCH),
    }),
  };
}

/** C-3.1 to C-3.6. The broker's life sign has been noted. */
export function heartbeat(claim: Claim, request: BrokerHeartbeatRequest): Decided<BrokerHeartbeatResponse> | Wait {
  const checked = checkBrokerEpoch(claim.working, request);
  if ('refused' in checked) return checked;
  const { brokerId } = request;
  // It is decided on as it is when it has gone: fenced, and perhaps unfenced again by this.
  const until = claim.departures.of(brokerId) ?? directoryFailure(claim, checked, request);
  if (until !== undefined) return { until };
  const { working, sessions } = claim;
  // Below that level the log cannot say which of its dirs a broker has left: it goes as a whole.
  const wantFence = request.wantFence || (working.level < ELR_LEVEL && hasFailed(checked, request));
  const decision = decideHeartbeat(
    working,
    { ...request, wantFence },
    {
      shutdownEndOffset: shutdownEndOffset(claim, checked),
      lowestActiveEndOffset: sessions.lowestActiveEndOffset(working),
    },
  );
  const { isComplete, fencedFor } = decision;
  if (!isComplete && fencedFor !== undefined) return { until: claim.depart(fencing(checked, fencedFor)) };
  if (decision.next === 'SHUTDOWN_NOW') sessions.end(brokerId);
  return decision;
}

/** These records of a heartbeat's were appended. */
export function noteMoves(
  { working, sessions, moves }: Claim,
  brokerId: NodeId,
  records: readonly MetadataRecord[],
): void {
  if (records.length === 0) return;
  moves.add(brokerId, records);
  if (working.brokers.get(brokerId)?.inControlledShutdown === true) sessions.movedUntil(brokerId, working.endOffset);
}

function hasFailed({ logDirs }: BrokerRegistration, { offlineLogDirs }: BrokerHeartbeatRequest): boolean {
  return logDirs.some((id) => offlineLogDirs.includes(id));
}

function directoryFailure(
  claim: Claim,
  broker: BrokerRegistration,
  request: BrokerHeartbeatRequest,
): Promise<void> | undefined {
  if (claim.working.level < ELR_LEVEL || !hasFailed(broker, request)) return undefined;
  const { brokerId, brokerEpoch, logDirs } = broker;
  const online = logDirs.filter((id) => !request.offlineLogDirs.includes(id));
  return claim.depart({
    brokerId,
    brokerEpoch,
    seenAs: { logDirs: online },
    next: (image) => failDirectories(image, broker, online),
  });
}

/** Where the broker's controlled shutdown has got to; 0 if it has not begun. */
function shutdownEndOffset(
  { working, sessions }: Claim,
  { brokerId, inControlledShutdown }: BrokerRegistration,
): Offset {
  return inControlledShutdown ? sessions.shutdownEndOffset(brokerId, working.endOffset) : 0;
}

/** C-2.6. `voterIds`: who may not be forgotten. */
export function unregisterBroker(
  claim: Claim,
  request: UnregisterBrokerRequest,
  { now, voterIds }: { readonly now: Ms; readonly voterIds: ReadonlySet<NodeId> },
): Decided<UnregisterBrokerResponse> | Wait {
  const { working, sessions, departures } = claim;
  const { brokerId } = request;
  const until = departures.of(brokerId);
  if (until !== undefined) return { until };
  const decided = decideUnregisterBroker(working, request, {
    sessionValid: sessions.isValid(brokerId, now),
    isVoter: voterIds.has(brokerId),
  });
  if (!('leaving' in decided)) return decided;
  const { leaving, brokerEpoch } = decided;
  const next: Departure['next'] = (image) => leave(image, leaving, MOVES_PER_BATCH);
  return { until: claim.depart({ brokerId, brokerEpoch, seenAs: { fenced: true }, next }) };
}
