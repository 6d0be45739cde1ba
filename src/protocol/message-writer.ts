// Writes one message whose record bytes are passed on by reference: the writer keeps where they belong and hands out
// the pieces in wire order. What is referenced must not change before the pieces have left.
import { asBuffer, ByteWriter } from '../base/bytes.ts';

export class MessageWriter extends ByteWriter {
  /** Foreign bytes, in order, each placed before what was written at `at` and later. */
  readonly #references: { readonly at: number; readonly bytes: Buffer }[] = [];
  #referencedBytes = 0;

  /** Puts bytes here without copying them. */
  reference(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#references.push({ at: this.position, bytes: asBuffer(bytes) });
    this.#referencedBytes += bytes.length;
  }

  /** Bytes of the whole message, referenced ones included. */
  get length(): number {
    return this.position + this.#referencedBytes;
  }

  /** The message in wire order: views of this writer's memory and the referenced buffers, none of them empty. */
  parts(): Buffer[] {
    const parts: Buffer[] = [];
    let from = 0;
    for (const { at, bytes } of this.#references) {
      if (at > from) parts.push(this.buffer.subarray(from, at));
      parts.push(bytes);
      from = at;
    }
    if (this.position > from) parts.push(this.buffer.subarray(from, this.position));
    return parts;
  }
}
