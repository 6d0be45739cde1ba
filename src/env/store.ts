// The Store port: an ordered key-value database with atomic batches. Weaknesses: a batch without `sync` may be lost
// by a power cut (never half of one batch, and never an earlier batch while a later one survives); a batch with `sync`
// is durable once it resolved, and what an open finds is durable. After a failed batch the state is unknown: close the
// store. Keys sort as unsigned bytes.

export type StoreOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array };

export interface StoreRange {
  /** First key, inclusive. */
  readonly from?: Uint8Array;
  /** End, exclusive. */
  readonly to?: Uint8Array;
  readonly reverse?: boolean;
  /** At most so many entries. */
  readonly limit?: number;
}

export interface Store {
  get(key: Uint8Array): Promise<Buffer | undefined>;
  /** Applies all operations or none. */
  batch(operations: readonly StoreOperation[], options: { readonly sync: boolean }): Promise<void>;
  /** Entries in key order, read as of the call. */
  entries(range?: StoreRange): AsyncIterable<readonly [key: Buffer, value: Buffer]>;
  /** Releases the lock on the folder. */
  close(): Promise<void>;
}

/** Opens, and creates if missing, the database in folder `path`; holds a lock on it. EnvError LOCKED, CORRUPT, IO. */
export type OpenStore = (path: string) => Promise<Store>;
