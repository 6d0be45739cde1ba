// What another min.insync.replicas means for partitions (C-5.5, KAFKA-16540). With a smaller one their leaders acknowledge what those
// in the ELR do not have: the ELR of each partition that is led ends with the change, in its batch. Without a leader nothing is
// acknowledged, whatever the number: who may lead then stays, and the election goes by the new one.
import { NO_NODE } from '../../base/ids.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import { electionPolicyOf } from './policy.ts';

/** `topic` undefined: of all topics. */
export function endElrs(
  image: MetadataImage,
  configs: { readonly from: MetadataImage['configs']; readonly to: MetadataImage['configs'] },
  topic: TopicImage | undefined,
): MetadataRecord[] {
  const before = electionPolicyOf({ configs: configs.from });
  const after = electionPolicyOf({ configs: configs.to });
  const records: MetadataRecord[] = [];
  for (const { name, topicId, partitions } of topic === undefined ? image.topics.values() : [topic]) {
    const [was, is] = [before.minIsrOf(name), after.minIsrOf(name)];
    if (was === is) continue;
    const cause = `min.insync.replicas of topic ${name} changed from ${was} to ${is}`;
    for (const [partition, { elr, leader }] of partitions.entries()) {
      if (elr.length === 0 || leader === NO_NODE) continue;
      const partitionChange = { topicId, partition, elr: { replicas: [] }, cause };
      records.push(metadataRecord({ $case: 'partitionChange', partitionChange }));
    }
  }
  return records;
}
