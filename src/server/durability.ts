// What topics and brokers are set to, as far as it decides what records survive: the committed metadata, and for brokers that it says
// nothing of this node's own file, as if all files said the same.
import type { NodeId } from '../base/ids.ts';
import { topicOverride, valueInForce } from '../config/in-force.ts';
import type { NodeValues } from '../config/node-keys.ts';
import { electionPolicyOf } from '../controller/decide/policy.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import { configsOf, topicEntity } from '../metadata/image.ts';
import type { DurabilityPolicy } from '../metadata/survival.ts';
import { brokerOverrides } from '../replica/broker-overrides.ts';

export function durabilityPolicy(image: MetadataImage, file: NodeValues): DurabilityPolicy {
  const elections = electionPolicyOf(image);
  const standards = new Map<NodeId, 'sync' | 'async'>();
  const standardOf = (brokerId: NodeId): 'sync' | 'async' => {
    const known = standards.get(brokerId) ?? valueInForce('log.flush.mode', brokerOverrides(image, brokerId), file);
    standards.set(brokerId, known);
    return known;
  };
  const modeOf = ({ name }: Pick<TopicImage, 'name'>) =>
    topicOverride('log.flush.mode', configsOf(image, topicEntity(name)));

  // C-2.4: a broker with any replica that is not synced cannot vouch for the others either after a power cut.
  let unsafe: Set<NodeId> | undefined;
  const brokersWithAsync = (): Set<NodeId> => {
    const found = new Set<NodeId>();
    for (const topic of image.topics.values()) {
      const own = modeOf(topic);
      if (own === 'sync') continue;
      for (const { replicas } of topic.partitions) {
        for (const id of replicas) if ((own ?? standardOf(id)) === 'async') found.add(id);
      }
    }
    return found;
  };
  return {
    minIsrOf: (name) => elections.minIsrOf(name),
    uncleanCause: (name) => elections.uncleanCause(name),
    isSynced: (name, brokerId) => (modeOf({ name }) ?? standardOf(brokerId)) === 'sync',
    isPowerSafe: (brokerId) => {
      unsafe ??= brokersWithAsync();
      return !unsafe.has(brokerId);
    },
  };
}
