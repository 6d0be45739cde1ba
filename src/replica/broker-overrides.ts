// What the committed metadata sets for a broker, for config/in-force.ts.
import type { NodeId } from '../base/ids.ts';
import type { BrokerOverrides } from '../config/in-force.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { brokerEntity, configsOf } from '../metadata/image.ts';

export function brokerOverrides(image: MetadataImage, brokerId: NodeId): BrokerOverrides {
  return { broker: configsOf(image, brokerEntity(brokerId)), cluster: configsOf(image, brokerEntity()) };
}
