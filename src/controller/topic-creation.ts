// What creating topics needs of this node: its defaults, and new ids.
import { randomUuid } from '../env/random.ts';
import type { CreateTopicsContext } from './decide/create-topics.ts';
import type { ControllerDeps } from './deps.ts';

/** `maxReplicationFactor` as {@link CreateTopicsContext} has it. */
export function createTopicsContext(
  { env, config }: Pick<ControllerDeps, 'env' | 'config'>,
  maxReplicationFactor: number,
): CreateTopicsContext {
  return {
    defaultPartitions: config.values['num.partitions'],
    defaultReplicationFactor: config.values['default.replication.factor'],
    maxReplicationFactor,
    newTopicId: () => randomUuid(env.random, 'controller.topicId'),
  };
}
