// Binding of listening sockets, for byte streams and for gRPC alike, so that both report the same errors.
import type * as net from 'node:net';
import type { Logger } from '../env/logger.ts';
import type { Address } from '../env/network.ts';
import { toEnvError } from './system-error.ts';

/**
 * Makes `server` listen; resolves with the address and the real port. EnvError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE,
 * PERMISSION. A connection that cannot be accepted later on (too many open files) is logged: the peer tries again.
 */
export function bindServer(server: net.Server, at: Address, logger: Logger): Promise<Address> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(toEnvError(error, `cannot listen on ${at.host}:${at.port}`));
    server.once('error', fail);
    server.listen({ host: at.host, port: at.port }, () => {
      server.off('error', fail);
      server.on('error', (error) => logger.warn('accept-failed', { host: at.host, error }));
      const bound = server.address();
      resolve({ host: at.host, port: typeof bound === 'object' && bound !== null ? bound.port : at.port });
    });
  });
}
