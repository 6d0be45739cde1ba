// Which boot of the operating system this is. Linux draws an id with each; other systems have none that lasts from process to process.
import { readFileSync } from 'node:fs';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

/** Undefined where the system does not say. */
export function readBootId(path = BOOT_ID_FILE): string | undefined {
  try {
    const id = readFileSync(path, 'utf8').trim();
    return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
