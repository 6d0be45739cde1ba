// The newest bytes of all logs of a broker, in memory: what was appended last is read most. One ring of slabs for all logs: appended
// bytes are copied behind each other, whoever's they are, and when the ring is full the oldest slab is used again. So the budget
// holds for any number of logs, a log without appends takes nothing, and no memory is fresh once the ring has been filled.
// Invariant: what a log has here is one run of bytes that ends where the log ends (it may cross segments).
// Only appends put something in: readers who catch up cannot evict what the others read.

const MAX_SLAB_BYTES = 256 * 1024;
const MIN_SLABS = 4;
/** A slab is also full when it holds a piece per so many bytes: many tiny appends in turns would take more in objects. */
const BYTES_PER_PIECE = 256;

/** Of a segment the cache needs to know which one it is and how they are ordered. */
export interface CachedSegment {
  readonly baseOffset: number;
}

/** Bytes of one segment in one slab. */
interface Piece {
  /** Undefined once the owner has dropped it. */
  owner: LogTail | undefined;
  readonly segment: CachedSegment;
  /** In the segment's file. */
  readonly position: number;
  readonly slab: Slab;
  readonly start: number;
  length: number;
}

interface Slab {
  readonly bytes: Buffer;
  used: number;
  pieces: Piece[];
}

export class TailCache {
  readonly #slabBytes: number;
  readonly #maxSlabs: number;
  /** Oldest first, after {@link #current}; a ring. */
  readonly #slabs: Slab[] = [];
  #current = -1;

  /** `budget`: bytes of all slabs together, 0 for no cache (log.tail.cache.bytes). */
  constructor(budget: number) {
    this.#slabBytes = Math.min(MAX_SLAB_BYTES, Math.floor(budget / MIN_SLABS));
    this.#maxSlabs = this.#slabBytes < BYTES_PER_PIECE ? 0 : Math.floor(budget / this.#slabBytes);
  }

  /** The part of a log that was just opened: nothing yet. */
  openTail(): LogTail {
    return new LogTail(this);
  }

  /** Longest run of bytes that may be put in at once: it may not push out its own beginning. */
  get maxBytes(): number {
    return Math.floor(this.#maxSlabs / 2) * this.#slabBytes;
  }

  /** A slab with room; evicts the oldest bytes of all logs if there is none. */
  slabWithRoom(): Slab {
    const current = this.#slabs[this.#current];
    const maxPieces = this.#slabBytes / BYTES_PER_PIECE;
    if (current !== undefined && current.used < this.#slabBytes && current.pieces.length < maxPieces) return current;
    this.#current = (this.#current + 1) % this.#maxSlabs;
    const next = this.#slabs[this.#current];
    if (next === undefined) {
      const slab = { bytes: Buffer.allocUnsafeSlow(this.#slabBytes), used: 0, pieces: [] };
      this.#slabs.push(slab);
      return slab;
    }
    for (const { owner } of next.pieces) owner?.evictFirst();
    next.pieces = [];
    next.used = 0;
    return next;
  }
}

/** What the cache holds of one log. */
export class LogTail {
  readonly #cache: TailCache;
  /** Ascending; those before `#first` are gone. */
  #pieces: Piece[] = [];
  #first = 0;

  constructor(cache: TailCache) {
    this.#cache = cache;
  }

  /** Bytes that were written at `position` of the segment, which is the log's end. */
  append(segment: CachedSegment, position: number, bytes: Uint8Array): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && !continues(last, segment, position)) this.clear();
    if (bytes.length > this.#cache.maxBytes) return this.clear();
    for (let done = 0; done < bytes.length; ) {
      const slab = this.#cache.slabWithRoom();
      const length = Math.min(bytes.length - done, slab.bytes.length - slab.used);
      slab.bytes.set(length === bytes.length ? bytes : bytes.subarray(done, done + length), slab.used);
      this.#note(segment, position + done, slab, length);
      slab.used += length;
      done += length;
    }
  }

  #note(segment: CachedSegment, position: number, slab: Slab, length: number): void {
    const last = this.#pieces.at(-1);
    if (last?.slab === slab && last.segment === segment && last.start + last.length === slab.used) {
      last.length += length;
      return;
    }
    const piece = { owner: this, segment, position, slab, start: slab.used, length };
    slab.pieces.push(piece);
    this.#pieces.push(piece);
  }

  /** The cache is about to use the slab of the first piece for something else. */
  evictFirst(): void {
    this.#first += 1;
    if (this.#first * 2 < this.#pieces.length) return;
    this.#pieces.splice(0, this.#first);
    this.#first = 0;
  }

  /** Copies the bytes of the segment at `position` to the front of `target`; false, and nothing, unless all are here. */
  read(segment: CachedSegment, position: number, target: Uint8Array, length: number): boolean {
    let i = this.#find(segment, position);
    if (i === undefined || !this.#reaches(i, segment, position + length)) return false;
    for (let done = 0; done < length; i++) {
      const piece = this.#pieces[i] as Piece;
      const from = piece.start + position + done - piece.position;
      const count = Math.min(length - done, piece.start + piece.length - from);
      target.set(piece.slab.bytes.subarray(from, from + count), done);
      done += count;
    }
    return true;
  }

  /** Whether {@link read} of at least one byte there finds something. */
  has(segment: CachedSegment, position: number): boolean {
    return this.#find(segment, position) !== undefined;
  }

  /** Forgets everything: the log was cut, or is closed. */
  clear(): void {
    for (let i = this.#first; i < this.#pieces.length; i++) (this.#pieces[i] as Piece).owner = undefined;
    this.#pieces = [];
    this.#first = 0;
  }

  /** The piece with the byte at `position`. */
  #find(segment: CachedSegment, position: number): number | undefined {
    let [low, high] = [this.#first, this.#pieces.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const piece = this.#pieces[middle] as Piece;
      const starts =
        piece.segment === segment ? piece.position <= position : piece.segment.baseOffset < segment.baseOffset;
      if (starts) low = middle + 1;
      else high = middle;
    }
    const piece = low === this.#first ? undefined : this.#pieces[low - 1];
    return piece?.segment === segment && position < piece.position + piece.length ? low - 1 : undefined;
  }

  #reaches(i: number, segment: CachedSegment, end: number): boolean {
    for (let piece = this.#pieces[i]; piece?.segment === segment; piece = this.#pieces[++i]) {
      if (piece.position + piece.length >= end) return true;
    }
    return false;
  }
}

function continues(last: Piece, segment: CachedSegment, position: number): boolean {
  if (last.segment === segment) return last.position + last.length === position;
  return position === 0 && segment.baseOffset > last.segment.baseOffset;
}
