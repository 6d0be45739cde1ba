// Folders of partitions in a log directory: `<topic>-<partition>`, with the topic's id in `partition.metadata` (Kafka's
// text). A folder that is to be deleted or was moved aside has a suffix instead of a partition number at its end.
import type { Uuid } from '../base/uuid.ts';
import { isUuid } from '../base/uuid.ts';
import type { Disk } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import { writeFully } from './batch-scan.ts';

const METADATA_FILE = 'partition.metadata';
/** Of a file name on the usual file systems, in bytes. */
const MAX_NAME_BYTES = 255;

export interface PartitionFolder {
  readonly topic: string;
  readonly partition: number;
  /** Undefined if the folder has no readable `partition.metadata`: its creation was cut short. */
  readonly topicId: Uuid | undefined;
}

export function folderName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

/** Undefined for a name that is no partition's. */
export function parseFolderName(name: string): { topic: string; partition: number } | undefined {
  const match = /^([a-zA-Z0-9._-]{1,249})-(0|[1-9]\d{0,8})$/.exec(name);
  return match === null ? undefined : { topic: match[1] as string, partition: Number(match[2]) };
}

/** The name under which a folder waits for its removal, or lies aside. `unique` makes it so. */
export function renamedFolder(name: string, unique: string, what: 'delete' | 'stray'): string {
  const suffix = `.${unique}-${what}`;
  return name.slice(0, MAX_NAME_BYTES - suffix.length) + suffix;
}

export function isDeletedFolder(name: string): boolean {
  return name.endsWith('-delete');
}

/** Into a new folder. The file's content is durable when it resolves, its name with the next sync of the folder. */
export async function writePartitionMetadata(disk: Disk, folder: string, topicId: Uuid): Promise<void> {
  const file = await disk.open(`${folder}/${METADATA_FILE}`, 'write');
  try {
    await file.truncate(0);
    writeFully(file, Buffer.from(`version: 0\ntopic_id: ${topicId}\n`), 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Undefined if there is no such file or it makes no sense. */
export async function readPartitionMetadata(disk: Disk, folder: string): Promise<Uuid | undefined> {
  try {
    const text = (await disk.readFile(`${folder}/${METADATA_FILE}`)).toString('utf8');
    const topicId = /^version: 0\s+topic_id: (\S+)\s*$/.exec(text)?.[1];
    return topicId !== undefined && isUuid(topicId) ? topicId : undefined;
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
