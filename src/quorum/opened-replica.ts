// Opening what a replica keeps in its metadata log folder: the database, the snapshots, the note of what is durable. Everything is
// verified before the replica takes part in anything.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Env } from '../env/env.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import { votersOf } from '../raft/log.ts';
import type { DurableState, Voter } from '../raft/types.ts';
import { DurableEndNote } from './durable-end.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import { QuorumStorage } from './storage.ts';
import { loadedLogOf, verifyNothingLost } from './trust.ts';

export interface OpenedReplica {
  readonly storage: QuorumStorage;
  readonly folder: SnapshotFolder;
  readonly note: DurableEndNote;
  readonly durable: DurableState;
  /** Latest in the log or its snapshots, committed or not; undefined while nobody ever led (R-0.3a). */
  readonly voters: readonly Voter[] | undefined;
}

export interface OpenOptions {
  /** metadata.log.dir. */
  readonly directory: string;
  readonly clusterId: Uuid;
  /** The note cannot be written any more: fatal. */
  readonly noteFailed: (error: unknown) => void;
}

/** EnvError LOCKED, CORRUPT, IO, each with the reason and the way out. */
export async function openReplica(env: Env, logger: Logger, options: OpenOptions): Promise<OpenedReplica> {
  const { directory, clusterId } = options;
  const { disk, clock } = env;
  const note = await DurableEndNote.open(env, directory, options.noteFailed);
  let storage: QuorumStorage | undefined;
  try {
    storage = new QuorumStorage(await env.openStore(`${directory}/metadata`));
    const stored = await storage.load();
    const folder = new SnapshotFolder({ disk, clock, logger, clusterId, path: `${directory}/snapshots` });
    const durable = { ...stored, snapshots: await folder.load(stored.snapshots) };
    verifyNothingLost(directory, note.found, loadedLogOf(durable));
    return { storage, folder, note, durable, voters: latestVoters(durable) };
  } catch (error) {
    await storage?.close();
    await note.close();
    throw error;
  }
}

/** The voter set that the log or, where its records do not tell, the newest snapshot names. */
export function latestVoters({ batches, snapshots }: DurableState): readonly Voter[] | undefined {
  for (let i = batches.length - 1; i >= 0; i--) {
    const batch = batches[i];
    const voters = batch === undefined ? undefined : votersOf(batch);
    if (voters !== undefined) return voters;
  }
  return snapshots.at(-1)?.voters;
}

/** The ids that the core may call: those that the log names, found by now or not, and those that were found. */
export function voterIdsOf(voters: readonly Voter[] | undefined, found: Iterable<NodeId>): NodeId[] {
  return [...new Set([...(voters ?? []).map(({ id }) => id), ...found])].sort((a, b) => a - b);
}

/** why a node that cannot write its log stops, and what to do. */
export function writeFailure(directory: string, error: unknown): string {
  const what = `the metadata log in ${directory} cannot be written`;
  if (isEnvError(error, 'NO_SPACE')) {
    return `${what}: the disk is full; free space on the disk of ${directory} and start this node again`;
  }
  const reason = error instanceof Error ? `: ${error.message}` : '';
  return `${what}${reason}; check the disk of ${directory}, then start this node again`;
}
