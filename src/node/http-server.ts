// HTTP for probes: GET only, one short answer per path.
import { createServer } from 'node:http';
import type { Logger } from '../env/logger.ts';
import type { Address, HttpAnswer, Listener } from '../env/network.ts';
import { bindServer } from './tcp-server.ts';

/** See Network.serveHttp. */
export async function serveHttp(at: Address, answer: (path: string) => HttpAnswer, logger: Logger): Promise<Listener> {
  const server = createServer((request, response) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const { status, contentType, body } = isRead
      ? answer(path)
      : { status: 405, contentType: 'text/plain', body: 'only GET is answered here\n' };
    response.writeHead(status, { 'content-type': contentType, ...(isRead ? {} : { allow: 'GET, HEAD' }) });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  const address = await bindServer(server, at, logger);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
