// Going on from one survivor when a majority of the voters' disks is gone for good (R-15 [ours]). Works on the folder of a
// stopped controller: what is found is told first; carrying it out is one synced batch of the database, then the durable-end
// note: a crash between leaves it done, or, where the disk had lost something, to be carried out again.
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Env } from '../env/env.ts';
import { EnvError } from '../env/error.ts';
import { decodeControlRecord, encodeControlRecord } from '../raft/control-record.ts';
import { batchEndOffset } from '../raft/log.ts';
import type { Batch, DurableState, QuorumState, Snapshot, Voter } from '../raft/types.ts';
import { sameReplica } from '../raft/vote-grant.ts';
import type { DurableEnd } from './durable-end.ts';
import { createDurableEnd, readDurableEnd } from './durable-end.ts';
import { latestVoters } from './opened-replica.ts';
import { SnapshotFolder } from './snapshot-folder.ts';
import { QuorumStorage } from './storage.ts';
import { loadedLogOf, whatWasLost } from './trust.ts';

/** no election that this replica did not hear of has come so far: its epochs meet none that others have led. */
export const RECOVERY_EPOCH_GAP = 1000;

export interface RecoveryFolder {
  /** metadata.log.dir. */
  readonly directory: string;
  readonly clusterId: Uuid;
  /** The replica that the folder belongs to, and where it listens. */
  readonly survivor: Voter;
}

export interface RecoveryFinding {
  readonly logStartOffset: Offset;
  readonly logEndOffset: Offset;
  /** Of the last record. */
  readonly lastEpoch: Epoch;
  /** Of the quorum state. */
  readonly leaderEpoch: Epoch;
  /** In force: the latest of the log, committed or not. */
  readonly voters: readonly Voter[];
  /** Everything below was surely committed: the end of the newest snapshot, 0 if there is none. */
  readonly committedEndOffset: Offset;
  /** What this disk lost of what it had, in a sentence; undefined if it lost nothing. */
  readonly lost: string | undefined;
  /**
   * `needed`: others vote too, or something was lost. `done`: this was carried out and nothing came after it. `pointless`: it is
   * the only voter already.
   */
  readonly recovery: 'needed' | 'done' | 'pointless';
}

/** A folder that is open, and locked, for recovery. */
export class Recovery {
  readonly finding: RecoveryFinding;
  readonly #env: Env;
  readonly #folder: RecoveryFolder;
  readonly #storage: QuorumStorage;

  private constructor(env: Env, folder: RecoveryFolder, storage: QuorumStorage, finding: RecoveryFinding) {
    this.#env = env;
    this.#folder = folder;
    this.#storage = storage;
    this.finding = finding;
  }

  /** Changes nothing. EnvError NOT_FOUND where there is no log, LOCKED while the node runs, CORRUPT where the log is damaged. */
  static async open(env: Env, folder: RecoveryFolder): Promise<Recovery> {
    const path = `${folder.directory}/metadata`;
    // Opening would make one.
    if (!(await env.disk.exists(path))) throw noLog(folder.directory);
    const storage = new QuorumStorage(await env.openStore(path));
    try {
      const stored = await storage.load();
      const durable = { ...stored, snapshots: await verifySnapshots(env, folder, stored.snapshots) };
      return new Recovery(env, folder, storage, await examine(env, folder, durable));
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  /**
   * Makes this replica the only voter of its log, durably; harmless when that is done. Returns the epoch in
   * which the log now ends.
   */
  async carryOut(): Promise<Epoch> {
    const { recovery, logEndOffset, lastEpoch, leaderEpoch } = this.finding;
    const { survivor } = this.#folder;
    const votedKey = { id: survivor.id, directoryId: survivor.directoryId };
    assert(recovery !== 'pointless', 'the only voter needs no recovery');
    if (recovery === 'done') {
      await this.#note({ logEndOffset, lastEpoch, leaderEpoch, votedKey });
      return lastEpoch;
    }
    const epoch = Math.max(lastEpoch, leaderEpoch) + RECOVERY_EPOCH_GAP;
    const batch = this.#batch(epoch);
    // Its own vote: nobody else may be voted for in an epoch in which it has written.
    const state: QuorumState = { leaderId: NO_NODE, leaderEpoch: epoch, votedKey };
    await this.#storage.write([...this.#storage.state(state), ...this.#storage.append([batch])]);
    await this.#note({ logEndOffset: batchEndOffset(batch), lastEpoch: epoch, leaderEpoch: epoch, votedKey });
    return epoch;
  }

  close(): Promise<void> {
    return this.#storage.close();
  }

  #batch(epoch: Epoch): Batch {
    const { survivor } = this.#folder;
    const { logEndOffset, voters, committedEndOffset } = this.finding;
    const recovery = encodeControlRecord({
      type: 'recovery',
      replica: { id: survivor.id, directoryId: survivor.directoryId },
      previousVoters: voters,
      committedEndOffset,
      timestampMs: this.#env.clock.wallTime(),
    });
    const alone = encodeControlRecord({ type: 'voters', voters: [survivor] });
    return { baseOffset: logEndOffset, epoch, control: true, records: [recovery, alone] };
  }

  /** Last: until then the note does not fit the log, unless nothing was lost. */
  #note(end: DurableEnd): Promise<void> {
    return createDurableEnd(this.#env.disk, this.#folder.directory, end);
  }
}

function noLog(directory: string): EnvError {
  return new EnvError(
    'NOT_FOUND',
    `there is no metadata log in ${directory}: nothing can be recovered from it; look at the other controllers, or correct metadata.log.dir`,
  );
}

/** a survivor without its snapshot has no state. */
async function verifySnapshots(
  env: Env,
  { directory, clusterId }: RecoveryFolder,
  catalogue: readonly Pick<Snapshot, 'id' | 'sizeBytes'>[],
): Promise<Snapshot[]> {
  const { disk, clock, logger } = env;
  const folder = new SnapshotFolder({ disk, clock, logger, clusterId, path: `${directory}/snapshots` });
  const snapshots: Snapshot[] = [];
  for (const { id, sizeBytes } of catalogue) {
    snapshots.push({ id, sizeBytes, voters: await folder.verify(folder.pathOf(id), id, sizeBytes) });
  }
  return snapshots;
}

async function examine(env: Env, folder: RecoveryFolder, durable: DurableState): Promise<RecoveryFinding> {
  const log = loadedLogOf(durable);
  const voters = latestVoters(durable);
  // R-0.3a: whoever has no voters has no log.
  if (voters === undefined) throw noLog(folder.directory);
  const lost = await lostOf(env, folder, durable);
  const last = durable.batches.at(-1);
  const isAlone = voters.length === 1 && voters.some((voter) => sameReplica(voter, folder.survivor));
  return {
    logStartOffset: log.logStartOffset,
    logEndOffset: log.logEndOffset,
    lastEpoch: last?.epoch ?? durable.snapshots.at(-1)?.id.epoch ?? 0,
    leaderEpoch: durable.quorumState?.leaderEpoch ?? 0,
    voters,
    committedEndOffset: durable.snapshots.at(-1)?.id.endOffset ?? 0,
    lost,
    recovery: isAlone && isRecovery(last) ? 'done' : isAlone && lost === undefined ? 'pointless' : 'needed',
  };
}

async function lostOf(env: Env, { directory }: RecoveryFolder, durable: DurableState): Promise<string | undefined> {
  const note = await readDurableEnd(env.disk, directory);
  if (typeof note !== 'string') return whatWasLost(note, loadedLogOf(durable));
  return `${directory}/durable-end is ${note}: whether this disk lost anything is not known`;
}

function isRecovery(batch: Batch | undefined): boolean {
  return batch?.control === true && batch.records.some((bytes) => decodeControlRecord(bytes)?.type === 'recovery');
}
