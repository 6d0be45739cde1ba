// One TCP connection as a ByteStream. Receives through `onread` into one static buffer for all sockets, which is what makes
// it fast: libuv reads and hands over synchronously, so no two sockets ever hold the buffer at once. Sends what was written
// in one turn of the event loop with one writev. Handler callbacks come from the event loop, never from inside `write`,
// `close`, `pause` or `resume`.
import * as net from 'node:net';
import type { EnvError } from '../env/error.ts';
import type { Address, ByteStream, StreamHandler } from '../env/network.ts';
import { toEnvError } from './system-error.ts';

/** What one read can bring: small enough to stay in the cache of the core, and larger ones measured slower. */
const RECEIVE_BYTES = 64 * 1024;

/** An idle connection is probed after so long, to find out that the peer's machine is gone. */
const KEEP_ALIVE_MS = 30_000;

/** After our end of a stream was closed, nothing moving for so long means that the peer will not close its end. */
const LINGER_MS = 10_000;

const receiveBuffer = Buffer.allocUnsafeSlow(RECEIVE_BYTES);

export const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS } as const;

export class TcpStream implements ByteStream {
  readonly socket: net.Socket;
  readonly peer: Address;
  /** Resolves when the socket is gone. */
  readonly ended: Promise<void>;
  private handler: StreamHandler | undefined;
  /** `flushing`: closed here, sending what is queued, discarding what comes. `closed`: the handler was told. */
  private state: 'open' | 'flushing' | 'closed' = 'open';
  private corked = false;
  private owesDrained = false;
  private failure: EnvError | undefined;

  constructor(open: (onread: net.OnReadOpts) => net.Socket, peer?: Address) {
    this.socket = open({ buffer: receiveBuffer, callback: (length) => this.received(receiveBuffer, length) });
    this.peer = peer ?? peerOf(this.socket);
    this.ended = new Promise((resolve) => {
      this.socket.once('close', () => resolve());
    });
  }

  /** Gives the connected stream its handler; no callback comes before the present turn of the event loop is over. */
  start(handler: StreamHandler): void {
    this.handler = handler;
    this.socket.on('error', (error) => {
      this.failure ??= toEnvError(error, `the connection with ${this.peer.host}:${this.peer.port} broke`);
    });
    this.socket.on('end', () => {
      this.socket.setTimeout(LINGER_MS, this.drop);
      this.tellClosed();
    });
    this.socket.on('close', () => this.tellClosed());
  }

  /** Takes bytes that the socket received; for sockets without `onread` too. */
  received(bytes: Buffer, length: number): boolean {
    if (this.state === 'open') this.handler?.data(length === bytes.length ? bytes : bytes.subarray(0, length));
    return true;
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.state !== 'open') return;
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      process.nextTick(this.uncork);
    }
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      this.owesDrained = true;
      this.socket.write(chunk, this.written);
    }
  }

  get bufferedBytes(): number {
    return this.state === 'closed' ? 0 : this.socket.writableLength;
  }

  pause(): void {
    if (this.state === 'open') this.socket.pause();
  }

  resume(): void {
    if (this.state === 'open') this.socket.resume();
  }

  close(how: 'flush' | 'abort'): void {
    if (how === 'abort') this.drop();
    else if (this.state === 'open') this.flushAndEnd();
  }

  private flushAndEnd(): void {
    this.state = 'flushing';
    this.socket.end();
    // Bytes left unread would make the kernel reset the connection, and the peer lose what is still on its way.
    this.socket.resume();
    this.socket.setTimeout(LINGER_MS, this.drop);
  }

  /**
   * Ends the connection at once, with a reset unless all was sent and ended before: the peer must not take it for an orderly
   * end. (`resetAndDestroy` would wait for the queue; this is the flag that it sets. A reset after our FIN is an error.)
   */
  private readonly drop = (): void => {
    if (this.state === 'open' || this.socket.writableLength > 0) {
      (this.socket as net.Socket & { resetAndClosing?: boolean }).resetAndClosing = true;
    }
    if (this.state === 'open') this.state = 'flushing';
    this.socket.destroy();
  };

  private tellClosed(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.handler?.closed(this.failure);
  }

  private readonly uncork = (): void => {
    this.corked = false;
    this.socket.uncork();
  };

  private readonly written = (): void => {
    if (!this.owesDrained || this.state !== 'open' || this.socket.writableLength > 0) return;
    this.owesDrained = false;
    this.handler?.drained?.();
  };
}

/** A stream that is being connected; `start` it on the socket's `connect`. */
export function openingStream(to: Address): TcpStream {
  return new TcpStream((onread) => net.connect({ ...SOCKET_OPTIONS, host: to.host, port: to.port, onread }), to);
}

/** A stream over a socket that a server with `pauseOnConnect` accepted. */
export function acceptedStream(accepted: net.Socket): TcpStream {
  const handle = takeHandle(accepted);
  if (handle !== undefined) {
    return new TcpStream((onread) => new net.Socket({ handle, onread } as net.SocketConstructorOpts));
  }
  const stream = new TcpStream(() => accepted);
  accepted.on('data', (bytes: Buffer) => stream.received(bytes, bytes.length));
  // `pauseOnConnect` paused it; it flows from the next turn on, when the stream has its handler.
  accepted.resume();
  return stream;
}

/**
 * A server cannot be given `onread`, so the accepted handle moves to a socket of our own. `_handle` is not documented;
 * where it is missing, the accepted socket serves with its `data` events.
 */
function takeHandle(accepted: net.Socket): object | undefined {
  const owner = accepted as net.Socket & { _handle?: object | null };
  const handle = owner._handle;
  if (handle === undefined || handle === null) return undefined;
  owner._handle = null;
  accepted.destroy();
  return handle;
}

function peerOf(socket: net.Socket): Address {
  const host = socket.remoteAddress ?? 'unknown';
  return { host: host.startsWith('::ffff:') ? host.slice(7) : host, port: socket.remotePort ?? 0 };
}
