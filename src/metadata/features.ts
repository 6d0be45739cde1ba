// The metadata level, and who can follow which: what DescribeFeatures says, and what a higher level waits for.
import type { NodeId } from '../base/ids.ts';
import type { DescribeFeaturesResponse, NodeFeatures } from '../gen/kvorum/v1/admin.ts';
import type { MetadataImage } from './image.ts';
import { brokersInOrder } from './image.ts';
import { LATEST_METADATA_LEVEL, MIN_METADATA_LEVEL } from './record.ts';

/** What a controller said when it was asked. */
export interface ControllerLevels {
  readonly nodeId: NodeId;
  /** -1 where they are not known. */
  readonly minMetadataLevel: number;
  readonly maxMetadataLevel: number;
  /** Why they are not known; empty where they are. */
  readonly unknownReason: string;
}

/** Every registered broker by id, then every controller. */
export function featuresOf(image: MetadataImage, controllers: readonly ControllerLevels[]): NodeFeatures[] {
  const brokers = brokersInOrder(image).map(({ brokerId, minMetadataLevel, maxMetadataLevel }) => ({
    nodeId: brokerId,
    role: 'broker',
    unknownReason: '',
    minMetadataLevel,
    maxMetadataLevel,
  }));
  const others = controllers.toSorted((a, b) => a.nodeId - b.nodeId);
  return [...brokers, ...others.map((controller) => ({ ...controller, role: 'controller' }))];
}

export function describeFeatures(
  image: MetadataImage,
  controllers: readonly ControllerLevels[],
): DescribeFeaturesResponse {
  return {
    metadataLevel: image.level,
    minMetadataLevel: MIN_METADATA_LEVEL,
    maxMetadataLevel: LATEST_METADATA_LEVEL,
    nodes: featuresOf(image, controllers),
    metadataEndOffset: image.endOffset,
  };
}
