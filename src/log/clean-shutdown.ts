// The marker of a clean stop, `.kafka_cleanshutdown`: written as the last act of a stop after which every log is closed and
// durable, consumed durably before anything is loaded (C-2.4, D-10.1; KAFKA-10471, KAFKA-15375).
import type { Disk } from '../env/disk.ts';
import { writeFileDurably } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';

const FILE = '.kafka_cleanshutdown';

/** `brokerEpoch`: the one that was granted to the incarnation that stops, -1 if it never registered. */
export async function writeCleanShutdown(disk: Disk, directory: string, brokerEpoch: number): Promise<void> {
  const content = JSON.stringify({ version: 0, brokerEpoch });
  await writeFileDurably(disk, `${directory}/${FILE}`, Buffer.from(content));
}

/** The broker epoch in the marker, -1 if it names none; undefined if there is no marker. It is gone for good afterwards. */
export async function consumeCleanShutdown(disk: Disk, directory: string): Promise<number | undefined> {
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
  const match = /^\{"version":0,"brokerEpoch":(-?\d{1,16})\}$/.exec(content);
  return match === null ? undefined : Number(match[1]);
}
