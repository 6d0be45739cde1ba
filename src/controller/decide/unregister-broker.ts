// A broker is forgotten (C-2.6): one that is not coming back. Its replicas stay in the assignment of their partitions, as in Kafka; it
// goes out of every ISR and ELR first, and so is refused where that would take from a partition the last replica known to have every
// acknowledged record.
import type { NodeId, Offset } from '../../base/ids.ts';
import type { ItemError, UnregisterBrokerRequest, UnregisterBrokerResponse } from '../../gen/kvorum/v1/admin.ts';
import { itemError } from '../../metadata/errors.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Leaving } from './broker-state.ts';
import { leave, MOVES_PER_BATCH } from './broker-state.ts';
import type { Decision } from './decision.ts';

export interface UnregisterBrokerContext {
  /** Whether the broker has a valid session. */
  readonly sessionValid: boolean;
  /** Whether the node is a voter of the metadata quorum as well (KAFKA-20865). */
  readonly isVoter: boolean;
  /** Partitions that its batch may change. */
  readonly limit?: number;
}

/** It has too many partitions for one batch: they are to be taken from it first, and then it is decided again. */
export interface PartitionsFirst {
  readonly leaving: Leaving;
  readonly brokerEpoch: Offset;
}

export function decideUnregisterBroker(
  image: MetadataImage,
  { brokerId }: Pick<UnregisterBrokerRequest, 'brokerId'>,
  context: UnregisterBrokerContext,
): Decision<UnregisterBrokerResponse> | PartitionsFirst {
  const broker = image.brokers.get(brokerId);
  const error = broker === undefined ? notRegistered(brokerId) : objection(image, broker, context);
  const answer = (after: MetadataImage): UnregisterBrokerResponse => ({ error, metadataEndOffset: after.endOffset });
  if (broker === undefined || error !== undefined) return { records: [], respond: answer };
  const { brokerEpoch } = broker;
  const leaving = { brokerId, cause: `broker ${brokerId} unregistered`, unclean: true };
  const { records, isComplete } = leave(image, leaving, context.limit ?? MOVES_PER_BATCH);
  if (!isComplete) return { leaving, brokerEpoch };
  const forgets = metadataRecord({ $case: 'unregisterBroker', unregisterBroker: { brokerId, brokerEpoch } });
  return { records: [...records, forgets], respond: answer };
}

function notRegistered(brokerId: NodeId): ItemError {
  return itemError('BROKER_ID_NOT_REGISTERED', `broker ${brokerId} is not registered`);
}

function objection(
  image: MetadataImage,
  { brokerId, fenced }: BrokerRegistration,
  { sessionValid, isVoter }: UnregisterBrokerContext,
): ItemError | undefined {
  if (image.level < ELR_LEVEL) {
    const message = `broker ${brokerId} cannot be unregistered at metadata level ${image.level}: raise it to ${ELR_LEVEL} by kvorum cluster upgrade`;
    return itemError('INVALID_REQUEST', message);
  }
  if (isVoter) {
    const message = `broker ${brokerId} is a voter of the metadata quorum as well: remove it there first, by kvorum quorum remove-voter`;
    return itemError('INVALID_REQUEST', message);
  }
  if (!fenced) {
    const message = `broker ${brokerId} is in use: stop it first`;
    return itemError('INVALID_REQUEST', message);
  }
  if (sessionValid) {
    const message = `broker ${brokerId} was heard of just now: stop it, or wait until its session has expired`;
    return itemError('INVALID_REQUEST', message);
  }
  return lastCopies(image, brokerId);
}

/** Partitions of which it has the last replica that is known to be complete. */
function lastCopies(image: MetadataImage, brokerId: NodeId): ItemError | undefined {
  let count = 0;
  let example = '';
  for (const { name, partitions } of image.topics.values()) {
    partitions.forEach(({ isr, elr }, partition) => {
      const complete = [...isr, ...elr];
      if (complete.length !== 1 || complete[0] !== brokerId) return;
      count++;
      const found = `${name}-${partition}`;
      if (example === '' || found < example) example = found;
    });
  }
  if (count === 0) return undefined;
  const them = count === 1 ? `partition ${example}` : `${count} partitions (${example} is one)`;
  return itemError(
    'INVALID_REQUEST',
    `broker ${brokerId} has the last replica of ${them} that is known to be complete: bring it back, or delete those topics, or elect another leader uncleanly`,
  );
}
