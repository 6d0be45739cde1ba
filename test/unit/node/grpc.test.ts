// What only gRPC has: reflection, health, the log line of a failed handler, and strangers on the port.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { Client, credentials, loadPackageDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Listener, RpcMessageType } from '../../../src/env/network.ts';
import { rpcService } from '../../../src/env/network.ts';
import { AdminServiceDefinition } from '../../../src/gen/kvorum/v1/admin.ts';
import { ControllerServiceDefinition } from '../../../src/gen/kvorum/v1/controller.ts';
import { createLogger } from '../../../src/node/logger.ts';
import { createNetwork } from '../../../src/node/network.ts';

const logLines: Record<string, unknown>[] = [];
const logger = createLogger({
  destination: { write: (line: string) => void logLines.push(JSON.parse(line) as Record<string, unknown>) },
});
const network = createNetwork(logger);

/** Every method of a definition answers with a failure that no peer may see. */
function failing(definition: typeof AdminServiceDefinition | typeof ControllerServiceDefinition) {
  const handlers = Object.keys(definition.methods).map((name) => [
    name,
    () => Promise.reject(new Error(`${name} is broken`)),
  ]);
  return { definition, handlers: Object.fromEntries(handlers) as Record<string, () => Promise<never>> };
}

let listener: Listener;
let target: string;

beforeEach(async () => {
  logLines.length = 0;
  const services = [failing(AdminServiceDefinition), failing(ControllerServiceDefinition)];
  listener = await network.serve({ host: '127.0.0.1', port: 0 }, services);
  target = `127.0.0.1:${listener.address.port}`;
});
afterEach(() => listener.close());

interface ReflectionAnswer {
  listServicesResponse?: { service: { name: string }[] };
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] };
  errorResponse?: { errorCode: number };
}

/** Asks the reflection service as grpcurl does. */
async function reflect(version: 'v1' | 'v1alpha', question: object): Promise<ReflectionAnswer> {
  const folder = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
  const proto = loadSync(join(folder, `build/proto/grpc/reflection/${version}/reflection.proto`), { oneofs: true });
  const loaded = loadPackageDefinition(proto) as unknown as {
    grpc: { reflection: Record<string, { ServerReflection: typeof Client }> };
  };
  const client = new (loaded.grpc.reflection[version]?.ServerReflection ?? Client)(
    target,
    credentials.createInsecure(),
  );
  const stub = client as unknown as { ServerReflectionInfo(): ClientDuplexStream<object, ReflectionAnswer> };
  const stream = stub.ServerReflectionInfo();
  const answer = await new Promise<ReflectionAnswer>((resolve, reject) => {
    stream.on('data', resolve).on('error', reject);
    stream.write(question);
  });
  stream.end();
  client.close();
  return answer;
}

/** The health check's messages: one string in, one enum out, each field 1. */
const serviceName: RpcMessageType<string> = {
  encode: (name) => ({ finish: () => Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]) }),
  decode: (input) => Buffer.from(input).toString(),
};
const servingStatus: RpcMessageType<number | undefined> = {
  encode: () => ({ finish: () => Buffer.alloc(0) }),
  decode: (input) => input[1],
};
const SERVING = 1;
const NOT_SERVING = 2;
const Health = {
  fullName: 'grpc.health.v1.Health',
  methods: { check: { name: 'Check', requestType: serviceName, responseType: servingStatus } },
} as const;

describe('grpc', () => {
  it('lists what it serves by reflection, old and new, with the descriptions of the messages', async () => {
    for (const version of ['v1', 'v1alpha'] as const) {
      const listed = await reflect(version, { listServices: '*' });
      expect(listed.listServicesResponse?.service.map((service) => service.name).sort()).toEqual([
        'kvorum.v1.AdminService',
        'kvorum.v1.ControllerService',
      ]);
      const file = await reflect(version, { fileContainingSymbol: 'kvorum.v1.AdminService' });
      const descriptors = Buffer.concat(file.fileDescriptorResponse?.fileDescriptorProto ?? []).toString('latin1');
      expect(descriptors).toContain('CreateTopicsRequest');
      const unknown = await reflect(version, { fileContainingSymbol: 'kvorum.v1.Nothing' });
      expect(unknown.errorResponse?.errorCode).toBe(5);
    }
  });

  it('is healthy as a whole and for each service', async () => {
    const client = network.client(listener.address);
    for (const name of ['', 'kvorum.v1.AdminService', 'kvorum.v1.ControllerService']) {
      expect(await client.call(Health, Health.methods.check, name, 5000)).toBe(SERVING);
    }
    const unknown = client.call(Health, Health.methods.check, 'kvorum.v1.RaftService', 5000);
    await expect(unknown).rejects.toMatchObject({ status: 'NOT_FOUND' });
    client.close();
  });

  it('tells who watches its health that it stops', async () => {
    const client = new Client(target, credentials.createInsecure());
    const seen: unknown[] = [];
    const stopping = new Promise<void>((resolve) => {
      client
        .makeServerStreamRequest(
          '/grpc.health.v1.Health/Watch',
          () => Buffer.alloc(0),
          (bytes) => bytes[1],
          '',
        )
        .on('data', (status) => {
          seen.push(status);
          if (seen.length === 1) void listener.close();
          else resolve();
        })
        .on('error', () => undefined);
    });
    await stopping;
    expect(seen).toEqual([SERVING, NOT_SERVING]);
    client.close();
  });

  it('logs what a handler threw and keeps it from the caller', async () => {
    const client = network.client(listener.address);
    const { listTopics } = AdminServiceDefinition.methods;
    const call = client.call(AdminServiceDefinition, listTopics, {}, 5000);
    await expect(call).rejects.toMatchObject({ status: 'INTERNAL', message: expect.not.stringContaining('broken') });
    expect(logLines).toEqual([
      expect.objectContaining({
        level: 'error',
        event: 'rpc-handler-failed',
        path: '/kvorum.v1.AdminService/ListTopics',
        error: expect.objectContaining({ message: 'listTopics is broken' }),
      }),
    ]);
    client.close();
  });

  it('answers bytes that are no message with a status', async () => {
    const garbage: RpcMessageType<object> = {
      encode: () => ({ finish: () => Buffer.from([0xff, 0xff, 0xff]) }),
      decode: () => ({}),
    };
    const client = network.client(listener.address);
    const method = { name: 'ListTopics', requestType: garbage, responseType: garbage };
    const call = client.call(AdminServiceDefinition, method, {}, 5000);
    await expect(call).rejects.toMatchObject({ status: 'INVALID_ARGUMENT', transport: undefined });
    client.close();
  });

  it('survives strangers on the port', async () => {
    const closed = new Promise<void>((resolve, reject) => {
      const handler = { data: () => undefined, closed: () => resolve() };
      network
        .connect(listener.address, 5000, (stream) => {
          stream.write([Buffer.from('GET / HTTP/1.1\r\nHost: kvorum\r\n\r\n')]);
          return handler;
        })
        .catch(reject);
    });
    await closed;
    const client = network.client(listener.address);
    expect(await client.call(Health, Health.methods.check, '', 5000)).toBe(SERVING);
    client.close();
  });

  it('says of a connection that it does not get what the system says, and no more', async () => {
    const { address } = listener;
    await listener.close();
    const client = network.client(address);
    const error: unknown = await client
      .call(AdminServiceDefinition, AdminServiceDefinition.methods.listTopics, {}, 5000)
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ transport: 'refused', message: `connect ECONNREFUSED ${target}` });
    client.close();
  });

  it('checks handlers against their definition', () => {
    // @ts-expect-error: vote is missing
    expect(rpcService(Health, {})).toBeDefined();
  });
});
