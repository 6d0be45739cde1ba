// What processes take for the boot of their operating system: Linux tells it in a file, and here another file is mounted on top of that one,
// for the process and its children alone. Needs root. The product is as it is shipped.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './processes.ts';

const FILE = '/proc/sys/kernel/random/boot_id';

export class SystemBoot {
  readonly #file = join(temporaryFolder(), 'boot_id');

  constructor() {
    this.reboot();
  }

  /** From now on it is another boot, for processes that start. */
  reboot(): void {
    writeFileSync(this.#file, `${randomUUID()}\n`);
  }

  /** What runs the command in this boot, as the process that is started. */
  commandIn(command: readonly string[]): [string, ...string[]] {
    return ['unshare', '--mount', 'sh', '-c', `mount --bind "$0" ${FILE} && exec "$@"`, this.#file, ...command];
  }
}

/** Why nobody can be told of another boot; undefined where that can be. */
export function whyNoReboots(): string | undefined {
  if (process.platform !== 'linux') return 'reboots need Linux';
  if (process.getuid?.() !== 0) return 'reboots need root, to mount a file';
  const [command, ...args] = new SystemBoot().commandIn(['cat', FILE]);
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? undefined : `nobody can be told of a reboot: ${stderr?.trim() ?? `there is no ${command}`}`;
}
