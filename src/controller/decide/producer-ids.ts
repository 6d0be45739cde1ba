// Blocks of producer ids (C-9.3): an allocation is a record, so that blocks never overlap; an unanswered one is burnt.
import type { AllocateProducerIdsRequest, AllocateProducerIdsResponse } from '../../gen/kvorum/v1/controller.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Decision } from './decision.ts';

export const PRODUCER_ID_BLOCK_SIZE = 1000;

/** The request's broker epoch must have been checked. */
export function decideAllocateProducerIds(
  image: MetadataImage,
  { brokerId, brokerEpoch }: AllocateProducerIdsRequest,
): Decision<AllocateProducerIdsResponse> {
  const firstProducerId = image.nextProducerId;
  const nextProducerId = firstProducerId + PRODUCER_ID_BLOCK_SIZE;
  return {
    records: [metadataRecord({ $case: 'producerIds', producerIds: { brokerId, brokerEpoch, nextProducerId } })],
    respond: () => ({ firstProducerId, count: PRODUCER_ID_BLOCK_SIZE }),
  };
}
