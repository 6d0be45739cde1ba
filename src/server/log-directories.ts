// Opens the entries of log.dirs. One whose disk fails is offline, and the others serve (D-10.5); one that is not this node's, or in use,
// is a mistake of the operator's, and refuses the start.
import { assert } from '../base/assert.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { OfflineDirectory } from '../log/directory-health.ts';
import { LogDirectory } from '../log/log-directory.ts';
import { createLogShared } from '../log/log-shared.ts';
import type { MetaProperties } from '../log/storage.ts';
import { StartError } from './start-error.ts';
import { isOwnDisks, startErrorOf } from './storage.ts';

export interface LogDirectories {
  /** At least one: locked, this start counted. */
  readonly opened: readonly LogDirectory[];
  readonly offline: readonly OfflineDirectory[];
}

/** StartError if none can be opened; StorageError. `undo` closes what was opened. */
export async function openLogDirectories(
  env: Env,
  config: NodeConfig,
  meta: MetaProperties,
  undo: (() => Promise<void> | void)[],
): Promise<LogDirectories> {
  const { disk, clock, openStore } = env;
  const logger = env.logger.child({ component: 'log' });
  const deps = { disk, clock, logger, openStore, shared: createLogShared(config.values) };
  const opened: LogDirectory[] = [];
  const offline: OfflineDirectory[] = [];
  for (const path of config.logDirs) {
    try {
      const directory = await LogDirectory.open(deps, path, { nodeId: config.nodeId, clusterId: meta.clusterId });
      undo.push(async () => void (await directory.close(false, -1)));
      opened.push(directory);
    } catch (error) {
      if (!isOwnDisks(error)) throw error;
      offline.push({ path, failure: error });
    }
  }
  for (const [i, { path, meta }] of opened.entries()) {
    const twin = opened.slice(0, i).find((other) => other.meta.directoryId === meta.directoryId);
    if (twin === undefined) continue;
    throw new StartError(
      `${path} is a copy of ${twin.path}, both have directory.id ${meta.directoryId}: take the copy out of log.dirs`,
    );
  }
  const counted = await countAlike(opened, offline);
  if (counted.length === 0) throw noneLeft(offline);
  for (const { path, failure } of offline) {
    const fix =
      failure.code === 'NO_SPACE'
        ? 'free space on that disk, then start the broker again'
        : 'mend or replace that disk, or take it out of log.dirs, then start the broker again';
    logger.error('log-dir-offline', { path, reason: failure.message, fix });
  }
  return { opened: counted, offline };
}

/** C-2.2a: the count of starts goes on whichever of them is taken away. Returns those that could note it. */
async function countAlike(directories: readonly LogDirectory[], offline: OfflineDirectory[]): Promise<LogDirectory[]> {
  const bootCounter = Math.max(...directories.map((directory) => directory.bootCounter));
  const counted: LogDirectory[] = [];
  for (const directory of directories) {
    try {
      await directory.raiseBootCounter(bootCounter);
      counted.push(directory);
    } catch (error) {
      if (!isOwnDisks(error)) throw error;
      offline.push({ path: directory.path, failure: error });
      await directory.close(false, -1);
    }
  }
  return counted;
}

function noneLeft(offline: readonly OfflineDirectory[]): Error {
  const [first, ...others] = offline;
  assert(first !== undefined, 'a broker has a log dir');
  if (others.length === 0) return startErrorOf(first.failure);
  const reasons = offline.map(({ path, failure }) => `${path}: ${failure.message}`).join('; ');
  return new StartError(`no log dir can be opened: ${reasons}; mend a disk, or correct log.dirs`, first.failure);
}
