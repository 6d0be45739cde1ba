// What all logs of one broker share: limits, and the memory and files that they take turns in.
import type { Ms } from '../base/ids.ts';
import type { NodeValues } from '../config/node-keys.ts';
import { FilePool } from './file-pool.ts';
import { IndexMemory } from './index-memory.ts';
import { ReadAhead } from './read-ahead.ts';
import { TailCache } from './tail-cache.ts';

/** Of loaded indexes: those of some 13 full segments of a gigabyte, or of tens of thousands of small ones. */
const INDEX_BYTES = 64 * 1024 * 1024;

export interface LogShared {
  /** producer.id.expiration.ms */
  readonly producerIdExpirationMs: Ms;
  /** num.recovery.threads.per.data.dir */
  readonly recoveryThreads: number;
  /** At most log.max.open.files. */
  readonly files: FilePool;
  readonly indexes: IndexMemory;
  /** log.tail.cache.bytes */
  readonly tail: TailCache;
  readonly readAhead: ReadAhead;
}

export function createLogShared(values: NodeValues): LogShared {
  return {
    producerIdExpirationMs: values['producer.id.expiration.ms'],
    recoveryThreads: values['num.recovery.threads.per.data.dir'],
    files: new FilePool(values['log.max.open.files']),
    indexes: new IndexMemory(INDEX_BYTES),
    tail: new TailCache(values['log.tail.cache.bytes']),
    readAhead: new ReadAhead(),
  };
}
