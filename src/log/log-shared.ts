// What all logs of one broker share: limits, and later the memory and files that they take turns in.
import type { Ms } from '../base/ids.ts';
import type { NodeValues } from '../config/node-keys.ts';

export interface LogShared {
  /** producer.id.expiration.ms */
  readonly producerIdExpirationMs: Ms;
  /** num.recovery.threads.per.data.dir */
  readonly recoveryThreads: number;
}

export function createLogShared(values: NodeValues): LogShared {
  return {
    producerIdExpirationMs: values['producer.id.expiration.ms'],
    recoveryThreads: values['num.recovery.threads.per.data.dir'],
  };
}
