// What topics say about elections: min.insync.replicas and unclean.leader.election.enable as committed in the metadata log (C-10.1,
// C-10.2), never as a node's own file has it, so that every controller decides alike.
import type { Overrides } from '../../config/in-force.ts';
import { NO_OVERRIDES, topicOverride, validValue } from '../../config/in-force.ts';
import { NODE_KEYS } from '../../config/node-keys.ts';
import type { MetadataImage } from '../../metadata/image.ts';
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
  const topicConfigs = (topic: string): Overrides => configs.get(topicEntity(topic)) ?? NO_OVERRIDES;
  const cluster: Overrides = configs.get(brokerEntity()) ?? NO_OVERRIDES;
  const minIsr = validValue(MIN_ISR, NODE_KEYS[MIN_ISR], cluster.get(MIN_ISR)) ?? NODE_KEYS[MIN_ISR].default;
  const unclean = validValue(UNCLEAN, NODE_KEYS[UNCLEAN], cluster.get(UNCLEAN)) ?? NODE_KEYS[UNCLEAN].default;
  return {
    minIsrOf: (topic) => topicOverride(MIN_ISR, topicConfigs(topic)) ?? minIsr,
    uncleanCause: (topic) => {
      const own = topicOverride(UNCLEAN, topicConfigs(topic));
      if (!(own ?? unclean)) return undefined;
      return own === undefined ? `${UNCLEAN} of all brokers` : `${UNCLEAN} of topic ${topic}`;
    },
  };
}
