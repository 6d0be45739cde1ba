// What topics say about elections: min.insync.replicas and unclean.leader.election.enable as committed in the metadata log (C-10.1,
// C-10.2), never as a node's own file has it, so that every controller decides alike.
import { TOPIC_KEYS } from '../../config/topic-keys.ts';
import type { ConfigEntity, MetadataImage } from '../../metadata/image.ts';
import { brokerEntity, topicEntity } from '../../metadata/image.ts';

export interface ElectionPolicy {
  /** min.insync.replicas of the topic, not capped at its replicas. */
  minIsrOf(topic: string): number;
  /** What allows an unclean election of the topic's partitions (C-5.7), for people; undefined: nothing does. */
  uncleanCause(topic: string): string | undefined;
}

const MIN_ISR = 'min.insync.replicas';
const UNCLEAN = 'unclean.leader.election.enable';

/** A topic's own config, else the default of all brokers, else the key table's. */
export function electionPolicyOf({ configs }: Pick<MetadataImage, 'configs'>): ElectionPolicy {
  const valueOf = (entity: ConfigEntity, key: string): string | undefined => configs.get(entity)?.get(key);
  const clusterDefault = brokerEntity();
  const minIsrDefault = valueOf(clusterDefault, MIN_ISR) ?? String(TOPIC_KEYS[MIN_ISR].key.default);
  const uncleanDefault = valueOf(clusterDefault, UNCLEAN) ?? String(TOPIC_KEYS[UNCLEAN].key.default);
  return {
    minIsrOf: (topic) => Number(valueOf(topicEntity(topic), MIN_ISR) ?? minIsrDefault),
    uncleanCause: (topic) => {
      const own = valueOf(topicEntity(topic), UNCLEAN);
      if (!isTrue(own ?? uncleanDefault)) return undefined;
      return own === undefined ? `the cluster's default of ${UNCLEAN}` : `${UNCLEAN} of topic ${topic}`;
    },
  };
}

/** Values are checked when they are set. */
function isTrue(value: string): boolean {
  return value.trim().toLowerCase() === 'true';
}
