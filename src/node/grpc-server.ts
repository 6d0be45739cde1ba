// The serving side of RPC: services over gRPC with health and reflection. The socket is ours (grpc-js takes connections from
// us), so that listening fails with the same errors as for byte streams.

import * as net from 'node:net';
import type { ServerUnaryCall, ServiceDefinition, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { AssertionError, must } from '../base/assert.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, Listener, RpcContext, RpcHandler, RpcService, RpcStreamHandler } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { MAX_MESSAGE_BYTES, methodDefinition, pathOf, remainingMs, requestOf } from './grpc-codec.ts';
import { failureTrailers } from './grpc-detail.ts';
import { addHealth, addReflection } from './grpc-standard-services.ts';
import { codeOf, INTERNAL_FAILURE } from './grpc-status.ts';
import { streamHandler } from './grpc-stream.ts';
import { bindServer } from './tcp-server.ts';
import { SOCKET_OPTIONS } from './tcp-stream.ts';

/** How long the close lets running calls end. */
const CLOSE_LIMIT_MS = 1000;

const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.enable_channelz': 0,
  // A caller whose machine is gone says nothing: its streams would stay for ever where nothing is sent.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/** Serves RPC: `Network.serve`. */
export async function serve(at: Address, services: readonly RpcService[], logger: Logger): Promise<Listener> {
  const server = new Server(SERVER_OPTIONS);
  const closing = new AbortController();
  for (const service of services) addService(server, service, logger, closing.signal);
  const names = services.map((service) => service.definition.fullName);
  const health = addHealth(server, names, logger);
  addReflection(server, names, logger);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<net.Socket>();
  const acceptor = net.createServer(SOCKET_OPTIONS, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  const address = await bindServer(acceptor, at, logger).catch((error: unknown) => {
    server.forceShutdown();
    throw error;
  });
  const close = async (): Promise<void> => {
    health.stop();
    closing.abort();
    const closed = new Promise<void>((resolve) => {
      acceptor.close(() => resolve());
    });
    injector.drain(CLOSE_LIMIT_MS);
    const limit = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, CLOSE_LIMIT_MS);
    await closed;
    clearTimeout(limit);
    server.forceShutdown();
  };
  let closed: Promise<void> | undefined;
  return {
    address,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function addService(server: Server, service: RpcService, logger: Logger, closing: AbortSignal): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [key, method] of Object.entries(service.definition.methods)) {
    const path = pathOf(service.definition, method);
    definition[key] = methodDefinition(service.definition, method);
    const handler = must(service.handlers[key], `handler of ${path}`);
    const bug = (error: unknown, peer: string): void => reportBug(logger, error, { path, peer });
    implementation[key] =
      method.responseStream === true
        ? streamHandler(handler as RpcStreamHandler<unknown, unknown>, closing, bug)
        : unaryHandler(handler as RpcHandler<unknown, unknown>, bug);
  }
  server.addService(definition, implementation);
}

function unaryHandler(handler: RpcHandler<unknown, unknown>, bug: (error: unknown, peer: string) => void) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    answerCall(call, handler).then(
      (response) => answer(null, response),
      (error: unknown) => {
        if (error instanceof RpcError) {
          answer({ code: codeOf(error.status), details: error.message, metadata: failureTrailers(error) });
          return;
        }
        answer(INTERNAL_FAILURE);
        bug(error, call.getPeer());
      },
    );
  };
}

async function answerCall(
  call: ServerUnaryCall<unknown, unknown>,
  handler: RpcHandler<unknown, unknown>,
): Promise<unknown> {
  const context: RpcContext = { peer: call.getPeer(), remainingMs: remainingMs(call) };
  return handler(requestOf(call), context);
}

/** A broken invariant ends the process whoever found it: thrown outside of any promise it is an uncaught exception. */
function reportBug(logger: Logger, error: unknown, where: { path: string; peer: string }): void {
  logger.error('rpc-handler-failed', { ...where, error });
  if (!(error instanceof AssertionError)) return;
  setImmediate(() => {
    throw error;
  });
}
