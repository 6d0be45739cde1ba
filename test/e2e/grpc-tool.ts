// A gRPC tool that knows nothing of Kvorum, as grpcurl does not: it asks a server by reflection what it serves, builds its
// client from the answer, and calls. Only gRPC's own two protocols are known before.
import { join } from 'node:path';
import type { Client, ServiceClientConstructor, ServiceError } from '@grpc/grpc-js';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';

const OPTIONS = { longs: Number, enums: String, defaults: true, keepCase: true };

export type Message = Record<string, unknown>;

/** Services by their full name. */
type Services = ReadonlyMap<string, ServiceClientConstructor>;

function servicesOf(definition: PackageDefinition): Services {
  const found = new Map<string, ServiceClientConstructor>();
  const walk = (tree: object, path: string): void => {
    for (const [name, item] of Object.entries(tree)) {
      const full = path === '' ? name : `${path}.${name}`;
      if (typeof item === 'function' && 'service' in item) found.set(full, item as ServiceClientConstructor);
      else if (typeof item === 'object' && item !== null && !('format' in item)) walk(item as object, full);
    }
  };
  walk(loadPackageDefinition(definition), '');
  return found;
}

function loadProto(name: string): Services {
  return servicesOf(loadSync(join(import.meta.dirname, 'proto', name), OPTIONS));
}

const reflection = loadProto('reflection.proto');
const health = loadProto('health.proto');
const statuses = loadProto('status.proto');

/** The details of a failed call, as `grpcurl` shows them: of which type, and the bytes of each. */
export function detailsOf(error: unknown): { readonly code: unknown; readonly details: readonly Message[] } {
  const [trailer] = (error as ServiceError).metadata.get('grpc-status-details-bin');
  const { Read } = statuses.get('google.rpc.Statuses')?.service ?? {};
  if (!Buffer.isBuffer(trailer) || Read === undefined) throw new Error(`no details came with: ${String(error)}`);
  const { code, details } = Read.requestDeserialize(trailer) as { code: unknown; details: Message[] };
  return { code, details };
}

type Callback = (error: ServiceError | null, response: Message) => void;

export class GrpcTool {
  readonly #address: string;
  readonly #clients: Client[] = [];

  constructor(address: string) {
    this.#address = address;
  }

  close(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }

  /** `grpcurl list`. */
  async listServices(): Promise<string[]> {
    const answer = await this.#reflect({ list_services: '*' });
    const { service } = answer['list_services_response'] as { service: readonly { name: string }[] };
    return service.map(({ name }) => name).sort();
  }

  /** `grpc_health_probe`. */
  async health(service: string): Promise<unknown> {
    const { status } = await this.#call(health, 'grpc.health.v1.Health', 'Check', { service });
    return status;
  }

  /** `grpcurl -d request address service/method`. ServiceError with its code and details. */
  async call(service: string, method: string, request: Message): Promise<Message> {
    return this.#call(await this.#describe(service), service, method, request);
  }

  /** The same for a method that answers with a stream, which is cancelled when the loop is left. */
  async *stream(service: string, method: string, request: Message): AsyncGenerator<Message, void> {
    const client = this.#client(await this.#describe(service), service) as unknown as Record<
      string,
      (request: Message) => AsyncIterable<Message> & NodeJS.EventEmitter & { cancel(): void }
    >;
    const stream = client[method]?.(request);
    if (stream === undefined) throw new Error(`there is no method ${service}/${method}`);
    // What comes after the loop was left, its own cancellation, is nobody's business.
    stream.on('error', () => undefined);
    try {
      yield* stream;
    } finally {
      stream.cancel();
    }
  }

  async #describe(service: string): Promise<Services> {
    const answer = await this.#reflect({ file_containing_symbol: service });
    const { file_descriptor_proto: files } = answer['file_descriptor_response'] as { file_descriptor_proto: Buffer[] };
    // A FileDescriptorSet is its files one after the other, each as field 1.
    const set = Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
    return servicesOf(loadFileDescriptorSetFromBuffer(set, OPTIONS));
  }

  #client(services: Services, service: string): Client {
    const Constructor = services.get(service);
    if (Constructor === undefined) throw new Error(`there is no service ${service}`);
    const client = new Constructor(this.#address, credentials.createInsecure());
    this.#clients.push(client);
    return client;
  }

  #call(services: Services, service: string, method: string, request: Message): Promise<Message> {
    const client = this.#client(services, service) as unknown as Record<string, (...args: unknown[]) => void>;
    return new Promise((resolve, reject) => {
      const callback: Callback = (error, response) => (error === null ? resolve(response) : reject(error));
      client[method]?.(request, { deadline: Date.now() + 10_000 }, callback);
    });
  }

  #reflect(request: Message): Promise<Message> {
    const client = this.#client(reflection, 'grpc.reflection.v1.ServerReflection') as Client & {
      ServerReflectionInfo(options: object): NodeJS.EventEmitter & { write(request: Message): void; end(): void };
    };
    return new Promise((resolve, reject) => {
      const stream = client.ServerReflectionInfo({ deadline: Date.now() + 10_000 });
      stream.once('data', resolve).once('error', reject);
      stream.write(request);
      stream.end();
    });
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
