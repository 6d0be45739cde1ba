// The note of a failed sync. After one the page cache may hold, as clean, what the disk does not have: a later sync succeeds
// and makes nothing durable. Only a process that comes after, on a machine that was not started again in between, can be deceived:
// a power cut empties the page cache, and reads tell what the disk has. So the note is a file that is written and never synced: it
// lives exactly as long as that page cache, and needs no disk that works. Where it lies, recovery writes what it found again.
// A write-back that failed in the background, unseen by any sync, is told by the next sync of the file, also in a later process
// (Linux: errseq); nobody needs a note of that.
import type { Disk, DiskFile } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';

function notePath(directory: string): string {
  return `${directory}/failed-sync`;
}

/** Leaves the note in a partition's folder, at once. Nothing is left where the file system takes no files any more: read-only. */
export function noteFailedSync(disk: Disk, directory: string): void {
  try {
    // Of this file only the name counts, and that is there.
    disk
      .openNow(notePath(directory), 'write')
      .close()
      .catch(() => undefined);
  } catch (error) {
    // The failure that is to be noted is being told already.
    if (!(error instanceof EnvError)) throw error;
  }
}

/** Whether a sync in this folder failed since it was last recovered. */
export function hasFailedSync(disk: Disk, directory: string): Promise<boolean> {
  return disk.exists(notePath(directory));
}

/** Once everything was written again and synced. Should it come back after a power cut, that is done once more. */
export function forgetFailedSync(disk: Disk, directory: string): Promise<void> {
  return disk.remove(notePath(directory));
}

/** Syncs a segment's file, and leaves the note if that fails. */
export async function syncOrNote(disk: Disk, directory: string, file: DiskFile): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    noteFailedSync(disk, directory);
    throw error;
  }
}
