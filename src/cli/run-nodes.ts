// What is common to processes that run nodes: stop in good order on a signal, end with a reason in the log when a node cannot
// go on (the node's invariants are gone then, so nothing is waited for).
import type { Logger } from '../env/logger.ts';

/** Logs why and ends the process. */
export function exitFatally(logger: Logger, reason: string, cause?: unknown, fields: object = {}): never {
  logger.error('fatal', { reason, ...fields, ...(cause === undefined ? {} : { cause }) });
  process.exit(1);
}

/** A bug anywhere ends the process with its stack in the log. */
export function exitOnBugs(logger: Logger): void {
  process.on('uncaughtException', (error) => exitFatally(logger, 'an unexpected error', error));
  process.on('unhandledRejection', (error) => exitFatally(logger, 'an unexpected error', error));
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (seen) process.exit(130);
        seen = true;
        resolve(signal);
      });
    }
  });
}
