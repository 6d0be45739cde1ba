// What creating topics needs of this node: its defaults, and new ids.
import { randomUuid } from '../env/random.ts';
import type { CreateTopicsContext } from './decide/create-topics.ts';
import type { ControllerDeps } from './deps.ts';

export function createTopicsContext({ env, config }: Pick<ControllerDeps, 'env' | 'config'>): CreateTopicsContext {
  return {
    defaultPartitions: config.values['num.partitions'],
    defaultReplicationFactor: config.values['default.replication.factor'],
    newTopicId: () => randomUuid(env.random, 'controller.topicId'),
  };
}
