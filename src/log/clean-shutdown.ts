// The marker of a clean stop, `.kafka_cleanshutdown`: written as the last act of a stop after which every log is closed and
// durable, consumed durably before anything is loaded (C-2.4, D-10.1; KAFKA-10471, KAFKA-15375). It names the incarnation that
// wrote it: one that turns up again later, when another has used the directory since, says nothing.
import type { Disk } from '../env/disk.ts';
import { writeFileDurably } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';

const FILE = '.kafka_cleanshutdown';

export interface CleanShutdown {
  /** Granted to the incarnation that stopped, -1 if it never registered. */
  readonly brokerEpoch: number;
  /** Of that incarnation in this directory. */
  readonly bootCounter: number;
}

/** Durable when it resolves. */
export async function writeCleanShutdown(disk: Disk, directory: string, marker: CleanShutdown): Promise<void> {
  const { brokerEpoch, bootCounter } = marker;
  const content = JSON.stringify({ version: 0, brokerEpoch, bootCounter });
  await writeFileDurably(disk, `${directory}/${FILE}`, Buffer.from(content));
}

/**
 * Undefined if the last incarnation, with boot counter `lastBoot`, left no marker. One that another left counts as none: much
 * may have happened since. Whatever there was is gone for good afterwards.
 */
export async function consumeCleanShutdown(
  { disk, logger }: { readonly disk: Disk; readonly logger: Logger },
  directory: string,
  lastBoot: number,
): Promise<CleanShutdown | undefined> {
  const path = `${directory}/${FILE}`;
  let content: string;
  try {
    content = (await disk.readFile(path)).toString('utf8');
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
  await disk.remove(path);
  await disk.syncDirectory(directory);
  const match = /^\{"version":0,"brokerEpoch":(-?\d{1,15}),"bootCounter":(\d{1,15})\}$/.exec(content);
  if (match === null) return undefined;
  const marker = { brokerEpoch: Number(match[1]), bootCounter: Number(match[2]) };
  if (marker.bootCounter === lastBoot) return marker;
  logger.warn('clean-shutdown-of-another-start', { directory, start: marker.bootCounter, lastStart: lastBoot });
  return undefined;
}
