// One end of a simulated byte stream. Bytes leave in segments while a window of unread bytes has room (the rest is
// `bufferedBytes`), arrive in order, and are split at random places. A link that is down holds them back; if it stays
// down, whoever has something on the way gets a reset. Handlers see the port's rules at their strictest: the chunk that
// `data` brings is overwritten when it returns.
import { EnvError } from '../../env/error.ts';
import type { Address, ByteStream, StreamHandler } from '../../env/network.ts';
import type { SimEvent } from '../world/event.ts';
import type { Incarnation } from '../world/incarnation.ts';

/** Bytes on the way or unread in one direction. */
const WINDOW_BYTES = 256 * 1024;
const SEGMENT_BYTES = 64 * 1024;
/** After a close here, how long the peer may take to end the stream. */
const LINGER_MS = 10_000;
/** Overwrites what a handler must not keep. */
const POISON = 0xdb;

export type Segment =
  | { readonly type: 'data'; readonly chunks: Uint8Array[]; length: number }
  | { readonly type: 'end' }
  | { readonly type: 'reset' }
  | { readonly type: 'window' };

/** What carries segments to the other end. */
export interface Carrier {
  readonly nowUs: number;
  /** Sends a segment to the other end; it arrives after those sent before. */
  send(from: Endpoint, segment: Segment): void;
  /** The reader consumed so many bytes. */
  acknowledge(reader: Endpoint, bytes: number): void;
  /** Runs `run` in the context of the endpoint's owner, in another event. */
  soon(endpoint: Endpoint, run: () => void): void;
  after(delayUs: number, endpoint: Endpoint, run: () => void): SimEvent;
  /** Where to cut `length` bytes for the reader; `length` for not at all. */
  splitAt(endpoint: Endpoint, length: number): number;
  /** The endpoint is over. */
  forget(endpoint: Endpoint): void;
}

export class Endpoint implements ByteStream {
  readonly owner: Incarnation;
  readonly peer: Address;
  remote: Endpoint | undefined;
  /** When the last segment sent so far arrives: segments do not overtake. */
  lastArrivalUs = 0;
  /** Segments that wait for the link to the remote end. */
  stalled: Segment[] = [];
  /** A reset is due if the link does not come back. */
  resetArmed = false;
  /** Called once, when this end is over. */
  whenOver: (() => void) | undefined;
  /** Set once both sides know of the connection; what arrives earlier waits. */
  handler: StreamHandler | undefined;
  readonly #cable: Carrier;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #unreadBytes = 0;
  #inbox: Segment[] = [];
  #openSegment: { segment: Extract<Segment, { type: 'data' }>; sentUs: number } | undefined;
  /** `flushing`: closed here; what comes is discarded. `closed`: the handler was told, or will be by a scheduled event. */
  #state: 'open' | 'flushing' | 'closed' = 'open';
  #isEndSent = false;
  #isPaused = false;
  #drainedPending = false;
  #linger: SimEvent | undefined;

  constructor(cable: Carrier, owner: Incarnation, peer: Address) {
    this.#cable = cable;
    this.owner = owner;
    this.peer = peer;
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get bufferedBytes(): number {
    return this.#state === 'closed' ? 0 : this.#queuedBytes;
  }

  // ---- the port ----

  write(chunks: readonly Uint8Array[]): void {
    if (this.#state !== 'open' || this.owner.isDead) return;
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.#queue.push(chunk);
      this.#queuedBytes += chunk.length;
    }
    this.#pump();
    if (this.#queuedBytes === 0) this.#scheduleDrained();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#inbox.length > 0) this.#cable.soon(this, () => this.#readInbox());
  }

  close(how: 'flush' | 'abort'): void {
    if (this.owner.isDead || this.#state === 'closed') return;
    if (how === 'abort') {
      this.abort();
      return;
    }
    if (this.#state === 'flushing') return;
    this.#state = 'flushing';
    this.#isPaused = false;
    this.#cable.soon(this, () => this.#readInbox());
    this.#linger = this.#cable.after(LINGER_MS * 1000, this, () => this.abort());
    this.#pump();
  }

  // ---- for the cable ----

  attach(handler: StreamHandler): void {
    this.handler = handler;
    if (this.#inbox.length > 0) this.#cable.soon(this, () => this.#readInbox());
  }

  /** Drops everything and resets the peer; the handler is told soon, without a cause. */
  abort(): void {
    if (this.#state === 'closed') return;
    this.#cable.send(this, { type: 'reset' });
    this.#end();
    this.#cable.soon(this, () => this.handler?.closed());
  }

  /** The process ended and its kernel closes the stream: what had left still arrives, then a reset or an end. */
  kill(orderly: boolean): void {
    if (this.#state === 'closed') return;
    if (orderly && !this.#isEndSent) this.#cable.send(this, { type: 'end' });
    else if (!orderly) this.#cable.send(this, { type: 'reset' });
    this.#end();
  }

  /** The stream broke: the handler is told with the cause, in the present event. */
  fail(error: EnvError): void {
    if (this.#state === 'closed') return;
    const tell = this.#state === 'open' ? error : undefined;
    this.#end();
    this.handler?.closed(tell);
  }

  /** A segment arrived at this end. */
  receive(segment: Segment): void {
    if (this.#state === 'closed') {
      if (segment.type === 'data' && this.remote !== undefined) this.#cable.send(this, { type: 'reset' });
      return;
    }
    if (segment.type === 'reset') {
      this.fail(new EnvError('RESET', `the connection with ${this.peer.host}:${this.peer.port} was reset`));
      return;
    }
    if (segment.type === 'window') {
      this.#pump();
      if (this.#queuedBytes === 0) this.#tellDrained();
      return;
    }
    this.#inbox.push(segment);
    this.#readInbox();
  }

  /** The peer read so many of the bytes sent from here. */
  wasRead(bytes: number): void {
    this.#unreadBytes -= bytes;
  }

  get isBlocked(): boolean {
    return this.#state !== 'closed' && (this.#queuedBytes > 0 || (this.#state === 'flushing' && !this.#isEndSent));
  }

  // ---- sending ----

  #pump(): void {
    while (this.#queuedBytes > 0 && this.#unreadBytes < WINDOW_BYTES) {
      const room = Math.min(WINDOW_BYTES - this.#unreadBytes, SEGMENT_BYTES);
      this.#sendData(room);
    }
    if (this.#state === 'flushing' && this.#queuedBytes === 0 && !this.#isEndSent) {
      this.#isEndSent = true;
      this.#openSegment = undefined;
      this.#cable.send(this, { type: 'end' });
    }
  }

  /** Moves up to `room` bytes of the queue to the network; what leaves in one instant travels together. */
  #sendData(room: number): void {
    const { nowUs } = this.#cable;
    let open = this.#openSegment;
    if (open === undefined || open.sentUs !== nowUs || open.segment.length >= SEGMENT_BYTES) {
      open = { segment: { type: 'data', chunks: [], length: 0 }, sentUs: nowUs };
      this.#openSegment = open;
      this.#cable.send(this, open.segment);
    }
    const { segment } = open;
    let left = Math.min(room, SEGMENT_BYTES - segment.length);
    while (left > 0) {
      const chunk = this.#queue[0];
      if (chunk === undefined) break;
      const part = chunk.length <= left ? chunk : chunk.subarray(0, left);
      if (part === chunk) this.#queue.shift();
      else this.#queue[0] = chunk.subarray(left);
      // A copy: its owner may change it once it has left the queue, and not before.
      segment.chunks.push(Buffer.from(part));
      segment.length += part.length;
      left -= part.length;
      this.#queuedBytes -= part.length;
      this.#unreadBytes += part.length;
    }
  }

  #scheduleDrained(): void {
    if (this.#drainedPending || (this.handler !== undefined && this.handler.drained === undefined)) return;
    this.#drainedPending = true;
    this.#cable.soon(this, () => this.#tellDrained());
  }

  #tellDrained(): void {
    this.#drainedPending = false;
    if (this.#state === 'open' && this.#queuedBytes === 0) this.handler?.drained?.();
  }

  // ---- receiving ----

  #readInbox(): void {
    while (!this.#isPaused && !this.isClosed && this.handler !== undefined) {
      const segment = this.#inbox.shift();
      if (segment === undefined) return;
      if (segment.type === 'data') this.#read(segment);
      else this.#peerEnded();
    }
  }

  #read(segment: Extract<Segment, { type: 'data' }>): void {
    const bytes = Buffer.concat(segment.chunks, segment.length);
    const cut = this.#cable.splitAt(this, bytes.length);
    const first = cut < bytes.length ? bytes.subarray(0, cut) : bytes;
    this.#hand(first);
    if (cut < bytes.length) {
      const rest = bytes.subarray(cut);
      if (this.#isPaused) this.#inbox.unshift({ type: 'data', chunks: [rest], length: rest.length });
      else this.#hand(rest);
    }
  }

  #hand(bytes: Buffer): void {
    const { length } = bytes;
    if (this.#state === 'open') {
      this.handler?.data(bytes);
      bytes.fill(POISON);
    }
    this.#cable.acknowledge(this, length);
  }

  /** The peer sent its end: it discards what we might still send, so this end is over too. */
  #peerEnded(): void {
    if (!this.#isEndSent) {
      this.#isEndSent = true;
      this.#cable.send(this, { type: 'end' });
    }
    this.#end();
    this.handler?.closed();
  }

  #end(): void {
    this.#state = 'closed';
    this.#dropQueue();
    if (this.#linger !== undefined) this.#linger.cancelled = true;
    this.#cable.forget(this);
    this.whenOver?.();
  }

  #dropQueue(): void {
    this.#queue.length = 0;
    this.#queuedBytes = 0;
  }
}
