// Everything a node knows of the world. `node/` has the real one, `sim/` the simulated one; nothing else reaches outside.
import type { Clock } from './clock.ts';
import type { Disk } from './disk.ts';
import type { Logger } from './logger.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { OpenStore } from './store.ts';

export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly openStore: OpenStore;
  readonly network: Network;
  readonly logger: Logger;
  /**
   * Names the boot of the operating system that this process runs in: while it is the same, what was written is there, synced or not
   * (M-2). Undefined where that is not known; two unknown ones are not the same.
   */
  readonly bootId: () => string | undefined;
}
