import { afterEach, describe, expect, test } from 'vitest';
import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import type { Listener, RpcMethod, RpcServiceDefinition } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition, DescribeQuorumResponse } from '../../../src/gen/kvorum/v1/admin.ts';
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

type Answer = (text: string, call: number) => Promise<string> | string | RpcError;

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Role {
  /** The epoch that it says it leads; undefined: none. */
  leads: number | undefined;
  /** Nothing is answered, as by a process that stands still. */
  isFrozen: boolean;
  calls: number;
}

/** A controller that answers as told while it leads; `calls` counts what reached it. */
async function controller(id: number, leads: number | undefined, answer: Answer = echo) {
  const role: Role = { leads, isFrozen: false, calls: 0 };
  const unlessFrozen = <T>(value: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      if (role.isFrozen) return;
      try {
        resolve(value());
      } catch (error) {
        reject(error);
      }
    });
  const say = async ({ text }: Text): Promise<Text> => {
    const call = ++role.calls;
    const said = await unlessFrozen(() => (role.leads === undefined ? notActive() : answer(text, call)));
    if (said instanceof RpcError) throw said;
    return { text: said };
  };
  const describeQuorum = () =>
    unlessFrozen(() => {
      if (role.leads === undefined) throw notActive();
      const nothing = DescribeQuorumResponse.decode(new Uint8Array());
      return { ...nothing, leaderId: id, leaderEpoch: role.leads, fromLeader: true };
    });
  const refuse = (): never => {
    throw new RpcError('UNIMPLEMENTED', 'not part of these tests');
  };
  const { methods } = AdminServiceDefinition;
  const admin = Object.fromEntries(Object.keys(methods).map((name) => [name, refuse]));
  const services = [
    { definition: service, handlers: { say } },
    { definition: AdminServiceDefinition, handlers: { ...admin, describeQuorum } },
  ];
  const listener: Listener = await network.serve({ host: '127.0.0.1', port: 0 }, services);
  cleanups.push(() => listener.close());
  return { id, address: listener.address, listener, role };
}

function channel(...controllers: { id: number; address: { host: string; port: number } }[]): ControllerChannel {
  const made = new ControllerChannel({ network, clock: createClock(), random: new KeyedRandom(1) }, controllers);
  cleanups.push(() => made.close());
  return made;
}

const notActive = (): RpcError => new RpcError('FAILED_PRECONDITION', 'not the active controller, 2 is');
const echo: Answer = (text) => `${text}!`;
const hi = { text: 'hi' };
const once = { repeatable: false };

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await call.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

describe('finding the active controller', () => {
  test('it is asked for once, then called', async () => {
    const [one, two, three] = [await controller(1, undefined), await controller(2, 5), await controller(3, undefined)];
    const calls = channel(one, two, three);
    for (let i = 0; i < 3; i++) expect(await calls.call(service, say, hi, 5000)).toEqual({ text: 'hi!' });
    expect([one, two, three].map(({ role }) => role.calls)).toEqual([0, 3, 0]);
  });

  test('is waited for while nobody leads', async () => {
    const [one, two] = [await controller(1, undefined), await controller(2, undefined)];
    const call = channel(two, one).call(service, say, hi, 5000, once);
    setTimeout(() => (one.role.leads = 1), 100);
    expect(await call).toEqual({ text: 'hi!' });
  });

  test('one that was elected and is not ready yet is asked again', async () => {
    const one = await controller(1, 1, (text, call) => (call < 3 ? notActive() : `${text} at last`));
    expect(await channel(one).call(service, say, hi, 5000, once)).toEqual({ text: 'hi at last' });
  });

  test('of two that say so, the one of the later epoch', async () => {
    const [old, young] = [await controller(1, 7), await controller(2, 8)];
    await channel(old, young).call(service, say, hi, 5000);
    expect([old.role.calls, young.role.calls]).toEqual([0, 1]);
  });

  test('a dead controller is passed over, and so is one that led until now', async () => {
    const [dead, two, three] = [await controller(1, 3), await controller(2, 4), await controller(3, undefined)];
    await dead.listener.close();
    const calls = channel(dead, two, three);
    expect(await calls.call(service, say, hi, 5000, once)).toEqual({ text: 'hi!' });
    two.role.leads = undefined;
    three.role.leads = 5;
    expect(await calls.call(service, say, hi, 5000, once)).toEqual({ text: 'hi!' });
    expect([two.role.calls, three.role.calls]).toEqual([2, 1]);
  });
});

describe('verdicts and unknown outcomes', () => {
  test.each(['INVALID_ARGUMENT', 'ABORTED', 'ALREADY_EXISTS', 'NOT_FOUND', 'RESOURCE_EXHAUSTED'] as const)(
    'the verdict %s is not asked again',
    async (status) => {
      const one = await controller(1, 1, () => new RpcError(status, 'no'));
      expect(await failure(channel(one).call(service, say, hi, 5000))).toMatchObject({ status, message: 'no' });
      expect(one.role.calls).toBe(1);
    },
  );

  test('C-9.1: a call that must not be repeated is not, once it may have been carried out', async () => {
    const lost: Answer = (text, call) => (call === 1 ? new RpcError('UNAVAILABLE', 'lost my office') : `${text}!`);
    const one = await controller(1, 1, lost);
    const error = await failure(channel(one).call(service, say, hi, 5000, once));
    expect(error).toMatchObject({ status: 'UNAVAILABLE', message: 'lost my office', transport: undefined });
    expect(one.role.calls).toBe(1);
    const two = await controller(2, 1, lost);
    expect(await channel(two).call(service, say, hi, 5000)).toEqual({ text: 'hi!' });
  });

  test('one that dies while it is called: the outcome is not known', async () => {
    const one = await controller(1, 1, () => new Promise<string>(() => {}));
    const [two, three] = [await controller(2, undefined), await controller(3, undefined)];
    const calls = channel(one, two, three);
    const call = failure(calls.call(service, say, hi, 20_000, once));
    while (one.role.calls === 0) await new Promise((resolve) => void setTimeout(resolve, 5));
    void one.listener.close();
    const { status, transport, message } = await call;
    expect([status, transport]).toEqual(['UNAVAILABLE', 'broken']);
    expect(message).toMatch(/^whether Say took effect is not known: controller 1: /);
  });
});

describe('a controller that stands still', () => {
  test('is given up when another one has taken over: unknown, or done there', async () => {
    const [one, two] = [await controller(1, 1), await controller(2, undefined)];
    const calls = channel(one, two);
    await calls.call(service, say, hi, 5000);
    one.role.isFrozen = true;
    const never = failure(calls.call(service, say, hi, 60_000, once));
    const again = calls.call(service, say, hi, 60_000);
    while (one.role.calls < 3) await new Promise((resolve) => void setTimeout(resolve, 5));
    two.role.leads = 2;
    const error = await never;
    expect(error.transport).toBe('broken');
    expect(error.message).toBe(
      'whether Say took effect is not known: controller 1 has not answered, and controller 2 leads now',
    );
    expect(await again).toEqual({ text: 'hi!' });
    expect(two.role.calls).toBe(1);
  });

  test('who calls later waits for the next one instead of calling it', async () => {
    const [one, two] = [await controller(1, 1), await controller(2, undefined)];
    const calls = channel(one, two);
    await calls.call(service, say, hi, 5000);
    one.role.isFrozen = true;
    const stuck = failure(calls.call(service, say, hi, 60_000, once));
    await new Promise((resolve) => void setTimeout(resolve, 600)); // it has looked around by now
    const later = calls.call(service, say, hi, 60_000, once);
    two.role.leads = 2;
    expect(await later).toEqual({ text: 'hi!' });
    await stuck;
    expect([one.role.calls, two.role.calls]).toEqual([2, 1]);
  });

  test('one that is only slow is waited for', async () => {
    const slow: Answer = (text) => new Promise((resolve) => void setTimeout(() => resolve(`${text}...`), 1500));
    const one = await controller(1, 1, slow);
    expect(await channel(one).call(service, say, hi, 10_000, once)).toEqual({ text: 'hi...' });
    expect(one.role.calls).toBe(1);
  });
});

describe('without a majority', () => {
  async function oneOfThree() {
    const [one, two, three] = [
      await controller(1, undefined),
      await controller(2, undefined),
      await controller(3, undefined),
    ];
    return { one, two, three, calls: channel(one, two, three) };
  }

  test('nobody listens at two of three: said at once, with what was seen of each', async () => {
    const { one, two, three, calls } = await oneOfThree();
    await two.listener.close();
    await three.listener.close();
    // Far less than the time it would wait for an election.
    const error = await failure(calls.call(service, say, hi, 600_000, once));
    expect(error).toMatchObject({ status: 'UNAVAILABLE', transport: 'refused' });
    expect(error.message).toContain('there is no active controller, as that takes a majority of the controllers');
    expect(error.message).toContain('1 of 3 controllers answers (');
    expect(error.message).toContain(`controller 1 at 127.0.0.1:${one.address.port}: not the active controller, 2 is`);
    expect(error.message).toContain(`controller 3 at 127.0.0.1:${three.address.port}: `);
    expect(error.message).toMatch(/; nothing was done$/);
    expect((await failure(calls.call(service, say, hi, 600_000))).message).not.toContain('nothing was done');
  });

  test('two of three are silent: said after a while', async () => {
    const { two, three, calls } = await oneOfThree();
    two.role.isFrozen = true;
    three.role.isFrozen = true;
    const error = await failure(calls.call(service, say, hi, 600_000, once));
    expect(error.message).toContain('1 of 3 controllers answers (');
    expect(error.message).toContain(`controller 3 at 127.0.0.1:${three.address.port}: no answer`);
  });

  test('a call that hangs at one of them ends with the same words, and is unknown', async () => {
    const { one, two, three, calls } = await oneOfThree();
    three.role.leads = 1;
    await calls.call(service, say, hi, 5000);
    two.role.isFrozen = true;
    three.role.isFrozen = true;
    const error = await failure(calls.call(service, say, hi, 600_000, once));
    expect(error.message).toContain(
      'whether Say took effect is not known: controller 3 has not answered, and no majority',
    );
    expect(error.transport).toBe('broken');
    expect(one.role.calls).toBe(0);
  });

  test('who is patient waits for them to come back', async () => {
    const { one, two, three, calls } = await oneOfThree();
    await two.listener.close();
    await three.listener.close();
    const hasty = failure(calls.call(service, say, hi, 600_000));
    const patient = calls.call(service, say, hi, 600_000, { patient: true });
    await hasty;
    one.role.leads = 9;
    expect(await patient).toEqual({ text: 'hi!' });
  });

  test('who refuses is told from who is silent', async () => {
    const { two, three, calls } = await oneOfThree();
    two.role.isFrozen = true;
    await three.listener.close();
    expect((await calls.refusing(200)).map(({ id }) => id)).toEqual([3]);
  });
});

describe('the controllers change', () => {
  async function changing() {
    const [one, two, three] = [await controller(1, 1), await controller(2, undefined), await controller(3, undefined)];
    const four = await controller(4, undefined);
    const inForce = { list: [one, two, three] };
    const made = new ControllerChannel(
      { network, clock: createClock(), random: new KeyedRandom(1) },
      () => inForce.list,
    );
    cleanups.push(() => made.close());
    await made.call(service, say, hi, 5000);
    return { one, two, three, four, inForce, calls: made };
  }

  test('one that is added is found when it leads', async () => {
    const { one, two, three, four, inForce, calls } = await changing();
    inForce.list = [one, two, three, four];
    one.role.leads = undefined;
    four.role.leads = 2;
    await calls.call(service, say, hi, 5000);
    expect(four.role.calls).toBe(1);
  });

  test('who waits already hears of it too', async () => {
    const [one, two] = [await controller(1, undefined), await controller(2, 3)];
    let present = [one];
    const env = { network, clock: createClock(), random: new KeyedRandom(1) };
    const calls = new ControllerChannel(env, () => present);
    cleanups.push(() => calls.close());
    const call = calls.call(service, say, hi, 60_000, { patient: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    present = [two];
    calls.controllersChanged();
    expect(await call).toEqual({ text: 'hi!' });
  });

  test('who stays the leader is not searched for again', async () => {
    const { one, two, four, inForce, calls } = await changing();
    inForce.list = [one, two, four];
    await calls.call(service, say, hi, 5000);
    expect([one, two, four].map(({ role }) => role.calls)).toEqual([2, 0, 0]);
  });

  test('a majority is one of those in force', async () => {
    const { one, two, three, four, inForce, calls } = await changing();
    one.role.leads = undefined;
    await one.listener.close();
    await three.listener.close();
    const waiting = calls.call(service, say, hi, 600_000, { patient: true });
    inForce.list = [two, four];
    const { message } = await failure(calls.call(service, say, hi, 2000, once));
    expect(message).toMatch(/^no active controller took Say within 2000 ms: 2 of 2 controllers answer \(/);
    four.role.leads = 3;
    expect(await waiting).toEqual({ text: 'hi!' });
  });
});

test('with a majority that elects nobody, the time runs out', async () => {
  const [one, two] = [await controller(1, undefined), await controller(2, undefined)];
  const { status, transport, message } = await failure(channel(one, two).call(service, say, hi, 300, once));
  expect([status, transport]).toEqual(['UNAVAILABLE', 'refused']);
  expect(message).toMatch(/^no active controller took Say within 300 ms: 2 of 2 controllers answer \(/);
});

test('a closed channel', async () => {
  const calls = channel(await controller(1, undefined));
  const waiting = failure(calls.call(service, say, hi, 60_000));
  calls.close();
  await waiting;
  expect(await failure(calls.call(service, say, hi, 1000))).toMatchObject({ status: 'CANCELLED' });
});
