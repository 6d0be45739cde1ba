// Changes of a registered broker's state, each one atomic batch with what follows for its partitions (C-3.3, C-3.4, C-3.6).
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import { brokerLeaves, brokerReturns } from './election.ts';

function change(
  { brokerId, brokerEpoch }: BrokerRegistration,
  fields: { readonly fenced?: boolean; readonly inControlledShutdown?: boolean },
  cause: string,
): MetadataRecord {
  return metadataRecord({ $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, ...fields, cause } });
}

/** C-3.4: out of every ISR, no leadership, fenced. */
export function fence(image: MetadataImage, broker: BrokerRegistration, cause: string): MetadataRecord[] {
  const leaves = brokerLeaves(image, broker.brokerId, `broker ${broker.brokerId} fenced`);
  return [...leaves, change(broker, { fenced: true }, cause)];
}

/** C-3.6. */
export function unfence(image: MetadataImage, broker: BrokerRegistration): MetadataRecord[] {
  const returns = brokerReturns(image, broker.brokerId, `broker ${broker.brokerId} unfenced`);
  return [change(broker, { fenced: false }, 'caught up with its registration'), ...returns];
}

/** C-3.3: it keeps serving until its leaders have moved, and is not eligible for anything any more. */
export function beginControlledShutdown(image: MetadataImage, broker: BrokerRegistration): MetadataRecord[] {
  const leaves = brokerLeaves(image, broker.brokerId, `broker ${broker.brokerId} shuts down`);
  return [change(broker, { inControlledShutdown: true }, 'asked to shut down'), ...leaves];
}
