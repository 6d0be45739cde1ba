// The RPC half of the Network port.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/env/clock.ts';
import { isEnvError } from '../../src/env/error.ts';
import type { Listener, RpcClient, RpcContext, RpcHandlers, RpcMessageType, RpcStatus } from '../../src/env/network.ts';
import { RpcError, rpcService } from '../../src/env/network.ts';
import type { Harness, World } from './harness.ts';
import { rejectionOf, signal } from './harness.ts';

/** Like a generated message: an object, and no bytes at all where every field has its default. */
interface Words {
  readonly text: string;
}

const words: RpcMessageType<Words> = {
  encode: (message) => ({ finish: () => Buffer.from(message.text) }),
  decode: (input) => ({ text: Buffer.from(input).toString() }),
};

const blob: RpcMessageType<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (input) => Uint8Array.from(input),
};

const Echo = {
  name: 'Echo',
  fullName: 'kvorum.test.Echo',
  methods: {
    say: { name: 'Say', requestType: words, responseType: words },
    bulk: { name: 'Bulk', requestType: blob, responseType: blob },
  },
} as const;

/** The same service as a newer client knows it. */
const NewerEcho = {
  ...Echo,
  methods: { ...Echo.methods, sing: { name: 'Sing', requestType: words, responseType: words } },
} as const;

const Absent = { ...Echo, fullName: 'kvorum.test.Absent' } as const;

const TIMEOUT_MS = 10_000;

type Handlers = RpcHandlers<typeof Echo>;

interface Served {
  readonly listener: Listener;
  readonly client: RpcClient;
  readonly say: (text: string, timeoutMs?: number) => Promise<string>;
  readonly end: () => Promise<void>;
}

/** What Say does with the words; by default it echoes them. */
type Say = (text: string, context: RpcContext) => Promise<string>;

function echoHandlers(say: Say = async (text) => text): Handlers {
  return {
    say: async ({ text }, context) => ({ text: await say(text, context) }),
    bulk: async (message) => message,
  };
}

async function call(client: RpcClient, text: string, timeoutMs = TIMEOUT_MS): Promise<string> {
  return (await client.call(Echo, Echo.methods.say, { text }, timeoutMs)).text;
}

/** Serves Echo on `env`, and has a client on `peer`. */
async function serve(world: World, say?: Say): Promise<Served> {
  const services = [rpcService(Echo, echoHandlers(say))];
  const listener = await world.env.network.serve({ host: world.host, port: 0 }, services);
  const client = world.peer.network.client(listener.address);
  return {
    listener,
    client,
    say: (text, timeoutMs) => call(client, text, timeoutMs),
    end: async () => {
      client.close();
      await listener.close();
    },
  };
}

async function rpcErrorOf(promise: Promise<unknown>): Promise<RpcError> {
  const error = await rejectionOf(promise);
  expect(error, String(error)).toBeInstanceOf(RpcError);
  return error as RpcError;
}

export function rpcSuite(name: string, harness: Harness): void {
  describe(`${name} rpc: calls`, () => {
    it('answers', () =>
      harness.run(async (world) => {
        const { say, end } = await serve(world, async (text) => `${text}, world`);
        expect(await say('hello')).toBe('hello, world');
        expect(await say('')).toBe(', world');
        await end();
      }));

    it('answers many at once, each its own', () =>
      harness.run(async (world) => {
        const { say, end } = await serve(world, async (message) => {
          await sleep(world.env.clock, message.length % 3);
          return message;
        });
        const sent = Array.from({ length: 100 }, (_, index) => 'x'.repeat(index));
        expect(await Promise.all(sent.map((message) => say(message)))).toEqual(sent);
        await end();
      }));

    it('carries messages of megabytes both ways', () =>
      harness.run(async (world) => {
        const { client, end } = await serve(world);
        const message = new Uint8Array(9_000_000).map((_, index) => index * 7);
        const answer = await client.call(Echo, Echo.methods.bulk, message, TIMEOUT_MS);
        expect(Buffer.from(answer).equals(message)).toBe(true);
        await end();
      }));

    it('serves several services on one port', () =>
      harness.run(async (world) => {
        const services = [
          rpcService(
            Echo,
            echoHandlers(async () => 'echo'),
          ),
          rpcService(
            Absent,
            echoHandlers(async () => 'other'),
          ),
        ];
        const listener = await world.env.network.serve({ host: world.host, port: 0 }, services);
        const client = world.peer.network.client(listener.address);
        expect(await call(client, '')).toBe('echo');
        expect((await client.call(Absent, Absent.methods.say, { text: '' }, TIMEOUT_MS)).text).toBe('other');
        client.close();
        await listener.close();
      }));

    it('tells the handler its peer and how long the caller waits', () =>
      harness.run(async (world) => {
        const contexts: RpcContext[] = [];
        const { say, end } = await serve(world, async (text, context) => {
          contexts.push(context);
          return text;
        });
        await say('', 60_000);
        await say('', Number.POSITIVE_INFINITY);
        const [limited, unlimited] = contexts;
        expect(limited?.peer).not.toBe('');
        expect(limited?.remainingMs).toBeGreaterThan(0);
        expect(limited?.remainingMs).toBeLessThanOrEqual(60_001);
        expect(unlimited?.remainingMs).toBe(Number.POSITIVE_INFINITY);
        await end();
      }));
  });

  describe(`${name} rpc: failures that a peer answered`, () => {
    it('passes the status and message of a handler, which are no failure of the transport', () =>
      harness.run(async (world) => {
        const { say, end } = await serve(world, async (message) => {
          throw new RpcError(message as RpcStatus, `about ${message}`);
        });
        const statuses: RpcStatus[] = [
          'CANCELLED',
          'INVALID_ARGUMENT',
          'DEADLINE_EXCEEDED',
          'NOT_FOUND',
          'ALREADY_EXISTS',
          'RESOURCE_EXHAUSTED',
          'FAILED_PRECONDITION',
          'ABORTED',
          'UNIMPLEMENTED',
          'INTERNAL',
          'UNAVAILABLE',
        ];
        for (const status of statuses) {
          const error = await rpcErrorOf(say(status));
          expect([error.status, error.message, error.transport]).toEqual([status, `about ${status}`, undefined]);
        }
        await end();
      }));

    it('hides what else a handler throws behind INTERNAL', () =>
      harness.run(async (world) => {
        const { say, end } = await serve(world, async () => {
          throw new Error('secret of the house');
        });
        const error = await rpcErrorOf(say('hello'));
        expect([error.status, error.transport]).toEqual(['INTERNAL', undefined]);
        expect(error.message).not.toContain('secret');
        await end();
      }));

    it('answers unknown methods and services with UNIMPLEMENTED', () =>
      harness.run(async (world) => {
        const { client, end } = await serve(world);
        const method = await rpcErrorOf(client.call(NewerEcho, NewerEcho.methods.sing, { text: 'la' }, TIMEOUT_MS));
        expect([method.status, method.transport]).toEqual(['UNIMPLEMENTED', undefined]);
        const service = await rpcErrorOf(client.call(Absent, Absent.methods.say, { text: 'hi' }, TIMEOUT_MS));
        expect([service.status, service.transport]).toEqual(['UNIMPLEMENTED', undefined]);
        await end();
      }));

    it('gives up at the deadline, and works afterwards', () =>
      harness.run(async (world) => {
        const { say, end } = await serve(world, async (message) => {
          if (message === 'slow') await sleep(world.env.clock, 300);
          return message;
        });
        expect(await say('warm')).toBe('warm');
        const startedAt = world.peer.clock.now();
        const error = await rpcErrorOf(say('slow', 50));
        expect(error.status).toBe('DEADLINE_EXCEEDED');
        // Deadlines are kept in whole milliseconds of another clock.
        expect(world.peer.clock.now() - startedAt).toBeGreaterThanOrEqual(48);
        expect(await say('next')).toBe('next');
        await end();
      }));
  });

  describe(`${name} rpc: peers that do not answer`, () => {
    it('fails at once with refused where nobody listens, and connects when somebody does', () =>
      harness.run(async (world) => {
        const { host } = world;
        const placeholder = await world.env.network.serve({ host, port: 0 }, []);
        await placeholder.close();
        const client = world.peer.network.client(placeholder.address);
        for (let round = 0; round < 3; round++) {
          const error = await rpcErrorOf(call(client, 'hi'));
          expect([error.status, error.transport]).toEqual(['UNAVAILABLE', 'refused']);
        }
        const listener = await world.env.network.serve(placeholder.address, [rpcService(Echo, echoHandlers())]);
        await sleep(world.peer.clock, 1500);
        expect(await call(client, 'hi')).toBe('hi');
        client.close();
        await listener.close();
      }));

    it('says broken when the server went away during the call', () =>
      harness.run(async (world) => {
        const running = signal();
        const { say, listener, end } = await serve(world, (message) => {
          running.resolve();
          return message === 'hang' ? new Promise<string>(() => undefined) : Promise.resolve(message);
        });
        const failing = rpcErrorOf(say('hang', 60_000));
        await running.promise;
        await listener.close();
        const error = await failing;
        expect([error.status, error.transport]).toEqual(['UNAVAILABLE', 'broken']);
        const next = await rpcErrorOf(say('hello'));
        expect([next.status, next.transport]).toEqual(['UNAVAILABLE', 'refused']);
        await end();
      }));

    it('lets running calls end when the listener closes', () =>
      harness.run(async (world) => {
        const running = signal();
        const { say, listener, end } = await serve(world, async (message) => {
          running.resolve();
          await sleep(world.env.clock, 50);
          return message;
        });
        const answer = say('in time');
        await running.promise;
        await listener.close();
        expect(await answer).toBe('in time');
        await end();
      }));

    it('fails outstanding and later calls with CANCELLED when the client closes', () =>
      harness.run(async (world) => {
        const running = signal();
        const { say, client, listener } = await serve(world, () => {
          running.resolve();
          return new Promise<string>(() => undefined);
        });
        const outstanding = rpcErrorOf(say('hang', 60_000));
        await running.promise;
        client.close();
        client.close();
        const first = await outstanding;
        expect([first.status, first.transport]).toEqual(['CANCELLED', 'broken']);
        const second = await rpcErrorOf(say('late'));
        expect([second.status, second.transport]).toEqual(['CANCELLED', 'refused']);
        await listener.close();
      }));

    it('listens like streams do: real port for 0, ADDRESS_IN_USE, free after close', () =>
      harness.run(async ({ env, host }) => {
        const first = await env.network.serve({ host, port: 0 }, []);
        expect(first.address.port).toBeGreaterThan(0);
        expect(isEnvError(await rejectionOf(env.network.serve(first.address, [])), 'ADDRESS_IN_USE')).toBe(true);
        await first.close();
        await first.close();
        await (await env.network.serve(first.address, [])).close();
      }));
  });
}
