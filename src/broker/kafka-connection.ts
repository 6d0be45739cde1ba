// One client connection: requests are started in the order they came and answered in that order (behaviour 1), but none waits
// for the end of another: a Produce that waits for its fsync delays no later one. Bad frames close the connection with a reason.
import { AssertionError } from '../base/assert.ts';
import { BytesError } from '../base/bytes.ts';
import type { Ms } from '../base/ids.ts';
import type { ByteStream, StreamHandler } from '../env/network.ts';
import { decodeRequestFrame } from '../protocol/frame.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { BrokerContext, Call } from './context.ts';
import type { FramePool } from './frame-pool.ts';
import type { Frame } from './frame-reader.ts';
import { FrameReader } from './frame-reader.ts';
import { answerUnknownVersion } from './handlers/api-versions.ts';
import { routeFor } from './routes.ts';

/** A connection with so many requests unanswered, or so many response bytes unread, is not read from until it has fewer. */
const MAX_PENDING_REQUESTS = 256;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

interface Pending {
  frame: Frame | undefined;
  done: boolean;
  response: Buffer[] | undefined;
}

export interface ConnectionOptions {
  readonly listener: string;
  readonly pool: FramePool;
  /** Called once, when the connection is gone. */
  onClose(connection: KafkaConnection): void;
  /** A bug in a handler: the node stops rather than goes on (S-X2). */
  fatal(reason: string, cause: unknown): void;
}

export class KafkaConnection implements StreamHandler {
  readonly #context: BrokerContext;
  readonly #stream: ByteStream;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #pending: Pending[] = [];
  #pendingBytes = 0;
  #paused = false;
  #serving: boolean;
  #closed = false;
  /** Monotonic time of the last request or response. */
  lastActiveMs: Ms;

  /** While not `serving`, nothing is read: see `serve`. */
  constructor(context: BrokerContext, stream: ByteStream, serving: boolean, options: ConnectionOptions) {
    this.#context = context;
    this.#stream = stream;
    this.#options = options;
    this.#serving = serving;
    this.#reader = new FrameReader(options.pool, context.config.values['socket.request.max.bytes']);
    this.lastActiveMs = context.clock.now();
    if (!serving) stream.pause();
  }

  get isIdle(): boolean {
    return this.#pending.length === 0;
  }

  /** D-0.7: the broker may answer now. */
  serve(): void {
    this.#serving = true;
    this.#stream.resume();
  }

  close(how: 'flush' | 'abort'): void {
    this.#stream.close(how);
  }

  data(chunk: Buffer): void {
    if (this.#closed) return;
    this.lastActiveMs = this.#context.clock.now();
    const fault = this.#reader.read(chunk, (frame) => this.#start(frame));
    if (fault !== undefined) this.#refuse(fault);
    else this.#throttle();
  }

  drained(): void {
    this.#throttle();
  }

  closed(): void {
    this.#closed = true;
    for (const pending of this.#pending.splice(0)) if (pending.done) this.#recycle(pending);
    this.#options.onClose(this);
  }

  #refuse(reason: string): void {
    if (this.#closed) return;
    const { host, port } = this.#stream.peer;
    this.#context.logger.warn('connection-refused', { peer: `${host}:${port}`, reason });
    this.#closed = true;
    this.#stream.close('abort');
  }

  #throttle(): void {
    const full =
      this.#pending.length >= MAX_PENDING_REQUESTS ||
      this.#pendingBytes + this.#stream.bufferedBytes > MAX_PENDING_BYTES;
    if (full === this.#paused || !this.#serving || this.#closed) return;
    this.#paused = full;
    if (full) this.#stream.pause();
    else this.#stream.resume();
  }

  #start(frame: Frame): void {
    if (this.#closed) return;
    const pending: Pending = { frame, done: false, response: undefined };
    this.#pending.push(pending);
    this.#pendingBytes += frame.size;
    try {
      const answer = this.#answer(frame);
      if (answer instanceof Promise) {
        answer.then(
          (response) => this.#finish(pending, response),
          (error: unknown) => this.#fail(error),
        );
      } else this.#finish(pending, answer);
    } catch (error) {
      this.#fail(error);
    }
  }

  #answer(frame: Frame): Promise<Buffer[] | undefined> | Buffer[] | undefined {
    const { header, api, reader } = decodeRequestFrame(frame.buffer.subarray(0, frame.size));
    const unknown = answerUnknownVersion(header);
    if (unknown !== undefined) return unknown;
    const route = api === undefined ? undefined : routeFor(api);
    if (route === undefined || !route.api.supports(header.apiVersion)) {
      throw new ProtocolError(`API key ${header.apiKey} version ${header.apiVersion} is not served`); // behaviour 3
    }
    const { host, port } = this.#stream.peer;
    const call: Call = {
      apiVersion: header.apiVersion,
      clientId: header.clientId ?? '',
      peer: `${host}:${port}`,
      listener: this.#options.listener,
    };
    return route.answer(this.#context, call, header.correlationId, reader);
  }

  #fail(error: unknown): void {
    if (error instanceof BytesError || error instanceof ProtocolError) return this.#refuse(error.message);
    if (error instanceof AssertionError) return this.#options.fatal('a request handler broke an invariant', error);
    this.#context.logger.error('request-failed', { error, consequence: 'the connection is closed' });
    this.#refuse('a request failed unexpectedly');
  }

  /** Sends what is at the head of the line and done. */
  #finish(pending: Pending, response: Buffer[] | undefined): void {
    pending.done = true;
    pending.response = response;
    if (this.#closed) return this.#recycle(pending);
    let count = 0;
    for (const head of this.#pending) {
      if (!head.done) break;
      count++;
      if (head.response !== undefined) this.#stream.write(head.response);
      this.#recycle(head);
    }
    if (count === 0) return;
    this.#pending.splice(0, count);
    this.lastActiveMs = this.#context.clock.now();
    this.#throttle();
  }

  #recycle(pending: Pending): void {
    if (pending.frame === undefined) return;
    this.#pendingBytes -= pending.frame.size;
    this.#options.pool.giveBack(pending.frame.buffer);
    pending.frame = undefined;
  }
}
