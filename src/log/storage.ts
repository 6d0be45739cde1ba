// `meta.properties`: whose log directory this is. Written once, when the directory is formatted; a directory without one,
// or with another's, is not used. Each refusal is one sentence with the way out.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { isUuid } from '../base/uuid.ts';
import { parseProperties } from '../config/properties.ts';
import type { Disk } from '../env/disk.ts';
import { writeFileDurably } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import type { OpenStore, Store } from '../env/store.ts';

const FILE = 'meta.properties';
const VERSION = 1;

export interface MetaProperties {
  readonly clusterId: Uuid;
  readonly nodeId: NodeId;
  /** Random per format: a re-formatted directory is another replica. */
  readonly directoryId: Uuid;
  readonly version: 1;
}

export type StorageProblem =
  | 'unformatted'
  | 'malformed'
  | 'newer-version'
  | 'foreign-cluster'
  | 'foreign-node'
  | 'locked';

/** Why a log directory cannot be used by this node, in a sentence for the operator. */
export class StorageError extends Error {
  override name = 'StorageError';
  readonly problem: StorageProblem;

  constructor(problem: StorageProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.problem = problem;
  }
}

/** Undefined if the directory (or the file in it) does not exist. StorageError malformed, newer-version. */
export async function readMetaProperties(disk: Disk, directory: string): Promise<MetaProperties | undefined> {
  const path = `${directory}/${FILE}`;
  let text: string;
  try {
    text = (await disk.readFile(path)).toString('utf8');
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
  return parseMetaProperties(path, text);
}

function parseMetaProperties(path: string, text: string): MetaProperties {
  const entries = parseOrRefuse(path, text);
  const version = entries.get('version') ?? '';
  if (/^\d+$/.test(version) && Number(version) > VERSION) {
    throw new StorageError(
      'newer-version',
      `${path} has version ${version}, this release of Kvorum knows ${VERSION}: start the release that wrote it, or a newer one`,
    );
  }
  const [clusterId, nodeId, directoryId] = [
    entries.get('cluster.id'),
    entries.get('node.id'),
    entries.get('directory.id'),
  ];
  const wrong =
    version !== String(VERSION)
      ? 'version'
      : clusterId === undefined || clusterId === ''
        ? 'cluster.id'
        : !/^\d{1,10}$/.test(nodeId ?? '')
          ? 'node.id'
          : directoryId === undefined || !isUuid(directoryId)
            ? 'directory.id'
            : undefined;
  if (wrong !== undefined) throw malformed(path, `${wrong} is missing or malformed`);
  return { clusterId: clusterId as Uuid, nodeId: Number(nodeId), directoryId: directoryId as Uuid, version: VERSION };
}

function parseOrRefuse(path: string, text: string): Map<string, string> {
  try {
    return parseProperties(text);
  } catch (error) {
    if (error instanceof RangeError) throw malformed(path, error.message);
    throw error;
  }
}

function malformed(path: string, why: string): StorageError {
  return new StorageError(
    'malformed',
    `${path} cannot be understood: ${why}; restore the file, or empty the directory and format it again to start without its data`,
  );
}

/** Formats the directory, which is created if missing. Durable when it resolves. */
export async function writeMetaProperties(disk: Disk, directory: string, meta: MetaProperties): Promise<void> {
  await disk.makeDirectory(directory);
  const lines = [
    `cluster.id=${meta.clusterId}`,
    `directory.id=${meta.directoryId}`,
    `node.id=${meta.nodeId}`,
    `version=${meta.version}`,
  ];
  await writeFileDurably(disk, `${directory}/${FILE}`, Buffer.from(`${lines.join('\n')}\n`));
}

/** What the directory must say. The cluster id may not be known yet. */
export interface ExpectedOwner {
  readonly nodeId: NodeId;
  readonly clusterId?: Uuid;
}

/** The properties of a directory that this node may use. StorageError else. */
export async function verifyMetaProperties(
  disk: Disk,
  directory: string,
  expected: ExpectedOwner,
): Promise<MetaProperties> {
  const meta = await readMetaProperties(disk, directory);
  if (meta === undefined) {
    throw new StorageError(
      'unformatted',
      `${directory} is not formatted: there is no ${FILE}; mount its disk if that is missing, or, for a new and empty one, run 'kvorum format' with this node's configuration first`,
    );
  }
  if (expected.clusterId !== undefined && meta.clusterId !== expected.clusterId) {
    throw new StorageError(
      'foreign-cluster',
      `${directory} belongs to cluster ${meta.clusterId}, not to ${expected.clusterId}: set log.dirs to this cluster's directory, or format an empty one`,
    );
  }
  if (meta.nodeId !== expected.nodeId) {
    throw new StorageError(
      'foreign-node',
      `${directory} belongs to node ${meta.nodeId}, not to node ${expected.nodeId}: correct node.id or log.dirs, or format an empty directory`,
    );
  }
  return meta;
}

/** Opens the directory's Store, whose lock is the directory's. StorageError if another process has it; EnvError. */
export async function lockDirectory(openStore: OpenStore, path: string): Promise<Store> {
  try {
    return await openStore(`${path}/checkpoints`);
  } catch (error) {
    if (!isEnvError(error, 'LOCKED')) throw error;
    throw new StorageError(
      'locked',
      `${path} is in use by another process: stop that one, or set log.dirs to another directory`,
      error,
    );
  }
}
