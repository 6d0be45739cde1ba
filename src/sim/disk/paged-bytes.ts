// Growable bytes in pages: a write costs its own length, never the file's, and holes cost nothing.

const PAGE_BYTES = 16 * 1024;

export class PagedBytes {
  #pages: (Uint8Array | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Copies up to `length` bytes from `position` on; returns the count, 0 at the end. */
  read(target: Uint8Array, targetStart: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.#size - position, target.length - targetStart));
    for (let done = 0; done < count; ) {
      const start = (position + done) % PAGE_BYTES;
      const step = Math.min(PAGE_BYTES - start, count - done);
      const page = this.#pages[Math.floor((position + done) / PAGE_BYTES)];
      const at = targetStart + done;
      if (page === undefined) target.fill(0, at, at + step);
      else target.set(page.subarray(start, start + step), at);
      done += step;
    }
    return count;
  }

  write(source: Uint8Array, position: number): void {
    for (let done = 0; done < source.length; ) {
      const start = (position + done) % PAGE_BYTES;
      const step = Math.min(PAGE_BYTES - start, source.length - done);
      this.#page(Math.floor((position + done) / PAGE_BYTES)).set(source.subarray(done, done + step), start);
      done += step;
    }
    if (source.length > 0) this.#size = Math.max(this.#size, position + source.length);
  }

  truncate(size: number): void {
    if (size < this.#size) {
      const pages = Math.ceil(size / PAGE_BYTES);
      this.#pages.length = Math.min(this.#pages.length, pages);
      if (size % PAGE_BYTES !== 0) this.#pages[pages - 1]?.fill(0, size % PAGE_BYTES);
    }
    this.#size = size;
  }

  toBuffer(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#size);
    this.read(bytes, 0, this.#size, 0);
    return bytes;
  }

  clone(): PagedBytes {
    const copy = new PagedBytes();
    copy.#pages = this.#pages.map((page) => page?.slice());
    copy.#size = this.#size;
    return copy;
  }

  /** Flips the bits of `mask` in one byte; nothing past the end. */
  flip(position: number, mask: number): void {
    if (position >= this.#size) return;
    const page = this.#page(Math.floor(position / PAGE_BYTES));
    page[position % PAGE_BYTES] = (page[position % PAGE_BYTES] ?? 0) ^ mask;
  }

  #page(index: number): Uint8Array {
    let page = this.#pages[index];
    if (page === undefined) {
      page = new Uint8Array(PAGE_BYTES);
      this.#pages[index] = page;
    }
    return page;
  }
}
