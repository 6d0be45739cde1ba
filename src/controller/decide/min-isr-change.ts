// What another min.insync.replicas means for ELRs (C-5.5, KAFKA-16540): with a lower one, records may be acknowledged that an ELR
// from before lacks, so ELRs go in the batch that changes the config, and leaders see both at once (C-10.1).
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';

/**
 * To be added to the batch that sets or removes min.insync.replicas of these topics; for the default of all brokers they are the
 * topics without a value of their own. Changes at most `limit` partitions; undefined: it would take more, and the change of the
 * config must be refused (C-0.6).
 *
 * **[ours]** An ELR stays where the ISR is empty: nothing can be acknowledged there before one of the ELR leads, which recomputes it,
 * and without it a clean election would become an unclean one.
 */
export function electionConfigChanged(
  image: MetadataImage,
  topics: Iterable<string>,
  limit: number,
): MetadataRecord[] | undefined {
  const records: MetadataRecord[] = [];
  for (const name of topics) {
    const topic = image.topics.get(image.topicIds.get(name) ?? '');
    if (topic === undefined) continue;
    for (let partition = 0; partition < topic.partitions.size; partition++) {
      const state = topic.partitions.get(partition);
      if (state === undefined || state.elr.length === 0 || state.isr.length === 0) continue;
      if (records.length === limit) return undefined;
      const elr = { replicas: [] };
      const cause = `min.insync.replicas of topic ${name} changed`;
      const partitionChange = { topicId: topic.topicId, partition, elr, cause };
      records.push(metadataRecord({ $case: 'partitionChange', partitionChange }));
    }
  }
  return records;
}
