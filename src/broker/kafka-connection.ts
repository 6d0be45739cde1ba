// One client connection: requests are begun in the order they came and answered in that order (behaviour 1). A Produce that waits
// for its fsync delays no later one; only a Fetch waits for its turn to be answered, so that a connection holds one large answer
// at most. Bad frames close the connection with a reason.
import { AssertionError } from '../base/assert.ts';
import { BytesError } from '../base/bytes.ts';
import type { Ms } from '../base/ids.ts';
import type { ByteStream, StreamHandler } from '../env/network.ts';
import { apiVersionsApi } from '../protocol/apis/api-versions.ts';
import type { RequestFrame } from '../protocol/frame.ts';
import { decodeRequestFrame } from '../protocol/frame.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import type { BrokerContext, Call } from './context.ts';
import type { Frame } from './frame-reader.ts';
import { FrameReader } from './frame-reader.ts';
import { answerUnknownVersion } from './handlers/api-versions.ts';
import type { Route } from './route.ts';
import { routeFor } from './routes.ts';

/** A connection with so many requests unanswered, or so many response bytes unread, is not read from until it has fewer. */
const MAX_PENDING_REQUESTS = 256;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

interface Pending {
  frame: Frame | undefined;
  /** `held`: not begun, waits for its turn. `begun`: its handler runs. `done`: to be sent when all before it are. */
  state: 'held' | 'begun' | 'done';
  response: Buffer[] | undefined;
  /** Of frame and response, as counted in `#pendingBytes`. */
  bytes: number;
  /** Of a handler that runs. */
  call: Call | undefined;
}

export interface ConnectionOptions {
  readonly listener: string;
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
  /** Pieces of responses in lent memory, which the network may still read from; and their bytes. */
  #leaving: Buffer[] = [];
  #leavingBytes = 0;
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
    this.#reader = new FrameReader(context.buffers, context.config.values['socket.request.max.bytes']);
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
    this.#takeBackSent();
    this.#beginHeld();
    this.#throttle();
  }

  closed(): void {
    this.#closed = true;
    // What a handler is at work on is its own until it is done.
    for (const pending of this.#pending.splice(0)) {
      if (pending.state === 'begun') pending.call?.hurry?.();
      else this.#recycle(pending);
    }
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
    const pending: Pending = { frame, state: 'held', response: undefined, bytes: frame.size, call: undefined };
    this.#pending.push(pending);
    this.#pendingBytes += frame.size;
    this.#begin(pending, frame);
    this.#hurryHead();
  }

  /** A handler that waits for news may answer without, if others wait for its answer. */
  #hurryHead(): void {
    const head = this.#pending[0];
    if (this.#pending.length > 1 && head?.state === 'begun') head.call?.hurry?.();
  }

  /** Begins the request if it need not wait for its turn. */
  #begin(pending: Pending, frame: Frame): void {
    try {
      const request = decodeRequestFrame(frame.buffer.subarray(0, frame.size));
      const route = this.#routeOf(request);
      if (route?.inTurn === true && !this.#isTurnOf(pending)) return;
      pending.state = 'begun';
      pending.call = this.#callOf(request);
      const answer = this.#answer(request, pending.call, route);
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

  #isTurnOf(pending: Pending): boolean {
    return this.#pending[0] === pending && this.#stream.bufferedBytes <= MAX_PENDING_BYTES;
  }

  /** The head of the line, if it waited to be that. */
  #beginHeld(): void {
    const head = this.#pending[0];
    if (this.#closed || head?.state !== 'held' || head.frame === undefined) return;
    this.#begin(head, head.frame);
    this.#hurryHead();
  }

  /** Undefined for an ApiVersions of a version that is not served, which is answered all the same. */
  #routeOf({ header, api }: RequestFrame): Route | undefined {
    const route = api === undefined ? undefined : routeFor(api);
    if (route?.api.supports(header.apiVersion) === true) return route;
    if (header.apiKey === apiVersionsApi.key) return undefined;
    throw new ProtocolError(`API key ${header.apiKey} version ${header.apiVersion} is not served`); // behaviour 3
  }

  #callOf({ header }: RequestFrame): Call {
    const { host, port } = this.#stream.peer;
    return {
      apiVersion: header.apiVersion,
      clientId: header.clientId ?? '',
      peer: `${host}:${port}`,
      listener: this.#options.listener,
    };
  }

  #answer(
    { header, reader }: RequestFrame,
    call: Call,
    route: Route | undefined,
  ): Promise<Buffer[] | undefined> | Buffer[] | undefined {
    if (route === undefined) return answerUnknownVersion(header);
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
    pending.state = 'done';
    pending.response = response;
    if (this.#closed) return this.#recycle(pending);
    const bytes = response?.reduce((sum, part) => sum + part.length, 0) ?? 0;
    pending.bytes += bytes;
    this.#pendingBytes += bytes;
    let count = 0;
    for (const head of this.#pending) {
      if (head.state !== 'done') break;
      count++;
      if (head.response !== undefined) this.#send(head.response);
      this.#recycle(head);
    }
    if (count > 0) {
      this.#pending.splice(0, count);
      this.lastActiveMs = this.#context.clock.now();
      this.#beginHeld();
    }
    this.#throttle();
  }

  #send(response: Buffer[]): void {
    this.#takeBackSent();
    this.#stream.write(response);
    for (const part of response) {
      if (!this.#context.buffers.isLent(part)) continue;
      this.#leaving.push(part);
      this.#leavingBytes += part.length;
    }
    // So busy that its queue is never seen empty: better some garbage than all that memory held.
    if (this.#leavingBytes > 2 * MAX_PENDING_BYTES) this.#forgetSent();
  }

  /** Once nothing is queued, nobody reads from what was sent. Not after the end, when that cannot be known. */
  #takeBackSent(): void {
    if (this.#leaving.length === 0 || this.#closed || this.#stream.bufferedBytes > 0) return;
    for (const part of this.#leaving) this.#context.buffers.takeBack(part);
    this.#forgetSent();
  }

  #forgetSent(): void {
    this.#leaving = [];
    this.#leavingBytes = 0;
  }

  #recycle(pending: Pending): void {
    if (pending.frame === undefined) return;
    this.#pendingBytes -= pending.bytes;
    this.#context.buffers.giveBack(pending.frame.buffer);
    pending.frame = undefined;
  }
}
