// Health and reflection, which gRPC's own tools expect of every server. Their packages would add some 200 ms to each start
// and most runs never ask them: the methods are registered by name, the packages loaded at the first call.
import type {
  MethodDefinition,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { HealthImplementation, ServingStatusMap } from 'grpc-health-check';
import { must } from '../base/assert.ts';
import type { Logger } from '../env/logger.ts';
import { INTERNAL_FAILURE } from './grpc-status.ts';

/** A service as its package registers it with a server. */
interface Registration {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

type Load = () => Promise<readonly Registration[]>;

const HEALTH_METHODS = [
  { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false },
  { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true },
  { path: '/grpc.health.v1.Health/List', requestStream: false, responseStream: false },
];

const REFLECTION_METHODS = ['v1', 'v1alpha'].map((version) => ({
  path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
  requestStream: true,
  responseStream: true,
}));

/** Serves health: SERVING for each of the services and for '' until `stop`. */
export function addHealth(server: Server, services: readonly string[], logger: Logger): { stop(): void } {
  const statuses: ServingStatusMap = Object.fromEntries(['', ...services].map((name) => [name, 'SERVING']));
  let health: HealthImplementation | undefined;
  addLazily(server, HEALTH_METHODS, logger, async () => {
    const { HealthImplementation } = await import('grpc-health-check');
    const loaded = new HealthImplementation(statuses);
    health = loaded;
    return registrations((target) => loaded.addToServer(target));
  });
  return {
    stop: () => {
      for (const name of Object.keys(statuses)) {
        statuses[name] = 'NOT_SERVING';
        health?.setStatus(name, 'NOT_SERVING');
      }
    },
  };
}

/** Serves reflection, in the present and the former version, for the services: what `grpcurl list` asks. */
export function addReflection(server: Server, services: readonly string[], logger: Logger): void {
  addLazily(server, REFLECTION_METHODS, logger, async () => {
    const { loadFileDescriptorSetFromBuffer } = await import('@grpc/proto-loader');
    const { ReflectionService } = await import('@grpc/reflection');
    const { descriptorSet } = await import('../gen/descriptor.ts');
    const descriptors = loadFileDescriptorSetFromBuffer(Buffer.from(descriptorSet, 'base64'));
    const reflection = new ReflectionService(descriptors, { services: [...services] });
    return registrations((target) => reflection.addToServer(target));
  });
}

/** What `addTo` adds to a server. */
function registrations(addTo: (server: Pick<Server, 'addService'>) => void): Registration[] {
  const added: Registration[] = [];
  addTo({ addService: (definition, implementation) => added.push({ definition, implementation }) });
  return added;
}

interface LazyMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

type AnyCall = ServerUnaryCall<unknown, unknown> & ServerDuplexStream<unknown, unknown>;

/** Registers the methods; the first call of any of them loads what serves them all. */
function addLazily(server: Server, methods: readonly LazyMethod[], logger: Logger, load: Load): void {
  let loading: ReturnType<Load> | undefined;
  for (const method of methods) {
    let loaded: { definition: MethodDefinition<unknown, unknown>; handle: UntypedHandleCall } | undefined;
    const definition: MethodDefinition<unknown, unknown> = {
      ...method,
      // A stream is read when its handler asks; a single request is decoded before, so its bytes are passed on.
      requestDeserialize: (bytes) =>
        method.requestStream ? must(loaded, method.path).definition.requestDeserialize(bytes) : bytes,
      responseSerialize: (message) => must(loaded, method.path).definition.responseSerialize(message),
      requestSerialize: (message) => message as Buffer,
      responseDeserialize: (bytes) => bytes,
    };
    const handle = async (call: AnyCall, answer: sendUnaryData<unknown>): Promise<void> => {
      loading ??= load();
      loaded ??= methodOf(await loading, method.path);
      if (!method.requestStream) call.request = loaded.definition.requestDeserialize(call.request as Buffer);
      (loaded.handle as (call: AnyCall, answer: sendUnaryData<unknown>) => void)(call, answer);
    };
    const guarded = (call: AnyCall, answer: sendUnaryData<unknown>): void => {
      handle(call, answer).catch((error: unknown) => {
        logger.error('rpc-handler-failed', { path: method.path, peer: call.getPeer(), error });
        if (method.responseStream) call.emit('error', INTERNAL_FAILURE);
        else answer(INTERNAL_FAILURE);
      });
    };
    server.addService({ [method.path]: definition }, { [method.path]: guarded as UntypedHandleCall });
  }
}

function methodOf(registered: readonly Registration[], path: string) {
  for (const { definition, implementation } of registered) {
    for (const [key, method] of Object.entries(definition)) {
      const handle = implementation[key] ?? implementation[method.originalName ?? key];
      if (method.path === path && handle !== undefined) return { definition: method, handle };
    }
  }
  throw new Error(`${path} is not served by its package`);
}
