// A node's folders: formatted once, verified and locked at each start. Every folder of a node says the same cluster and node.
import type { Uuid } from '../base/uuid.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { EnvError, EnvErrorCode } from '../env/error.ts';
import { isEnvError } from '../env/error.ts';
import { randomUuid } from '../env/random.ts';
import { isDiskFailure } from '../log/directory-health.ts';
import type { MetaProperties } from '../log/storage.ts';
import { readMetaProperties, StorageError, verifyMetaProperties, writeMetaProperties } from '../log/storage.ts';
import { createDurableEnd } from '../quorum/durable-end.ts';
import { StartError } from './start-error.ts';

/** Every folder of the node, each once: log.dirs, and metadata.log.dir if it is none of them. */
export function foldersOf(config: NodeConfig): string[] {
  return [...new Set([...config.logDirs, config.metadataLogDir])];
}

/**
 * Formats the folders that are not formatted yet; those that are must be of this cluster and node. Returns the folders that
 * were formatted now. StartError.
 */
export async function formatStorage(env: Env, config: NodeConfig, clusterId: Uuid): Promise<string[]> {
  const formatted: string[] = [];
  const missing: string[] = [];
  try {
    for (const folder of foldersOf(config)) {
      if ((await readMetaProperties(env.disk, folder)) === undefined) missing.push(folder);
      else await verifyMetaProperties(env.disk, folder, { nodeId: config.nodeId, clusterId });
    }
    for (const folder of missing) {
      const directoryId = randomUuid(env.random, 'storage.directory');
      // First: a folder counts as formatted from meta.properties on.
      if (folder === config.metadataLogDir) await formatMetadataFolder(env, folder);
      await writeMetaProperties(env.disk, folder, { clusterId, nodeId: config.nodeId, directoryId, version: 1 });
      formatted.push(folder);
    }
  } catch (error) {
    throw startErrorOf(error);
  }
  return formatted;
}

/** a metadata log without the identity that it was written under is nobody's. */
async function formatMetadataFolder(env: Env, folder: string): Promise<void> {
  for (const leftover of ['metadata', 'snapshots']) {
    if (!(await env.disk.exists(`${folder}/${leftover}`))) continue;
    throw new StartError(
      `${folder} is not formatted but holds ${leftover}, of another format: restore its meta.properties and durable-end, or remove ${leftover} to start without its data`,
    );
  }
  await env.disk.makeDirectory(folder);
  await createDurableEnd(env.disk, folder);
}

/**
 * The identity of the node's metadata folder; all folders belong to the same cluster and node. One whose disk fails is told of when it
 * is to be opened. StartError.
 */
export async function verifyStorage(env: Env, config: NodeConfig): Promise<MetaProperties> {
  const { nodeId } = config;
  try {
    const metadata = await verifyMetaProperties(env.disk, config.metadataLogDir, { nodeId });
    for (const folder of foldersOf(config)) {
      try {
        await verifyMetaProperties(env.disk, folder, { nodeId, clusterId: metadata.clusterId });
      } catch (error) {
        if (folder === config.metadataLogDir || !isOwnDisks(error)) throw error;
      }
    }
    return metadata;
  } catch (error) {
    throw startErrorOf(error);
  }
}

/** Whether it is about that log dir alone: its disk fails, or what it holds is damaged. */
export function isOwnDisks(error: unknown): error is EnvError {
  return isDiskFailure(error) || isEnvError(error, 'CORRUPT');
}

/** What an operator can do about it, where that follows from the code. */
const WAYS_OUT: Readonly<Partial<Record<EnvErrorCode, string>>> = {
  LOCKED: '; another process uses it: stop that one, or correct log.dirs and metadata.log.dir',
  ADDRESS_IN_USE: '; another process listens there: stop that one, or change listeners',
  ADDRESS_UNAVAILABLE: '; this machine has no such address: correct listeners',
  PERMISSION: '; give the user of this process access, or correct the configuration',
  NO_SPACE: '; free space on that disk',
  NEWER_FORMAT: ': start the release that wrote it, or a newer one',
};

/** What the disk or the network said, as a reason not to start; any other error is thrown as it is. */
export function startErrorOf(error: unknown, doing?: string): Error {
  if (error instanceof StartError) return error;
  if (error instanceof StorageError) return new StartError(error.message, error);
  if (isEnvError(error)) {
    const what = doing === undefined ? error.message : `${doing}: ${error.message}`;
    return new StartError(what + (WAYS_OUT[error.code] ?? ''), error);
  }
  return error instanceof Error ? error : new Error(String(error));
}
