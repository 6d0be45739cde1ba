// The real world of one process: the only implementation of Env that ships.
import type { Env } from '../env/env.ts';
import { readBootId } from './boot-id.ts';
import { createClock } from './clock.ts';
import { createDisk } from './disk.ts';
import type { LoggerOptions } from './logger.ts';
import { createLogger } from './logger.ts';
import { createNetwork } from './network.ts';
import { createRandom } from './random.ts';
import { openStore } from './store.ts';

/** How this process logs; everything else of the world is as it is. */
export type EnvOptions = LoggerOptions;

/** Costs little: gRPC and LevelDB are loaded when first used. */
export function createEnv(options: EnvOptions = {}): Env {
  const logger = createLogger(options);
  return {
    clock: createClock(),
    random: createRandom(),
    disk: createDisk(),
    openStore,
    network: createNetwork(logger),
    logger,
    bootId: () => readBootId(),
  };
}
