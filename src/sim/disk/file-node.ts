// One simulated file: what reads see (the page cache), what is durable, and the operations between them (M-2).
// Invariant: cached = durable + pending in order, unless a failed sync dropped some of them (fsyncgate, R-14.2).
import type { KeyedRandom } from '../../base/keyed-random.ts';
import { PagedBytes } from './paged-bytes.ts';

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

type FileOperation =
  | { readonly type: 'write'; readonly order: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly order: number; readonly size: number };

export class FileNode {
  cached = new PagedBytes();
  durable = new PagedBytes();
  #pending: FileOperation[] = [];
  #order = 0;
  /** What reads see is not what is durable, and no sync will make it so. */
  #hasLost = false;
  /** The first byte that was changed, not added, since the last {@link takeChange}. */
  #changedFrom = Number.POSITIVE_INFINITY;

  /** Everything issued so far has this order or a lower one. */
  get mark(): number {
    return this.#order;
  }

  /** Whether a power cut would leave it as it is. */
  get isSettled(): boolean {
    return this.#pending.length === 0 && !this.#hasLost;
  }

  /** For observers: from which byte on what was there has changed since this was asked last; Infinity: bytes were only added. */
  takeChange(): number {
    const from = this.#changedFrom;
    this.#changedFrom = Number.POSITIVE_INFINITY;
    return from;
  }

  write(bytes: Uint8Array, position: number): void {
    if (position < this.cached.size) this.#changedFrom = Math.min(this.#changedFrom, position);
    this.cached.write(bytes, position);
    // Not `slice`: on a Buffer, which this may be, that copies nothing.
    this.#pending.push({ type: 'write', order: ++this.#order, position, bytes: new Uint8Array(bytes) });
  }

  truncate(size: number): void {
    this.#changedFrom = Math.min(this.#changedFrom, size);
    this.cached.truncate(size);
    this.#pending.push({ type: 'truncate', order: ++this.#order, size });
  }

  /** A sync reached the platter: what was issued up to `mark` is durable. */
  settle(mark: number): void {
    for (const operation of this.#take(mark)) apply(this.durable, operation);
  }

  /** A sync failed: what was issued up to `mark` will never be durable, whatever later syncs say. */
  drop(mark: number): void {
    if (this.#take(mark).length > 0) this.#hasLost = true;
  }

  /** The content after a power cut: durable bytes, plus nothing, a prefix, a subset or all of what was pending; torn. */
  powerCut(random: KeyedRandom, key: string): void {
    const operations = this.#take(this.#order);
    const survivors = chooseSurvivors(operations, random, key);
    const torn = random.chance(key, 0.5) ? random.below(key, survivors.length + 1) : -1;
    for (const [index, operation] of survivors.entries()) {
      if (index === torn && operation.type === 'write') tear(this.durable, operation, random, key);
      else apply(this.durable, operation);
    }
    this.cached = this.durable.clone();
    this.#changedFrom = 0;
    this.#hasLost = false;
  }

  /** Bit rot: on the platter and in what reads see. */
  flip(position: number, mask: number): void {
    this.cached.flip(position, mask);
    this.durable.flip(position, mask);
  }

  #take(mark: number): FileOperation[] {
    let count = 0;
    while (count < this.#pending.length && (this.#pending[count] as FileOperation).order <= mark) count++;
    return this.#pending.splice(0, count);
  }
}

function chooseSurvivors(operations: FileOperation[], random: KeyedRandom, key: string): FileOperation[] {
  switch (random.below(key, 4)) {
    case 0:
      return [];
    case 1:
      return operations.slice(0, random.below(key, operations.length + 1));
    case 2:
      return operations.filter(() => random.chance(key, 0.5));
    default:
      return operations;
  }
}

function apply(bytes: PagedBytes, operation: FileOperation): void {
  if (operation.type === 'write') bytes.write(operation.bytes, operation.position);
  else bytes.truncate(operation.size);
}

/** Only some sectors of a write arrive: the first ones, or any. */
function tear(
  durable: PagedBytes,
  write: Extract<FileOperation, { type: 'write' }>,
  random: KeyedRandom,
  key: string,
): void {
  const firstSector = Math.floor(write.position / SECTOR_BYTES);
  const sectors = Math.ceil((write.position + write.bytes.length) / SECTOR_BYTES) - firstSector;
  const prefix = random.chance(key, 0.5) ? random.below(key, sectors) : -1;
  for (let sector = 0; sector < sectors; sector++) {
    if (prefix >= 0 ? sector >= prefix : random.chance(key, 0.5)) continue;
    const start = Math.max(write.position, (firstSector + sector) * SECTOR_BYTES);
    const end = Math.min(write.position + write.bytes.length, (firstSector + sector + 1) * SECTOR_BYTES);
    durable.write(write.bytes.subarray(start - write.position, end - write.position), start);
  }
}
