// Folders that are of no partition of this broker any more: moved aside, with their bytes (C-7.1).
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { partitionOf } from '../metadata/image.ts';

/** As the image has it. Ends early where `isOver`, or where the log dir fails. EnvError EXISTS. */
export async function moveStraysAside(
  directory: LogDirectory,
  image: MetadataImage,
  brokerId: NodeId,
  isOver: () => boolean,
): Promise<void> {
  for (const { topic, topicId, partition } of directory.partitions()) {
    if (isOver() || directory.health.failure !== undefined) return;
    if (isAssigned(image, topicId, partition, brokerId)) continue;
    try {
      await directory.moveAside(topic, partition);
    } catch (error) {
      if (directory.health.failure === undefined) throw error;
    }
  }
}

function isAssigned(image: MetadataImage, topicId: Uuid | undefined, partition: number, brokerId: NodeId): boolean {
  if (topicId === undefined) return false;
  return partitionOf(image, topicId, partition)?.replicas.includes(brokerId) ?? false;
}
