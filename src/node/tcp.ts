// The byte-stream half of the Network port, over TCP.
import * as net from 'node:net';
import type { Ms } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, ByteStream, Listener, StreamHandler } from '../env/network.ts';
import { toEnvError } from './system-error.ts';
import { bindServer } from './tcp-server.ts';
import type { TcpStream } from './tcp-stream.ts';
import { acceptedStream, openingStream, SOCKET_OPTIONS } from './tcp-stream.ts';

/** How long the close of a listener lets its streams send what is queued. */
const CLOSE_LIMIT_MS = 1000;

/** The longest delay that `setTimeout` takes. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Accepts byte streams: `Network.listen`. */
export async function listen(
  at: Address,
  accept: (stream: ByteStream) => StreamHandler,
  logger: Logger,
): Promise<Listener> {
  const streams = new Set<TcpStream>();
  const server = net.createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, (accepted) => {
    const stream = acceptedStream(accepted);
    streams.add(stream);
    stream.socket.once('close', () => streams.delete(stream));
    stream.start(accept(stream));
  });
  const address = await bindServer(server, at, logger);
  let closing: Promise<void> | undefined;
  return {
    address,
    close: () => {
      closing ??= closeListener(server, streams);
      return closing;
    },
  };
}

async function closeListener(server: net.Server, streams: ReadonlySet<TcpStream>): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const stream of streams) stream.close('flush');
  const limit = setTimeout(() => {
    for (const stream of streams) stream.close('abort');
  }, CLOSE_LIMIT_MS);
  await Promise.all([closed, ...[...streams].map((stream) => stream.ended)]);
  clearTimeout(limit);
}

/** Opens a byte stream: `Network.connect`. */
export function connect(
  to: Address,
  timeoutMs: Ms,
  attach: (stream: ByteStream) => StreamHandler,
): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const name = `${to.host}:${to.port}`;
    const stream = openingStream(to);
    const timer = setTimeout(
      () => stream.socket.destroy(new EnvError('TIMED_OUT', `no connection to ${name} within ${timeoutMs} ms`)),
      Math.min(timeoutMs, MAX_TIMEOUT_MS),
    );
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(toEnvError(error, `cannot connect to ${name}`));
    };
    stream.socket.once('error', fail);
    stream.socket.once('connect', () => {
      clearTimeout(timer);
      stream.socket.off('error', fail);
      stream.start(attach(stream));
      resolve(stream);
    });
  });
}
