// The serving side of a simulated stream of answers. It runs over a simulated byte stream, so order, loss, cuts, resets, the
// end of either process and back-pressure are those of that.

import { FrameSplitter } from '../../client/frame-splitter.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { ByteStream, RpcService, RpcStreamHandler, StreamHandler } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import { readRequest } from '../../env/rpc-request.ts';
import type { RpcFrame } from './rpc-frames.ts';
import { asAnswered, endFrame, MAX_FRAME_BYTES, messageFrame, readFrame } from './rpc-frames.ts';

export interface StreamServer {
  readonly services: ReadonlyMap<string, RpcService>;
  readonly clock: Clock;
  /** What a handler threw that is no RpcError. */
  readonly bug: (error: unknown) => void;
  /** Those under way. */
  readonly streams: Set<ServedStream>;
  /** Told when the last of them ended. */
  whenEmpty: () => void;
}

export class ServedStream implements StreamHandler {
  readonly #server: StreamServer;
  readonly #stream: ByteStream;
  readonly #cancel = new AbortController();
  readonly #frames = new FrameSplitter(MAX_FRAME_BYTES);
  #deadline: Timer | undefined;
  #isStarted = false;
  #isOver = false;
  #hasRoom: (() => void) | undefined;

  constructor(server: StreamServer, stream: ByteStream) {
    this.#server = server;
    this.#stream = stream;
    server.streams.add(this);
  }

  data(chunk: Buffer): void {
    this.#frames.push(chunk, (bytes) => {
      const frame = readFrame(bytes);
      if (frame.type !== 'request' || this.#isStarted) return;
      this.#isStarted = true;
      void this.#serve(frame);
    });
  }

  drained(): void {
    this.#hasRoom?.();
  }

  closed(): void {
    this.#stopHandler();
    this.#server.streams.delete(this);
    if (this.#server.streams.size === 0) this.#server.whenEmpty();
  }

  /** The server closes. */
  close(): void {
    this.#end(new RpcError('UNAVAILABLE', 'the server is closing'));
    this.#stopHandler();
  }

  abort(): void {
    this.#stream.close('abort');
  }

  async #serve(call: Extract<RpcFrame, { type: 'request' }>): Promise<void> {
    try {
      for await (const message of this.#messages(call)) {
        if (this.#isOver) return;
        this.#stream.write([messageFrame(message)]);
        if (this.#stream.bufferedBytes > 0) await this.#room();
        if (this.#isOver) return;
      }
      this.#end(undefined);
    } catch (error) {
      if (error instanceof RpcError) this.#end(asAnswered(error));
      else {
        this.#end(new RpcError('INTERNAL', 'internal error, see the log of the server'));
        this.#server.bug(error);
      }
    }
  }

  async *#messages({ header, bytes }: Extract<RpcFrame, { type: 'request' }>): AsyncGenerator<Uint8Array> {
    const { services, clock } = this.#server;
    const service = services.get(header.service);
    const found = Object.entries(service?.definition.methods ?? {}).find(([, { name }]) => name === header.method);
    const handler = found === undefined ? undefined : service?.handlers[found[0]];
    if (found === undefined || handler === undefined || found[1].responseStream !== true) {
      throw new RpcError('UNIMPLEMENTED', `no stream ${header.service}/${header.method}`);
    }
    const [, method] = found;
    const remainingMs = header.timeoutMs ?? Number.POSITIVE_INFINITY;
    this.#deadline = clock.schedule(remainingMs, () => {
      this.#end(new RpcError('DEADLINE_EXCEEDED', `${header.method} took longer than ${remainingMs} ms`));
      this.#stopHandler();
    });
    const peer = `${this.#stream.peer.host}:${this.#stream.peer.port}`;
    const context = { peer, remainingMs, signal: this.#cancel.signal };
    const request: unknown = readRequest(method, bytes);
    const answers = (handler as RpcStreamHandler<unknown, unknown>)(request, context);
    for await (const answer of answers) yield method.responseType.encode(answer).finish();
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#hasRoom = resolve;
    });
  }

  #end(failure: RpcError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadline?.cancel();
    this.#stream.write([endFrame(failure)]);
    this.#stream.close('flush');
  }

  #stopHandler(): void {
    this.#isOver = true;
    this.#deadline?.cancel();
    this.#cancel.abort();
    this.#hasRoom?.();
  }
}
