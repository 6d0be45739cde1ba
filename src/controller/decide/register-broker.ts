// A broker process joins (C-2.1 to C-2.4). The answer's broker epoch is the offset of the registration record, the last of its
// batch: what the predecessor led and was in sync for is taken from it before, in the same batch, or in batches before where that is
// much.

import { must } from '../../base/assert.ts';
import type { Offset } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { isUuid, LOST_DIRECTORY, ZERO_UUID } from '../../base/uuid.ts';
import type { RegisterBrokerRequest, RegisterBrokerResponse } from '../../gen/kvorum/v1/controller.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { LEDGER_LEVEL } from '../../metadata/level.ts';
import { MIN_METADATA_LEVEL, metadataRecord } from '../../metadata/record.ts';
import type { Leaving } from './broker-state.ts';
import { leave, MOVES_PER_BATCH } from './broker-state.ts';
import type { Decision, Refusal } from './decision.ts';
import { refuse } from './decision.ts';

export interface RegisterBrokerContext {
  readonly clusterId: Uuid;
  /** Whether the stored incarnation of this broker has a valid session. */
  readonly sessionValid: boolean;
  /** Partitions that its batch may move. */
  readonly limit?: number;
}

/** The predecessor has too many partitions for one batch: they are to be taken from it first, and then it is decided again. */
export interface PredecessorFirst {
  readonly predecessor: BrokerRegistration;
  readonly leaving: Leaving;
}

export function decideRegisterBroker(
  image: MetadataImage,
  request: RegisterBrokerRequest,
  context: RegisterBrokerContext,
): Decision<RegisterBrokerResponse> | Refusal | PredecessorFirst {
  const { brokerId, incarnationId, logDirs, endpoints, rack, bootCounter } = request;
  const stored = image.brokers.get(brokerId);
  const refusal =
    checkRequest(request, context.clusterId) ?? checkLevels(image, request) ?? checkDirectories(image, request);
  if (refusal !== undefined) return refusal;
  // C-2.3: a retry changes nothing.
  if (stored?.incarnationId === incarnationId)
    return { records: [], respond: () => ({ brokerEpoch: stored.brokerEpoch }) };
  const conflict = stored === undefined ? undefined : checkPredecessor(stored, request, context.sessionValid);
  if (conflict !== undefined) return conflict;
  // C-2.4. Clean or not, the new incarnation begins fenced, so that its leaderships end here either way (S-M6, D-0.7).
  const cleanStart = stored === undefined || request.previousBrokerEpoch === stored.brokerEpoch;
  const afterCrash = cleanStart && stored !== undefined && request.afterCrash && image.level >= LEDGER_LEVEL;
  const cause = `broker ${brokerId} restarted ${howText(cleanStart, request.afterCrash)}`;
  const leaving = { brokerId, cause, unclean: !cleanStart };
  const leaves =
    stored === undefined ? { records: [], isComplete: true } : leave(image, leaving, context.limit ?? MOVES_PER_BATCH);
  if (stored !== undefined && !leaves.isComplete) return { predecessor: stored, leaving };
  const { minMetadataLevel, maxMetadataLevel } = request;
  const levels = { minMetadataLevel, maxMetadataLevel };
  const registration = {
    brokerId,
    incarnationId,
    logDirs,
    endpoints,
    rack,
    bootCounter,
    cleanStart,
    afterCrash,
    ...levels,
  };
  const state = { inControlledShutdown: false, stateOffset: -1, stateTimestampMs: -1, stateCause: '' };
  return {
    records: [
      ...leaves.records,
      metadataRecord({ $case: 'registerBroker', registerBroker: { ...registration, ...state } }),
    ],
    respond: (after) => ({ brokerEpoch: brokerEpochIn(after, brokerId) }),
  };
}

function howText(cleanStart: boolean, afterCrash: boolean): string {
  if (!cleanStart) return 'after a crash that may have cost records';
  return afterCrash ? 'after a crash that cost nothing acknowledged' : 'after a clean stop';
}

function brokerEpochIn(image: MetadataImage, brokerId: number): Offset {
  return must(image.brokers.get(brokerId), 'a broker just registered').brokerEpoch;
}

function isId(id: string): boolean {
  return isUuid(id) && id !== ZERO_UUID && id !== LOST_DIRECTORY;
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

/** What the cluster writes must be understood by who joins it. Level 0: the cluster has not written anything yet. */
function checkLevels({ level }: MetadataImage, request: RegisterBrokerRequest): Refusal | undefined {
  const { brokerId } = request;
  const [min, max] = [request.minMetadataLevel, request.maxMetadataLevel].map((it) => Math.max(it, MIN_METADATA_LEVEL));
  if (min === undefined || max === undefined || level === 0 || (min <= level && level <= max)) return undefined;
  const knows = min === max ? `level ${min} only` : `levels ${min} to ${max} only`;
  const fix =
    level > max
      ? 'start it with the version that the other nodes run'
      : `start it with an older version, or raise the metadata level to ${min} by kvorum cluster upgrade`;
  return refuse(
    'INVALID_ARGUMENT',
    `broker ${brokerId} cannot be registered: the cluster is at metadata level ${level}, and this broker knows ${knows}: ${fix}`,
  );
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
  const sharesDirectory = stored.logDirs.length === 0 || request.logDirs.some((id) => stored.logDirs.includes(id));
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
