// The serving side of RPC: services over gRPC with health and reflection. The socket is ours (grpc-js takes connections from
// us), so that listening fails with the same errors as for byte streams.

import * as net from 'node:net';
import type { ServerUnaryCall, ServiceDefinition, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { AssertionError, must } from '../base/assert.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, Listener, RpcContext, RpcHandler, RpcService } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { MAX_MESSAGE_BYTES, methodDefinition, pathOf } from './grpc-codec.ts';
import { addHealth, addReflection } from './grpc-standard-services.ts';
import { codeOf, INTERNAL_FAILURE } from './grpc-status.ts';
import { bindServer } from './tcp-server.ts';
import { SOCKET_OPTIONS } from './tcp-stream.ts';

/** How long the close lets running calls end. */
const CLOSE_LIMIT_MS = 1000;

const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.enable_channelz': 0,
};

/** Serves RPC: `Network.serve`. */
export async function serve(at: Address, services: readonly RpcService[], logger: Logger): Promise<Listener> {
  const server = new Server(SERVER_OPTIONS);
  for (const service of services) addService(server, service, logger);
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
  let closing: Promise<void> | undefined;
  return {
    address,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function addService(server: Server, service: RpcService, logger: Logger): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const [key, method] of Object.entries(service.definition.methods)) {
    const path = pathOf(service.definition, method);
    definition[key] = methodDefinition(service.definition, method);
    implementation[key] = unaryHandler(path, must(service.handlers[key], `handler of ${path}`), logger);
  }
  server.addService(definition, implementation);
}

function unaryHandler(path: string, handler: RpcHandler<unknown, unknown>, logger: Logger) {
  return (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    answerCall(call, handler).then(
      (response) => answer(null, response),
      (error: unknown) => {
        if (error instanceof RpcError) {
          answer({ code: codeOf(error.status), details: error.message });
          return;
        }
        logger.error('rpc-handler-failed', { path, peer: call.getPeer(), error });
        answer(INTERNAL_FAILURE);
        if (error instanceof AssertionError) stopProcess(error);
      },
    );
  };
}

async function answerCall(
  call: ServerUnaryCall<unknown, unknown>,
  handler: RpcHandler<unknown, unknown>,
): Promise<unknown> {
  const context: RpcContext = { peer: call.getPeer(), remainingMs: remainingMs(call) };
  return handler(call.request, context);
}

function remainingMs(call: ServerUnaryCall<unknown, unknown>): number {
  const deadline = call.getDeadline();
  return Math.max(0, (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now());
}

/** A broken invariant ends the process whoever found it: thrown outside of any promise it is an uncaught exception. */
function stopProcess(error: AssertionError): void {
  setImmediate(() => {
    throw error;
  });
}
