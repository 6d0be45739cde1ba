// What another min.insync.replicas means for partitions (C-5.5, KAFKA-16540). With a smaller one their leaders acknowledge what those
// in the ELR do not have: ELRs end in the batch that changes the config, so that leaders see both at once (C-10.1). **[ours]** Where
// the ISR is empty nothing is acknowledged before one of the ELR leads, and that election goes by the new number: those stay.
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import { electionPolicyOf } from './policy.ts';

type Configs = Pick<MetadataImage, 'configs'>;

export const MIN_ISR_KEY = 'min.insync.replicas';

/** What follows for the topic where the cluster's configs become these. */
export function endElrs(topic: TopicImage, from: Configs, to: Configs): MetadataRecord[] {
  const { name, topicId, partitions } = topic;
  const [was, is] = [electionPolicyOf(from).minIsrOf(name), electionPolicyOf(to).minIsrOf(name)];
  if (was === is) return [];
  const cause = `${MIN_ISR_KEY} of topic ${name} changed from ${was} to ${is}`;
  const records: MetadataRecord[] = [];
  for (const [partition, { elr, isr }] of partitions.entries()) {
    if (elr.length === 0 || isr.length === 0) continue;
    const partitionChange = { topicId, partition, elr: { replicas: [] }, cause };
    records.push(metadataRecord({ $case: 'partitionChange', partitionChange }));
  }
  return records;
}
