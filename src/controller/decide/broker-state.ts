// Changes of a registered broker's state with what follows for its partitions (C-3.3, C-3.4, C-3.6). Those of a broker with many
// partitions take several batches: whoever carries them out asks again on the image that the batch before left, until it is complete;
// the record of the broker itself is in the last batch, so that a claim that ends in between leaves a broker that is still to go.
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { BrokerChangeRecord, MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import { brokerLeaves, brokerReturns, directoriesFailed } from './affected-partitions.ts';
import { electionPolicyOf } from './policy.ts';

/** Partitions that one batch moves at most: some milliseconds of work, and far below what a batch may hold. */
export const MOVES_PER_BATCH = 500;

/** One atomic batch of a change; the change is not done before it `isComplete`. */
export interface Step {
  readonly records: readonly MetadataRecord[];
  readonly isComplete: boolean;
}

function change(
  { brokerId, brokerEpoch }: BrokerRegistration,
  fields: Pick<BrokerChangeRecord, 'fenced' | 'inControlledShutdown' | 'logDirs'>,
  cause: string,
): MetadataRecord {
  return metadataRecord({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, ...fields, cause } });
}

/** What is to go, why, and whether it may have lost records (C-2.4). */
export interface Leaving {
  readonly brokerId: NodeId;
  readonly cause: string;
  readonly unclean?: boolean;
}

/** Out of every ISR, no leadership; unclean: out of every ELR as well (C-2.4). */
export function leave(image: MetadataImage, { brokerId, cause, unclean = false }: Leaving, limit: number): Step {
  return brokerLeaves(image, electionPolicyOf(image), { brokerId, cause, unclean, limit });
}

/** C-3.4: out of every ISR, no leadership, fenced. */
export function fence(image: MetadataImage, broker: BrokerRegistration, cause: string, limit = MOVES_PER_BATCH): Step {
  const { brokerId } = broker;
  const { records, isComplete } = leave(image, { brokerId, cause: `broker ${brokerId} fenced: ${cause}` }, limit);
  return { records: isComplete ? [...records, change(broker, { fenced: true }, cause)] : records, isComplete };
}

/** C-3.6. Elections beyond the limit are left to the scan for leaderless partitions. */
export function unfence(image: MetadataImage, broker: BrokerRegistration, limit = MOVES_PER_BATCH): MetadataRecord[] {
  const { brokerId } = broker;
  const cause = `broker ${brokerId} unfenced`;
  const returns = brokerReturns(image, electionPolicyOf(image), { brokerId, cause, limit });
  return [change(broker, { fenced: false }, 'caught up with its registration'), ...returns];
}

/** C-3.3: the state first, from which on it is not eligible for anything; it serves until its leaders have moved. */
export function beginControlledShutdown(image: MetadataImage, broker: BrokerRegistration): MetadataRecord[] {
  const { records } = continueControlledShutdown(image, broker);
  return [change(broker, { inControlledShutdown: true }, 'asked to shut down'), ...records];
}

/** C-3.3: what it still leads or is in sync for. Complete without records: nothing any more. */
export function continueControlledShutdown(
  image: MetadataImage,
  { brokerId }: BrokerRegistration,
  limit = MOVES_PER_BATCH,
): Step {
  return leave(image, { brokerId, cause: `broker ${brokerId} shuts down` }, limit);
}

/** Log dirs went offline: `online` are those that are left. Their replicas leave, then the dirs are not the broker's any more. */
export function failDirectories(
  image: MetadataImage,
  broker: BrokerRegistration,
  online: readonly Uuid[],
  limit = MOVES_PER_BATCH,
): Step {
  const { brokerId, logDirs } = broker;
  const failed = logDirs.filter((id) => !online.includes(id));
  const cause = `log dir ${failed.join(', ')} of broker ${brokerId} failed`;
  const policy = electionPolicyOf(image);
  const { records, isComplete } = directoriesFailed(image, policy, { brokerId, logDirs: online, cause, limit });
  if (!isComplete) return { records, isComplete };
  return { records: [...records, change(broker, { logDirs: { directories: [...online] } }, cause)], isComplete };
}
