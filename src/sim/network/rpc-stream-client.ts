// The calling side of a simulated stream of answers: messages wait here, a few kilobytes of them, until the caller takes them.
import { FrameSplitter } from '../../client/frame-splitter.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { EnvError } from '../../env/error.ts';
import { isEnvError } from '../../env/error.ts';
import type { Address, ByteStream, RpcServiceDefinition, RpcStreamMethod, StreamHandler } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import type { Incarnation } from '../world/incarnation.ts';
import { hostNamed } from './hosts.ts';
import type { RpcFabric } from './rpc-call.ts';
import { MAX_FRAME_BYTES, readFrame, requestFrame } from './rpc-frames.ts';
import { connectStream } from './streams.ts';

/** Nothing more is read while so much waits to be taken. */
const QUEUE_BYTES = 64 * 1024;

export interface StreamCaller {
  readonly fabric: RpcFabric;
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly to: Address;
  /** Those under way; whoever closes the client fails them. */
  readonly running: Set<{ fail(error: RpcError): void }>;
}

export async function* callStream<Request, Response>(
  caller: StreamCaller,
  service: RpcServiceDefinition,
  method: RpcStreamMethod<Request, Response>,
  request: Request,
  timeoutMs: number,
): AsyncGenerator<Response, void> {
  const header = { service: service.fullName, method: method.name };
  const finite = { ...header, timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : null };
  const inbox = new Inbox(caller, timeoutMs, method.name);
  try {
    await inbox.open(requestFrame(finite, method.requestType.encode(request).finish()));
    for (;;) {
      const bytes = await inbox.next();
      if (bytes === undefined) return;
      yield method.responseType.decode(bytes);
    }
  } finally {
    inbox.leave();
  }
}

class Inbox implements StreamHandler {
  readonly #caller: StreamCaller;
  readonly #frames = new FrameSplitter(MAX_FRAME_BYTES);
  readonly #messages: Buffer[] = [];
  readonly #deadline: Timer;
  readonly #timeoutMs: number;
  #waitingBytes = 0;
  #stream: ByteStream | undefined;
  #keepAlive: Timer | undefined;
  /** How it ended; undefined while it has not. */
  #outcome: RpcError | 'end' | undefined;
  #wake: (() => void) | undefined;

  constructor(caller: StreamCaller, timeoutMs: number, method: string) {
    this.#caller = caller;
    this.#timeoutMs = timeoutMs;
    caller.running.add(this);
    this.#deadline = caller.clock.schedule(timeoutMs, () =>
      this.fail(new RpcError('DEADLINE_EXCEEDED', `${method} took longer than ${timeoutMs} ms`)),
    );
  }

  /** Connects and sends the request; what fails is told by `next`. */
  async open(request: Buffer): Promise<void> {
    const { fabric, incarnation, clock, to } = this.#caller;
    const connectMs = Math.min(this.#timeoutMs, fabric.keepAliveMs);
    try {
      await connectStream(fabric, incarnation, clock, to, connectMs, (stream) => {
        this.#stream = stream;
        if (this.#outcome === undefined) stream.write([request]);
        else stream.close('abort');
        return this;
      });
      this.#listenForSilence();
    } catch (error) {
      if (!isEnvError(error)) throw error;
      // The deadline speaks for itself where it is the reason.
      if (error.code !== 'TIMED_OUT' || this.#timeoutMs > fabric.keepAliveMs) {
        this.fail(new RpcError('UNAVAILABLE', error.message, 'refused'));
      }
    }
  }

  /** The next message, undefined at the end. RpcError. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#waitingBytes -= message.length;
        if (this.#waitingBytes < QUEUE_BYTES) this.#stream?.resume();
        return message;
      }
      if (this.#outcome === 'end') return undefined;
      if (this.#outcome !== undefined) throw this.#outcome;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The caller takes no more. */
  leave(): void {
    this.#end('end');
    this.#stream?.close('abort');
  }

  fail(error: RpcError): void {
    this.#end(error);
    this.#messages.length = 0;
    this.#stream?.close('abort');
  }

  data(chunk: Buffer): void {
    this.#frames.push(chunk, (bytes) => {
      const frame = readFrame(bytes);
      if (frame.type === 'message') {
        this.#messages.push(frame.bytes);
        this.#waitingBytes += frame.bytes.length;
        if (this.#waitingBytes >= QUEUE_BYTES) this.#stream?.pause();
        this.#wake?.();
      } else if (frame.type === 'end') this.#end('end');
      else if (frame.type === 'failure') this.fail(frame.error);
    });
  }

  closed(error?: EnvError): void {
    const { to } = this.#caller;
    const reason = error?.message ?? `the connection with ${to.host}:${to.port} broke`;
    if (this.#outcome === undefined) this.fail(new RpcError('UNAVAILABLE', reason, 'broken'));
  }

  #end(outcome: RpcError | 'end'): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#deadline.cancel();
    this.#keepAlive?.cancel();
    this.#caller.running.delete(this);
    this.#wake?.();
  }

  /** As the keep-alive of gRPC does: a peer that cannot answer is given up, also when nothing is on the way. */
  #listenForSilence(): void {
    const { fabric, incarnation, clock, to } = this.#caller;
    if (this.#outcome !== undefined) return;
    this.#keepAlive = clock.schedule(fabric.keepAliveMs, () => {
      const there = hostNamed(to.host, incarnation.host);
      const { links } = fabric;
      const isUp = links.isUp(incarnation.host, there) && links.isUp(there, incarnation.host);
      if (isUp && fabric.host(there).isPowered) this.#listenForSilence();
      else this.fail(new RpcError('UNAVAILABLE', `${to.host}:${to.port} does not answer`, 'broken'));
    });
  }
}
