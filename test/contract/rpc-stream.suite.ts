// RPC of the Network port whose answer is a stream of messages.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/env/clock.ts';
import type { Listener, RpcClient, RpcMessageType, RpcStreamContext, RpcStreamHandler } from '../../src/env/network.ts';
import { RpcError, rpcService } from '../../src/env/network.ts';
import type { Harness, World } from './harness.ts';
import { rejectionOf, signal } from './harness.ts';

const bytes: RpcMessageType<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (input) => Uint8Array.from(input),
};

const number: RpcMessageType<number> = {
  encode: (message) => ({ finish: () => Buffer.from(String(message)) }),
  decode: (input) => Number(Buffer.from(input).toString()),
};

/** Like a generated message: an object, and no bytes at all where every field has its default. */
interface Upto {
  readonly end: number;
}

const upto: RpcMessageType<Upto> = {
  encode: ({ end }) => ({ finish: () => Buffer.from(end === 0 ? '' : String(end)) }),
  decode: (input) => ({ end: Number(Buffer.from(input).toString()) }),
};

const Counter = {
  name: 'Counter',
  fullName: 'kvorum.test.Counter',
  methods: {
    count: { name: 'Count', requestType: upto, responseType: number, responseStream: true },
    pour: { name: 'Pour', requestType: upto, responseType: bytes, responseStream: true },
    echo: { name: 'Echo', requestType: upto, responseType: number },
  },
} as const;

const NewerCounter = {
  ...Counter,
  methods: { ...Counter.methods, doze: { ...Counter.methods.count, name: 'Doze' } },
} as const;

const TIMEOUT_MS = 10_000;

type Count = RpcStreamHandler<Upto, number>;

/** 0 .. end-1. */
async function* countTo({ end }: Upto): AsyncGenerator<number> {
  for (let value = 0; value < end; value++) yield value;
}

interface Served {
  readonly listener: Listener;
  readonly client: RpcClient;
  readonly count: (end: number, timeoutMs?: number) => AsyncIterable<number>;
  readonly end: () => Promise<void>;
}

async function serve(
  world: World,
  count: Count = countTo,
  pour: RpcStreamHandler<Upto, Uint8Array> = async function* () {},
): Promise<Served> {
  const echo = async ({ end }: Upto): Promise<number> => end;
  const services = [rpcService(Counter, { count, pour, echo })];
  const listener = await world.env.network.serve({ host: world.host, port: 0 }, services);
  const client = world.peer.network.client(listener.address);
  return {
    listener,
    client,
    count: (to, timeoutMs = TIMEOUT_MS) => client.stream(Counter, Counter.methods.count, { end: to }, timeoutMs),
    end: async () => {
      client.close();
      await listener.close();
    },
  };
}

/** What the stream brought, and how it ended. */
async function drain<T>(stream: AsyncIterable<T>): Promise<{ values: T[]; error: RpcError | undefined }> {
  const values: T[] = [];
  try {
    for await (const value of stream) values.push(value);
  } catch (error) {
    expect(error, String(error)).toBeInstanceOf(RpcError);
    return { values, error: error as RpcError };
  }
  return { values, error: undefined };
}

/** A handler that sends numbers and then waits until nobody listens; `left` tells when it has noticed. */
function waiting(): { handler: Count; left: Promise<void> } {
  const left = signal();
  async function* handler(request: Upto, context: RpcStreamContext): AsyncGenerator<number> {
    yield* countTo(request);
    await new Promise<void>((resolve) => {
      context.signal.addEventListener('abort', () => resolve());
    });
    left.resolve();
  }
  return { handler, left: left.promise };
}

export function rpcStreamSuite(name: string, harness: Harness): void {
  describe(`${name} rpc streams: messages`, () => {
    it('arrive all, once and in order, also while nothing else is awaited', () =>
      harness.run(async (world) => {
        const { count, end } = await serve(world);
        const expected = Array.from({ length: 1000 }, (_, index) => index);
        expect(await drain(count(1000))).toEqual({ values: expected, error: undefined });
        expect(await drain(count(0))).toEqual({ values: [], error: undefined });
        await end();
      }));

    it('arrive when they are sent, not at the end', () =>
      harness.run(async (world) => {
        const { handler, left } = waiting();
        const { count, end } = await serve(world, handler);
        const seen: number[] = [];
        for await (const value of count(3)) {
          seen.push(value);
          if (seen.length === 3) break;
        }
        expect(seen).toEqual([0, 1, 2]);
        await left;
        await end();
      }));

    it('of many streams and calls on one connection do not mix', () =>
      harness.run(async (world) => {
        const { client, count, end } = await serve(world);
        const streams = Array.from({ length: 20 }, (_, length) => drain(count(length)));
        const call = client.call(Counter, Counter.methods.echo, { end: 7 }, TIMEOUT_MS);
        const lengths = (await Promise.all(streams)).map(({ values }) => values.length);
        expect(lengths).toEqual(Array.from({ length: 20 }, (_, length) => length));
        expect(await call).toBe(7);
        await end();
      }));

    it('may be large', () =>
      harness.run(async (world) => {
        const large = new Uint8Array(3_000_000).map((_, index) => index * 7);
        const { client, end } = await serve(world, countTo, async function* () {
          yield large;
          yield large;
        });
        const { values } = await drain(client.stream(Counter, Counter.methods.pour, { end: 0 }, TIMEOUT_MS));
        expect(values.map((value) => Buffer.from(value).equals(large))).toEqual([true, true]);
        await end();
      }));

    it('are made no faster than they are taken', () =>
      harness.run(async (world) => {
        let made = 0;
        const stopped = signal();
        const { client, end } = await serve(world, countTo, async function* () {
          try {
            for (;;) {
              made++;
              yield new Uint8Array(64 * 1024);
            }
          } finally {
            stopped.resolve();
          }
        });
        let taken = 0;
        for await (const message of client.stream(Counter, Counter.methods.pour, { end: 0 }, 60_000)) {
          expect(message.length).toBe(64 * 1024);
          taken++;
          // Buffers of both ends and the network: some megabytes.
          expect(made).toBeLessThan(taken + 200);
          if (taken % 100 === 0) await sleep(world.peer.clock, 50);
          if (taken === 500) break;
        }
        await stopped.promise;
        await end();
      }));
  });

  describe(`${name} rpc streams: the handler`, () => {
    it('knows its peer and how long the caller waits', () =>
      harness.run(async (world) => {
        const contexts: RpcStreamContext[] = [];
        const { count, end } = await serve(world, (request, context) => {
          contexts.push(context);
          return countTo(request);
        });
        await drain(count(1, 60_000));
        await drain(count(1, Number.POSITIVE_INFINITY));
        const [limited, unlimited] = contexts;
        expect(limited?.peer).not.toBe('');
        expect(limited?.remainingMs).toBeGreaterThan(0);
        expect(limited?.remainingMs).toBeLessThanOrEqual(60_001);
        expect(unlimited?.remainingMs).toBe(Number.POSITIVE_INFINITY);
        await end();
      }));

    it.each([0, 3])(
      'ends the stream with its status after %i messages, which is no failure of the transport',
      (after) =>
        harness.run(async (world) => {
          const { count, end } = await serve(world, async function* () {
            yield* countTo({ end: after });
            throw new RpcError('FAILED_PRECONDITION', 'not today');
          });
          const { values, error } = await drain(count(0));
          expect([error?.status, error?.message, error?.transport]).toEqual([
            'FAILED_PRECONDITION',
            'not today',
            undefined,
          ]);
          // What was not taken yet may be lost; what came is in order.
          expect(values).toEqual(values.map((_, index) => index));
          await end();
        }),
    );

    it('hides what else it throws behind INTERNAL', () =>
      harness.run(async (world) => {
        const { count, end } = await serve(world, async function* () {
          yield 0;
          throw new Error('secret of the house');
        });
        const { error } = await drain(count(0));
        expect([error?.status, error?.transport]).toEqual(['INTERNAL', undefined]);
        expect(error?.message).not.toContain('secret');
        await end();
      }));

    it('is missed with UNIMPLEMENTED', () =>
      harness.run(async (world) => {
        const { client, end } = await serve(world);
        const { error } = await drain(client.stream(NewerCounter, NewerCounter.methods.doze, { end: 1 }, TIMEOUT_MS));
        expect([error?.status, error?.transport]).toEqual(['UNIMPLEMENTED', undefined]);
        await end();
      }));
  });

  describe(`${name} rpc streams: the end`, () => {
    it('comes at the deadline, for both sides', () =>
      harness.run(async (world) => {
        const { handler, left } = waiting();
        const { count, end } = await serve(world, handler);
        await drain(count(0, 1)); // connected
        const { error } = await drain(count(2, 100));
        expect(error?.status).toBe('DEADLINE_EXCEEDED');
        await left;
        await end();
      }));

    it('comes at once with refused where nobody listens', () =>
      harness.run(async (world) => {
        const placeholder = await world.env.network.serve({ host: world.host, port: 0 }, []);
        await placeholder.close();
        const client = world.peer.network.client(placeholder.address);
        const { error } = await drain(client.stream(Counter, Counter.methods.count, { end: 1 }, TIMEOUT_MS));
        expect([error?.status, error?.transport]).toEqual(['UNAVAILABLE', 'refused']);
        client.close();
      }));

    it('comes with UNAVAILABLE when the server closes, which waits for no stream', () =>
      harness.run(async (world) => {
        const { handler, left } = waiting();
        const { count, listener, end } = await serve(world, handler);
        const running = signal();
        const stream = (async () => {
          for await (const value of count(1, Number.POSITIVE_INFINITY)) running.resolve(void value);
        })();
        const failing = rejectionOf(stream);
        await running.promise;
        await listener.close();
        const error = (await failing) as RpcError;
        expect(error).toBeInstanceOf(RpcError);
        expect([error.status, error.message]).toEqual(['UNAVAILABLE', 'the server is closing']);
        await left;
        await end();
      }));

    it('comes with CANCELLED when the client closes, and the handler learns of it', () =>
      harness.run(async (world) => {
        const { handler, left } = waiting();
        const { count, client, listener } = await serve(world, handler);
        const running = signal();
        const stream = (async () => {
          for await (const value of count(1)) running.resolve(void value);
        })();
        const failing = rejectionOf(stream);
        await running.promise;
        client.close();
        const error = (await failing) as RpcError;
        expect([error.status, error.transport]).toEqual(['CANCELLED', 'broken']);
        await left;
        const late = await drain(count(1));
        expect([late.error?.status, late.error?.transport]).toEqual(['CANCELLED', 'refused']);
        await listener.close();
      }));
  });
}
