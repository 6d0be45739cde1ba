// Raising the metadata level: once every registered broker and every voter can follow it, as a node that cannot stops at the first
// record of the new level (C-0.4). Never lowered: what was written at a level needs it.
import type { NodeId } from '../../base/ids.ts';
import type {
  ItemError,
  NodeFeatures,
  UpdateFeaturesRequest,
  UpdateFeaturesResponse,
} from '../../gen/kvorum/v1/admin.ts';
import { itemError } from '../../metadata/errors.ts';
import type { ControllerLevels } from '../../metadata/features.ts';
import { featuresOf } from '../../metadata/features.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { LATEST_METADATA_LEVEL, metadataRecord } from '../../metadata/record.ts';
import type { Decision } from './decision.ts';

export interface UpdateFeaturesContext {
  /** What the controllers said when they were asked, just before. */
  readonly controllers: readonly ControllerLevels[];
  /** The voters now. */
  readonly voters: readonly NodeId[];
}

export function decideUpdateFeatures(
  image: MetadataImage,
  request: UpdateFeaturesRequest,
  context: UpdateFeaturesContext,
): Decision<UpdateFeaturesResponse> {
  const { level } = image;
  const nodes = featuresOf(image, context.controllers);
  const wanted = request.metadataLevel === 0 ? Math.max(level, highestOfAll(nodes)) : request.metadataLevel;
  // The level in force is what was asked for: so a repetition finds it.
  const error = wanted === level ? undefined : objection(image, request, wanted, nodes, context);
  const records =
    error === undefined && wanted > level && !request.validateOnly
      ? [metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: wanted } })]
      : [];
  return {
    records,
    respond: (after) => ({
      error,
      metadataLevel: error === undefined ? wanted : level,
      metadataEndOffset: after.endOffset,
    }),
  };
}

/** The highest level that this node and everybody whose levels are known can follow. */
function highestOfAll(nodes: readonly NodeFeatures[]): number {
  const known = nodes.filter(({ unknownReason }) => unknownReason === '');
  return Math.min(LATEST_METADATA_LEVEL, ...known.map(({ maxMetadataLevel }) => maxMetadataLevel));
}

function objection(
  { level }: MetadataImage,
  { metadataLevel }: UpdateFeaturesRequest,
  wanted: number,
  nodes: readonly NodeFeatures[],
  { controllers, voters }: UpdateFeaturesContext,
): ItemError | undefined {
  if (metadataLevel < 0) {
    const message = `metadata_level is ${metadataLevel}: give a level above ${level}, or 0 for the highest that every node can follow`;
    return itemError('INVALID_REQUEST', message);
  }
  if (wanted < level) {
    const message = `metadata level ${level} is in force and is never lowered: what was written at it cannot be read at level ${wanted}`;
    return itemError('INVALID_UPDATE_VERSION', message);
  }
  if (wanted > LATEST_METADATA_LEVEL) {
    const message = `metadata_level is ${wanted}: the active controller can follow ${LATEST_METADATA_LEVEL} at most; run a newer version on every node first`;
    return itemError('INVALID_UPDATE_VERSION', message);
  }
  const unasked = voters.filter((id) => controllers.every(({ nodeId }) => nodeId !== id));
  const unknown = nodes.filter(({ unknownReason }) => unknownReason !== '');
  const unable = nodes.filter((node) => node.unknownReason === '' && !follows(node, wanted));
  const reasons = [
    ...unable.map(
      (node) => `${nameOf(node)} can follow levels ${node.minMetadataLevel} to ${node.maxMetadataLevel} alone`,
    ),
    ...unknown.map((node) => `what ${nameOf(node)} can follow is not known (${node.unknownReason})`),
    ...unasked.map((id) => `controller ${id} has become a voter only now`),
  ];
  if (reasons.length === 0) return undefined;
  const message = `metadata level ${wanted} needs every broker and voter to follow it, but ${reasons.join('; ')}: upgrade, start or remove those, then try again`;
  return itemError('FEATURE_UPDATE_FAILED', message);
}

function follows({ minMetadataLevel, maxMetadataLevel }: NodeFeatures, level: number): boolean {
  return minMetadataLevel <= level && level <= maxMetadataLevel;
}

function nameOf({ role, nodeId }: NodeFeatures): string {
  return `${role} ${nodeId}`;
}
