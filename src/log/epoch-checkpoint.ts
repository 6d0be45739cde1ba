// The leader-epoch-checkpoint file, Kafka's text: version 0, number of entries, then `epoch startOffset` a line.
import type { Disk } from '../env/disk.ts';
import { writeFileDurably } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';

const FILE = 'leader-epoch-checkpoint';

export function encodeEpochs(entries: readonly EpochEntry[]): Buffer {
  const lines = entries.map((entry) => `${entry.epoch} ${entry.startOffset}\n`);
  return Buffer.from(`0\n${entries.length}\n${lines.join('')}`);
}

/** Undefined if the text is not what {@link encodeEpochs} writes: the batches tell the epochs then. */
export function decodeEpochs(text: string): EpochEntry[] | undefined {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines[0] !== '0' || lines[1] !== String(lines.length - 2)) return undefined;
  const entries: EpochEntry[] = [];
  for (const line of lines.slice(2)) {
    const match = /^(\d{1,10}) (\d{1,16})$/.exec(line);
    if (match === null) return undefined;
    const entry = { epoch: Number(match[1]), startOffset: Number(match[2]) };
    const previous = entries.at(-1);
    const increasing =
      previous === undefined || (previous.epoch < entry.epoch && previous.startOffset < entry.startOffset);
    if (!increasing || !Number.isSafeInteger(entry.startOffset)) return undefined;
    entries.push(entry);
  }
  return entries;
}

/** Replaces the file; durable when it resolves (D-1.4). */
export function writeEpochs(disk: Disk, directory: string, entries: readonly EpochEntry[]): Promise<void> {
  return writeFileDurably(disk, `${directory}/${FILE}`, encodeEpochs(entries));
}

/** Without the file the batches tell the epochs. Durable once the directory is synced. */
export function removeEpochs(disk: Disk, directory: string): Promise<void> {
  return disk.remove(`${directory}/${FILE}`);
}

/** Undefined if there is no file or it cannot be understood. */
export async function readEpochs(disk: Disk, directory: string): Promise<EpochEntry[] | undefined> {
  try {
    return decodeEpochs((await disk.readFile(`${directory}/${FILE}`)).toString('utf8'));
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}
