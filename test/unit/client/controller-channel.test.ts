import { afterEach, describe, expect, test } from 'vitest';
import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import type { Listener, RpcMethod, RpcServiceDefinition } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { createClock } from '../../../src/node/clock.ts';
import { network } from './scripted-cluster.ts';

// A service of one text in and out, without generated code: what the channel carries does not matter to it.
interface Text {
  readonly text: string;
}
const textType = {
  encode: ({ text }: Text) => ({ finish: () => Buffer.from(text) }),
  decode: (bytes: Uint8Array): Text => ({ text: Buffer.from(bytes).toString() }),
};
const say: RpcMethod<Text, Text> = { name: 'Say', requestType: textType, responseType: textType };
const service: RpcServiceDefinition = { fullName: 'kvorum.test.Talk', methods: { say } };

type Answer = (text: string, call: number) => string | RpcError;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A controller that answers as told; `calls` counts what reached it. */
async function controller(id: number, answer: Answer) {
  const state = { calls: 0 };
  const handlers = {
    say: async ({ text }: Text): Promise<Text> => {
      const said = answer(text, ++state.calls);
      if (said instanceof RpcError) throw said;
      return { text: said };
    },
  };
  const listener: Listener = await network.serve({ host: '127.0.0.1', port: 0 }, [{ definition: service, handlers }]);
  cleanups.push(() => listener.close());
  return { id, address: listener.address, listener, state };
}

function channel(...controllers: { id: number; address: { host: string; port: number } }[]): ControllerChannel {
  const made = new ControllerChannel({ network, clock: createClock(), random: new KeyedRandom(1) }, controllers);
  cleanups.push(() => made.close());
  return made;
}

const notActive = (): RpcError => new RpcError('FAILED_PRECONDITION', 'not the active controller, 2 is');
const echo: Answer = (text) => `${text}!`;

describe('ControllerChannel', () => {
  test('finds the active controller and stays with it', async () => {
    const one = await controller(1, notActive);
    const two = await controller(2, echo);
    const three = await controller(3, notActive);
    const calls = channel(one, two, three);
    for (let i = 0; i < 3; i++) expect(await calls.call(service, say, { text: 'hi' }, 5000)).toEqual({ text: 'hi!' });
    expect([one, two, three].map(({ state }) => state.calls)).toEqual([1, 3, 0]);
  });

  test('waits for one to become active', async () => {
    const one = await controller(1, (text, call) => (call < 3 ? notActive() : `${text} at last`));
    const two = await controller(2, notActive);
    expect(await channel(two, one).call(service, say, { text: 'hi' }, 5000)).toEqual({ text: 'hi at last' });
  });

  test('a dead controller is passed over', async () => {
    const dead = await controller(1, echo);
    await dead.listener.close();
    const two = await controller(2, echo);
    expect(await channel(dead, two).call(service, say, { text: 'hi' }, 5000)).toEqual({ text: 'hi!' });
  });

  test.each(['INVALID_ARGUMENT', 'ABORTED', 'ALREADY_EXISTS', 'NOT_FOUND'] as const)(
    'the verdict %s is not asked again',
    async (status) => {
      const one = await controller(1, () => new RpcError(status, 'no'));
      const two = await controller(2, echo);
      await expect(channel(one, two).call(service, say, { text: 'hi' }, 5000)).rejects.toMatchObject({ status });
      expect(two.state.calls).toBe(0);
    },
  );

  test('a call that must not be repeated is not, once it may have been carried out', async () => {
    const one = await controller(1, () => new RpcError('UNAVAILABLE', 'lost my office'));
    const two = await controller(2, echo);
    const call = channel(one, two).call(service, say, { text: 'hi' }, 5000, { repeatable: false });
    await expect(call).rejects.toMatchObject({
      status: 'UNAVAILABLE',
      message: expect.stringContaining('lost my office'),
    });
    expect(two.state.calls).toBe(0);
    const three = await controller(3, notActive);
    const moved = channel(three, two).call(service, say, { text: 'hi' }, 5000, { repeatable: false });
    expect(await moved).toEqual({ text: 'hi!' });
  });

  test('when none is active, one sentence says which were tried and what each said', async () => {
    const one = await controller(1, notActive);
    const dead = await controller(2, echo);
    await dead.listener.close();
    const error: unknown = await channel(one, dead)
      .call(service, say, { text: 'hi' }, 300)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RpcError);
    const { status, message } = error as RpcError;
    expect(status).toBe('UNAVAILABLE');
    expect(message).toContain('no active controller took Say within 300 ms');
    expect(message).toContain(`controller 1 at 127.0.0.1:${one.address.port}: not the active controller`);
    expect(message).toContain(`controller 2 at 127.0.0.1:${dead.address.port}: `);
    expect(message).not.toContain('not tried');
  });

  test('a closed channel', async () => {
    const calls = channel(await controller(1, echo));
    calls.close();
    await expect(calls.call(service, say, { text: 'hi' }, 1000)).rejects.toMatchObject({ status: 'CANCELLED' });
  });
});
