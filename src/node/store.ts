// The real Store: LevelDB through `level`. A synced batch is one fdatasync of LevelDB's log, and the folder itself is made
// durable when it is created. LevelDB's lock file is the lock on the folder.
import { mkdir } from 'node:fs/promises';
import { dirname, resolve as resolvePath } from 'node:path';
import type { Level } from 'level';
import type { EnvErrorCode } from '../env/error.ts';
import { EnvError } from '../env/error.ts';
import type { OpenStore, Store, StoreOperation, StoreRange } from '../env/store.ts';
import { syncDirectory } from './disk.ts';
import { systemCodeOf, toEnvError } from './system-error.ts';

type Database = Level<Uint8Array, Uint8Array>;

// 'buffer' takes any Uint8Array and returns Buffers; keys sort as unsigned bytes.
const ENCODING = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

const CODES: ReadonlyMap<string, EnvErrorCode> = new Map<string, EnvErrorCode>([
  ['LEVEL_LOCKED', 'LOCKED'],
  ['LEVEL_CORRUPTION', 'CORRUPT'],
  ['LEVEL_IO_ERROR', 'IO'],
  ['LEVEL_DATABASE_NOT_OPEN', 'CLOSED'],
  ['LEVEL_ITERATOR_NOT_OPEN', 'CLOSED'],
]);

export const openStore: OpenStore = async (path) => {
  const { Level } = await import('level');
  try {
    await makeDurableDirectory(path);
    const database: Database = new Level<Uint8Array, Uint8Array>(path, ENCODING);
    await database.open();
    return new LevelStore(path, database);
  } catch (error) {
    throw toStoreError(error, `cannot open the database in ${path}`);
  }
};

type LevelOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** Gathers while a batch is being written. */
interface NextBatch {
  readonly operations: LevelOperation[];
  sync: boolean;
  readonly written: Promise<void>;
}

class LevelStore implements Store {
  private readonly path: string;
  private readonly database: Database;
  private writing: Promise<void> | undefined;
  private next: NextBatch | undefined;

  constructor(path: string, database: Database) {
    this.path = path;
    this.database = database;
  }

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    try {
      // `level` types the value as always present; a missing key gives undefined.
      return await this.database.get<Uint8Array, Buffer>(key, ENCODING);
    } catch (error) {
      throw toStoreError(error, `cannot read the database in ${this.path}`);
    }
  }

  /** Libuv's threads keep no order among batches, so one is written at a time; those that come meanwhile form the next. */
  batch(operations: readonly StoreOperation[], { sync }: { readonly sync: boolean }): Promise<void> {
    const next = this.next ?? { operations: [], sync: false, written: this.writeNext() };
    this.next = next;
    next.sync ||= sync;
    for (const operation of operations) {
      next.operations.push(operation.type === 'put' ? operation : { type: 'del', key: operation.key });
    }
    return next.written;
  }

  /** Waits for the batch under way, whose callers hear of its failure, then writes what has gathered. */
  private async writeNext(): Promise<void> {
    const before = this.writing;
    if (before !== undefined) await before.catch(() => {});
    // The first caller goes on to hand its operations over.
    else await Promise.resolve();
    const { operations, sync } = this.next as NextBatch;
    this.next = undefined;
    this.writing = this.write(operations, sync);
    return this.writing;
  }

  private async write(operations: readonly LevelOperation[], sync: boolean): Promise<void> {
    try {
      await this.database.batch<Uint8Array, Uint8Array>([...operations], { ...ENCODING, sync });
    } catch (error) {
      throw toStoreError(error, `cannot write the database in ${this.path}`);
    }
  }

  entries(range: StoreRange = {}): AsyncIterable<readonly [key: Buffer, value: Buffer]> {
    const iterator = this.iteratorOver(range);
    return drain(iterator, this.path);
  }

  async close(): Promise<void> {
    try {
      // LevelDB itself waits for the batch under way, not for the one that has gathered behind it.
      await this.next?.written.catch(() => {});
      await this.database.close();
    } catch (error) {
      throw toStoreError(error, `cannot close the database in ${this.path}`);
    }
  }

  /** Made at the call of `entries`, since it is what reads as of that moment. */
  private iteratorOver(range: StoreRange): EntryIterator {
    try {
      return this.database.iterator<Buffer, Buffer>({
        ...ENCODING,
        ...(range.from === undefined ? {} : { gte: Buffer.from(range.from) }),
        ...(range.to === undefined ? {} : { lt: Buffer.from(range.to) }),
        reverse: range.reverse ?? false,
        limit: range.limit ?? -1,
      });
    } catch (error) {
      throw toStoreError(error, `cannot read the database in ${this.path}`);
    }
  }
}

interface EntryIterator extends AsyncIterable<[Buffer, Buffer]> {
  close(): Promise<void>;
}

async function* drain(iterator: EntryIterator, path: string): AsyncGenerator<readonly [Buffer, Buffer]> {
  try {
    yield* iterator;
  } catch (error) {
    throw toStoreError(error, `cannot read the database in ${path}`);
  } finally {
    await iterator.close();
  }
}

/** Creates the folder and its missing parents, each one's entry durable in its parent: LevelDB syncs only inside. */
async function makeDurableDirectory(path: string): Promise<void> {
  const deepest = resolvePath(path);
  const firstCreated = await mkdir(deepest, { recursive: true });
  if (firstCreated === undefined) return;
  for (let created = deepest; created.length >= firstCreated.length; created = dirname(created)) {
    await syncDirectory(dirname(created));
  }
}

/** `level` wraps what LevelDB said once or twice: the innermost code that is known counts. */
function toStoreError(error: unknown, attempt: string): EnvError {
  let code: EnvErrorCode | undefined;
  for (let at: unknown = error; at instanceof Error; at = at.cause) code = CODES.get(systemCodeOf(at)) ?? code;
  if (code === undefined) return toEnvError(error, attempt);
  const reason = error instanceof Error ? ((error.cause as Error | undefined)?.message ?? error.message) : '';
  // LevelDB has one code for whatever a system call refused; the text of the errno ends its message.
  if (code === 'IO' && reason.endsWith(': No space left on device')) code = 'NO_SPACE';
  return new EnvError(code, `${attempt}: ${reason}`, error);
}
