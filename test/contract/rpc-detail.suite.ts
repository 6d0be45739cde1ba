// RPC of the Network port: what travels with a failure beside its status and message, and requests that cannot be read.
import { describe, expect, it } from 'vitest';
import type { FailureDetail, RpcClient, RpcMessageType } from '../../src/env/network.ts';
import { RpcError, rpcService } from '../../src/env/network.ts';
import { CommandId } from '../../src/gen/kvorum/v1/admin.ts';
import type { Harness, World } from './harness.ts';
import { rejectionOf } from './harness.ts';

const TIMEOUT_MS = 10_000;

/** A message of no bytes that decoding gives back as an object. */
const nothing: RpcMessageType<object> = {
  encode: () => ({ finish: () => Buffer.alloc(0) }),
  decode: () => ({}),
};

const Failing = {
  name: 'Failing',
  fullName: 'kvorum.test.Failing',
  methods: {
    fail: { name: 'Fail', requestType: CommandId, responseType: nothing },
    failLater: { name: 'FailLater', requestType: CommandId, responseType: nothing, responseStream: true },
  },
} as const;

/** The same service as a client knows it that can write any bytes. */
const bytes: RpcMessageType<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (input) => Uint8Array.from(input),
};
const Careless = {
  ...Failing,
  methods: {
    fail: { ...Failing.methods.fail, requestType: bytes },
    failLater: { ...Failing.methods.failLater, requestType: bytes },
  },
} as const;

async function withClient(world: World, error: RpcError, body: (client: RpcClient) => Promise<void>): Promise<void> {
  const service = rpcService(Failing, {
    fail: () => Promise.reject(error),
    failLater: async function* () {
      yield {};
      throw error;
    },
  });
  const listener = await world.env.network.serve({ host: world.host, port: 0 }, [service]);
  const client = world.peer.network.client(listener.address);
  await body(client);
  client.close();
  await listener.close();
}

async function failureOf(client: RpcClient, request: Uint8Array = Buffer.alloc(0)): Promise<RpcError> {
  const error = await rejectionOf(client.call(Careless, Careless.methods.fail, request, TIMEOUT_MS));
  expect(error, String(error)).toBeInstanceOf(RpcError);
  return error as RpcError;
}

async function streamFailureOf(client: RpcClient, request: Uint8Array = Buffer.alloc(0)): Promise<RpcError> {
  const drain = async (): Promise<void> => {
    for await (const _ of client.stream(Careless, Careless.methods.failLater, request, TIMEOUT_MS)) void _;
  };
  const error = await rejectionOf(drain());
  expect(error, String(error)).toBeInstanceOf(RpcError);
  return error as RpcError;
}

const details: FailureDetail[] = [
  { reason: 'NOT_CONTROLLER', mayTakeEffect: false, controllerId: 3 },
  { reason: 'NO_MAJORITY', mayTakeEffect: true, controllerId: -1 },
  { reason: 'INVALID_command.client_id', mayTakeEffect: false, controllerId: 0 },
  { reason: '', mayTakeEffect: false, controllerId: 0 },
];

export function rpcDetailSuite(name: string, harness: Harness): void {
  describe(`${name} rpc: details of failures`, () => {
    it.each(details)('travel with the status: $reason', (detail) =>
      harness.run((world) =>
        withClient(world, new RpcError('ABORTED', 'wörds: 100 %', undefined, detail), async (client) => {
          for (const error of [await failureOf(client), await streamFailureOf(client)]) {
            expect([error.status, error.message, error.transport]).toEqual(['ABORTED', 'wörds: 100 %', undefined]);
            expect(error.detail).toEqual(detail);
          }
        }),
      ),
    );

    it('are not there where nobody gave any', () =>
      harness.run((world) =>
        withClient(world, new RpcError('ABORTED', 'no'), async (client) => {
          expect((await failureOf(client)).detail).toBeUndefined();
          expect((await streamFailureOf(client)).detail).toBeUndefined();
        }),
      ));

    it('say nothing of the transport of the calls that the handler made itself', () =>
      harness.run((world) => {
        const detail = { reason: 'NO_ANSWER', mayTakeEffect: true, controllerId: 2 };
        return withClient(world, new RpcError('UNAVAILABLE', 'cut', 'broken', detail), async (client) => {
          for (const error of [await failureOf(client), await streamFailureOf(client)]) {
            expect([error.transport, error.detail]).toEqual([undefined, detail]);
          }
        });
      }));
  });

  describe(`${name} rpc: requests that cannot be read`, () => {
    it.each([
      [
        'a number beyond 2^53',
        Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        'INVALID_sequence',
        'sequence is beyond 2^53 - 1',
      ],
      ['bytes of no message', Buffer.from([0x0a, 0x7f, 0x01]), 'INVALID_MESSAGE', 'no such message'],
    ])('are wrong arguments: %s', (_, request, reason, words) =>
      harness.run((world) =>
        withClient(world, new RpcError('ABORTED', 'it was read'), async (client) => {
          for (const [error, method] of [
            [await failureOf(client, request), 'Fail'],
            [await streamFailureOf(client, request), 'FailLater'],
          ] as const) {
            expect([error.status, error.transport]).toEqual(['INVALID_ARGUMENT', undefined]);
            expect(error.message).toContain(`the request of ${method} cannot be read: `);
            expect(error.message).toContain(words);
            expect(error.detail).toEqual({ reason, mayTakeEffect: false, controllerId: -1 });
          }
        }),
      ),
    );
  });
}
