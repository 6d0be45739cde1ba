// A broker process joins (C-2.1 to C-2.4). The answer's broker epoch is the offset of the registration record, the last of its
// batch: what the predecessor led and was in sync for is taken from it before.

import { must } from '../../base/assert.ts';
import type { Offset } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { isUuid, ZERO_UUID } from '../../base/uuid.ts';
import type { RegisterBrokerRequest, RegisterBrokerResponse } from '../../gen/kvorum/v1/controller.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Decided, Refusal } from './decision.ts';
import { refuse } from './decision.ts';
import { brokerLeaves } from './election.ts';

export interface RegisterBrokerContext {
  readonly clusterId: Uuid;
  /** Whether the stored incarnation of this broker has a valid session. */
  readonly sessionValid: boolean;
}

export function decideRegisterBroker(
  image: MetadataImage,
  request: RegisterBrokerRequest,
  context: RegisterBrokerContext,
): Decided<RegisterBrokerResponse> {
  const { brokerId, incarnationId, logDirs, endpoints, rack, bootCounter } = request;
  const stored = image.brokers.get(brokerId);
  const refusal = checkRequest(request, context.clusterId) ?? checkDirectories(image, request);
  if (refusal !== undefined) return refusal;
  // C-2.3: a retry changes nothing.
  if (stored?.incarnationId === incarnationId)
    return { records: [], respond: () => ({ brokerEpoch: stored.brokerEpoch }) };
  const conflict = stored === undefined ? undefined : checkPredecessor(stored, request, context.sessionValid);
  if (conflict !== undefined) return conflict;
  // C-2.4. Clean or not, the new incarnation begins fenced, so that its leaderships end here either way (S-M6, D-0.7).
  const cleanStart = stored === undefined || request.previousBrokerEpoch === stored.brokerEpoch;
  const cause = `broker ${brokerId} restarted ${cleanStart ? 'cleanly' : 'uncleanly'}`;
  const leaves = stored === undefined ? [] : brokerLeaves(image, brokerId, cause);
  const { minMetadataLevel, maxMetadataLevel } = request;
  const levels = { minMetadataLevel, maxMetadataLevel };
  const registration = { brokerId, incarnationId, logDirs, endpoints, rack, bootCounter, cleanStart, ...levels };
  const state = { inControlledShutdown: false, stateOffset: -1, stateTimestampMs: -1, stateCause: '' };
  return {
    records: [...leaves, metadataRecord({ $case: 'registerBroker', registerBroker: { ...registration, ...state } })],
    respond: (after) => ({ brokerEpoch: brokerEpochIn(after, brokerId) }),
  };
}

function brokerEpochIn(image: MetadataImage, brokerId: number): Offset {
  return must(image.brokers.get(brokerId), 'a broker just registered').brokerEpoch;
}

function isId(id: string): boolean {
  return isUuid(id) && id !== ZERO_UUID;
}

function checkRequest(request: RegisterBrokerRequest, clusterId: Uuid): Refusal | undefined {
  const { brokerId, incarnationId, logDirs, endpoints, bootCounter } = request;
  if (request.clusterId !== clusterId) {
    return refuse(
      'INVALID_ARGUMENT',
      `broker ${brokerId} is formatted for cluster '${request.clusterId}', and its controllers are of cluster '${clusterId}': ` +
        'correct controller.quorum.voters, or format empty log.dirs for that cluster',
    );
  }
  const problem =
    brokerId < 0
      ? 'its id is negative'
      : !isId(incarnationId)
        ? `'${incarnationId}' is not an incarnation id`
        : logDirs.length === 0 || !logDirs.every(isId) || new Set(logDirs).size !== logDirs.length
          ? `[${logDirs.join(', ')}] are not the ids of its log dirs`
          : endpoints.length === 0
            ? 'it has no endpoint'
            : bootCounter < 1
              ? `${bootCounter} is not a boot counter`
              : undefined;
  return problem === undefined
    ? undefined
    : refuse('INVALID_ARGUMENT', `broker ${brokerId} cannot be registered: ${problem}`);
}

/** A directory belongs to one broker: a copied folder or a wrong node.id must not become a second owner of its data. */
function checkDirectories(image: MetadataImage, { brokerId, logDirs }: RegisterBrokerRequest): Refusal | undefined {
  for (const other of image.brokers.values()) {
    const shared = other.brokerId === brokerId ? undefined : other.logDirs.find((id) => logDirs.includes(id));
    if (shared === undefined) continue;
    return refuse(
      'INVALID_ARGUMENT',
      `broker ${brokerId} cannot be registered: its log dir ${shared} belongs to broker ${other.brokerId}`,
    );
  }
  return undefined;
}

function checkPredecessor(
  stored: BrokerRegistration,
  request: RegisterBrokerRequest,
  sessionValid: boolean,
): Refusal | undefined {
  const { brokerId, bootCounter } = request;
  // Folders are locked, so the later start on a shared folder proves that the earlier process is gone.
  const sharesDirectory = request.logDirs.some((id) => stored.logDirs.includes(id));
  if (sharesDirectory && bootCounter <= stored.bootCounter) {
    return refuse(
      'ABORTED', // C-2.2a
      `broker ${brokerId} cannot be registered: start ${stored.bootCounter} of it is, and this is start ${bootCounter}`,
    );
  }
  if (sharesDirectory || !sessionValid) return undefined; // C-2.2b
  return refuse(
    'ALREADY_EXISTS', // C-2.2
    `broker ${brokerId} cannot be registered: another process with this node.id and other log dirs is alive`,
  );
}
