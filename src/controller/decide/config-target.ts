// Whose configs a request means: a topic, a broker, or all brokers.
import type { ConfigResource, ItemError } from '../../gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { ConfigEntity, MetadataImage, TopicImage } from '../../metadata/image.ts';
import { brokerEntity, topicByName, topicEntity } from '../../metadata/image.ts';

export interface ConfigTarget {
  readonly entity: ConfigEntity;
  readonly scope: ConfigScope;
  /** As records have it: the topic, or the broker as text, empty for all. */
  readonly name: string;
  /** Set for a topic. */
  readonly topic: TopicImage | undefined;
  /** For people, e.g. topic 'orders', broker 4, all brokers. */
  readonly text: string;
}

interface NoTarget {
  readonly entity: undefined;
  readonly error: ItemError;
}

/** What the resource stands for, if that is there: the topic exists, the broker is registered. */
export function configTarget(image: MetadataImage, resource: ConfigResource | undefined): ConfigTarget | NoTarget {
  switch (resource?.scope) {
    case ConfigScope.TOPIC:
      return topicTarget(image, resource.name);
    case ConfigScope.BROKER:
      return brokerTarget(image, resource.name);
    default:
      return none(itemError('INVALID_REQUEST', 'a resource has a scope, topic or broker, and a name'));
  }
}

function none(error: ItemError): NoTarget {
  return { entity: undefined, error };
}

function topicTarget(image: MetadataImage, name: string): ConfigTarget | NoTarget {
  const topic = topicByName(image, name);
  if (topic === undefined) return none(itemError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`));
  return { entity: topicEntity(name), scope: ConfigScope.TOPIC, name, topic, text: `topic '${name}'` };
}

function brokerTarget(image: MetadataImage, name: string): ConfigTarget | NoTarget {
  const scope = ConfigScope.BROKER;
  if (name === '') return { entity: brokerEntity(), scope, name, topic: undefined, text: 'all brokers' };
  if (!/^(0|[1-9]\d{0,9})$/.test(name)) {
    return none(itemError('INVALID_REQUEST', `'${name}' is not a broker: use its id, or nothing for all brokers`));
  }
  const brokerId = Number(name);
  if (!image.brokers.has(brokerId)) {
    return none(
      itemError('BROKER_ID_NOT_REGISTERED', `no broker ${brokerId} is registered; there are ${listed(image)}`),
    );
  }
  return { entity: brokerEntity(brokerId), scope, name, topic: undefined, text: `broker ${brokerId}` };
}

function listed({ brokers }: MetadataImage): string {
  const ids = [...brokers.keys()].sort((a, b) => a - b);
  return ids.length === 0 ? 'none' : ids.length > 20 ? `${ids.slice(0, 20).join(', ')}, …` : ids.join(', ');
}
