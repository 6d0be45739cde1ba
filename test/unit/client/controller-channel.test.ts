import { describe, expect, test } from 'vitest';
import type { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { ControllerChannel as Channel } from '../../../src/client/controller-channel.ts';
import { sleep } from '../../../src/env/clock.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { Answer, Bench, ScriptedController } from './controller-world.ts';
import { inWorld, listen, notActive, say, talk } from './controller-world.ts';

const once = { repeatable: false };
const FOR_EVER = 600_000;

function call(channel: ControllerChannel, timeoutMs: number, options?: Parameters<ControllerChannel['call']>[4]) {
  return channel.call(talk, say, { text: 'hi' }, timeoutMs, options);
}

async function failure(call: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await call.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
}

/** How it failed, and after how many virtual milliseconds. */
async function failureAfter({ env }: Bench, call: Promise<unknown>): Promise<{ error: RpcError; ms: number }> {
  const from = env.clock.now();
  return { error: await failure(call), ms: env.clock.now() - from };
}

describe('finding the active controller', () => {
  test('it is asked for once, then called', () =>
    inWorld(async ({ controller, channel }) => {
      const [one, two, three] = [await controller(1), await controller(2, 5), await controller(3)];
      const calls = channel(one, two, three);
      for (let i = 0; i < 3; i++) expect(await call(calls, 5000)).toEqual({ text: 'hi!' });
      expect([one, two, three].map((it) => it.calls)).toEqual([0, 3, 0]);
    }));

  test('is waited for while nobody leads, and found soon after it does', () =>
    inWorld(async ({ env, controller, channel }) => {
      const [one, two] = [await controller(1), await controller(2)];
      const answer = call(channel(two, one), 5000, once);
      await sleep(env.clock, 300);
      one.leads = 1;
      const from = env.clock.now();
      expect(await answer).toEqual({ text: 'hi!' });
      expect(env.clock.now() - from).toBeLessThan(60);
    }));

  test('one that was elected and is not ready yet is asked again', () =>
    inWorld(async ({ controller, channel }) => {
      const one = await controller(1, 1, (text, count) => (count < 3 ? notActive() : `${text} at last`));
      expect(await call(channel(one), 5000, once)).toEqual({ text: 'hi at last' });
    }));

  test('of two that say so, the one of the later epoch', () =>
    inWorld(async ({ controller, channel }) => {
      const [old, young] = [await controller(1, 7), await controller(2, 8)];
      await call(channel(old, young), 5000);
      expect([old.calls, young.calls]).toEqual([0, 1]);
    }));

  test('a dead controller is passed over, and so is one that led until now', () =>
    inWorld(async ({ controller, channel }) => {
      const [dead, two, three] = [await controller(1, 3), await controller(2, 4), await controller(3)];
      dead.process.kill();
      const calls = channel(dead, two, three);
      expect(await call(calls, 5000, once)).toEqual({ text: 'hi!' });
      two.leads = undefined;
      three.leads = 5;
      expect(await call(calls, 5000, once)).toEqual({ text: 'hi!' });
      expect([two.calls, three.calls]).toEqual([2, 1]);
    }));
});

describe('verdicts and unknown outcomes', () => {
  test.each(['INVALID_ARGUMENT', 'ABORTED', 'ALREADY_EXISTS', 'NOT_FOUND', 'RESOURCE_EXHAUSTED'] as const)(
    'the verdict %s is not asked again',
    (status) =>
      inWorld(async ({ controller, channel }) => {
        const one = await controller(1, 1, () => new RpcError(status, 'no'));
        expect(await failure(call(channel(one), 5000))).toMatchObject({ status, message: 'no' });
        expect(one.calls).toBe(1);
      }),
  );

  test('C-9.1: a call that must not be repeated is not, once it may have been carried out', () =>
    inWorld(async ({ controller, channel }) => {
      const lost: Answer = (text, count) => (count === 1 ? new RpcError('UNAVAILABLE', 'lost my office') : `${text}!`);
      const [one, two] = [await controller(1, 1, lost), await controller(2, 1, lost)];
      const error = await failure(call(channel(one), 5000, once));
      expect(error).toMatchObject({ status: 'UNAVAILABLE', message: 'lost my office', transport: undefined });
      expect(one.calls).toBe(1);
      expect(await call(channel(two), 5000)).toEqual({ text: 'hi!' });
    }));

  test('one that dies while it is called: the outcome is not known', () =>
    inWorld(async ({ env, controller, channel }) => {
      const one = await controller(1, 1, () => new Promise<string>(() => {}));
      const calls = channel(one, await controller(2), await controller(3));
      const answer = failure(call(calls, 20_000, once));
      await sleep(env.clock, 100);
      one.process.kill();
      const { status, transport, message } = await answer;
      expect([status, transport]).toEqual(['UNAVAILABLE', 'broken']);
      expect(message).toMatch(/^whether Say took effect is not known: controller 1: /);
    }));
});

describe('a controller that stands still', () => {
  test('is given up as soon as another one leads: unknown, or done there', () =>
    inWorld(async (bench) => {
      const { env, controller, channel } = bench;
      const [one, two] = [await controller(1, 1), await controller(2)];
      const calls = channel(one, two, await controller(3));
      await call(calls, 5000);
      one.process.pause();
      const never = call(calls, FOR_EVER, once);
      const again = call(calls, FOR_EVER);
      await sleep(env.clock, 2200);
      two.leads = 2;
      const { error, ms } = await failureAfter(bench, never);
      expect(error.message).toBe(
        'whether Say took effect is not known: controller 1 has not answered, and controller 2 leads now',
      );
      expect([error.transport, ms < 350]).toEqual(['broken', true]);
      expect(await again).toEqual({ text: 'hi!' });
      expect(two.calls).toBe(1);
    }));

  test('who calls later waits for the next one instead of calling it', () =>
    inWorld(async ({ env, controller, channel }) => {
      const [one, two] = [await controller(1, 1), await controller(2)];
      const calls = channel(one, two, await controller(3));
      await call(calls, 5000);
      one.process.pause();
      const stuck = failure(call(calls, FOR_EVER, once));
      await sleep(env.clock, 600);
      const later = call(calls, FOR_EVER, once);
      two.leads = 2;
      expect(await later).toEqual({ text: 'hi!' });
      await stuck;
      one.process.resume();
      await sleep(env.clock, 100);
      expect([one.calls, two.calls]).toEqual([2, 1]);
    }));

  test('one that is only slow is waited for', () =>
    inWorld(async ({ controller, channel }) => {
      const slow: Answer = async (text, _count, clock) => {
        await sleep(clock, 8000);
        return `${text}...`;
      };
      const one = await controller(1, 1, slow);
      expect(await call(channel(one), 10_000, once)).toEqual({ text: 'hi...' });
      expect(one.calls).toBe(1);
    }));
});

describe('without a majority', () => {
  async function oneOfThree({ controller, channel }: Bench) {
    const [one, two, three] = [await controller(1), await controller(2), await controller(3)];
    return { one, two, three, calls: channel(one, two, three) };
  }

  test('nobody listens at two of three: said within a second, with what was seen of each', () =>
    inWorld(async (bench) => {
      const { two, three, calls } = await oneOfThree(bench);
      two.process.kill();
      three.process.kill();
      const { error, ms } = await failureAfter(bench, call(calls, FOR_EVER, once));
      expect(error).toMatchObject({ status: 'UNAVAILABLE', transport: 'refused' });
      expect(error.message).toBe(
        'there is no active controller, as that takes a majority of the controllers: 1 of 3 controllers answers ' +
          '(controller 1 at controller1:9093: not the active controller, 2 is; ' +
          'controller 2 at controller2:9093: cannot be reached; ' +
          'controller 3 at controller3:9093: cannot be reached); nothing was done',
      );
      expect(ms).toBeLessThan(1000);
      expect((await failure(call(calls, FOR_EVER))).message).not.toContain('nothing was done');
    }));

  test('two of three are silent: said within four seconds', () =>
    inWorld(async (bench) => {
      const { two, three, calls } = await oneOfThree(bench);
      two.process.pause();
      three.process.pause();
      const { error, ms } = await failureAfter(bench, call(calls, FOR_EVER, once));
      expect(error.message).toContain('1 of 3 controllers answers (');
      expect(error.message).toContain('controller 3 at controller3:9093: no answer');
      expect(ms).toBeLessThan(4000);
    }));

  test('a call that hangs at one of them ends in that time too, and is unknown', () =>
    inWorld(async (bench) => {
      const { one, two, three, calls } = await oneOfThree(bench);
      three.leads = 1;
      await call(calls, 5000);
      two.process.pause();
      three.process.pause();
      const { error, ms } = await failureAfter(bench, call(calls, FOR_EVER, once));
      expect(error.message).toContain(
        'whether Say took effect is not known: controller 3 has not answered, and no majority',
      );
      expect(error.transport).toBe('broken');
      expect(ms).toBeLessThan(4000);
      expect(one.calls).toBe(0);
    }));

  test('one that is away for a moment only is waited for', () =>
    inWorld(async (bench) => {
      const { one, two, three, calls } = await oneOfThree(bench);
      two.process.kill();
      three.process.kill();
      const answer = call(calls, FOR_EVER, once);
      await sleep(bench.env.clock, 200);
      await three.listens();
      one.leads = 9;
      expect(await answer).toEqual({ text: 'hi!' });
    }));

  test('who is patient waits for them to come back', () =>
    inWorld(async (bench) => {
      const { one, two, three, calls } = await oneOfThree(bench);
      two.process.kill();
      three.process.kill();
      const hasty = failure(call(calls, FOR_EVER));
      const patient = call(calls, FOR_EVER, { patient: true });
      await hasty;
      one.leads = 9;
      expect(await patient).toEqual({ text: 'hi!' });
    }));

  test('who refuses is told from who is silent', () =>
    inWorld(async (bench) => {
      const { two, three, calls } = await oneOfThree(bench);
      two.process.pause();
      three.process.kill();
      expect((await calls.refusing(200)).map(({ id }) => id)).toEqual([3]);
    }));
});

describe('the controllers change', () => {
  async function changing({ env, controller }: Bench) {
    const [one, two, three] = [await controller(1, 1), await controller(2), await controller(3)];
    const four = await controller(4);
    const inForce: { list: ScriptedController[] } = { list: [one, two, three] };
    const calls = new Channel(env, () => inForce.list);
    await call(calls, 5000);
    return { one, two, three, four, inForce, calls };
  }

  test('one that is added is found when it leads', () =>
    inWorld(async (bench) => {
      const { one, two, three, four, inForce, calls } = await changing(bench);
      inForce.list = [one, two, three, four];
      one.leads = undefined;
      four.leads = 2;
      await call(calls, 5000);
      expect(four.calls).toBe(1);
    }));

  test('who waits already hears of it too', () =>
    inWorld(async ({ env, controller }) => {
      const [one, two] = [await controller(1), await controller(2, 3)];
      let present = [one];
      const calls = new Channel(env, () => present);
      const answer = call(calls, FOR_EVER, { patient: true });
      await sleep(env.clock, 100);
      present = [two];
      calls.controllersChanged();
      expect(await answer).toEqual({ text: 'hi!' });
    }));

  test('who stays the leader is not searched for again', () =>
    inWorld(async (bench) => {
      const { one, two, four, inForce, calls } = await changing(bench);
      inForce.list = [one, two, four];
      await call(calls, 5000);
      expect([one, two, four].map((it) => it.calls)).toEqual([2, 0, 0]);
    }));

  test('a majority is one of those in force', () =>
    inWorld(async (bench) => {
      const { one, two, three, four, inForce, calls } = await changing(bench);
      one.process.kill();
      three.process.kill();
      const waiting = call(calls, FOR_EVER, { patient: true });
      inForce.list = [two, four];
      const { message } = await failure(call(calls, 2000, once));
      expect(message).toMatch(/^no active controller took Say within 2000 ms: 2 of 2 controllers answer \(/);
      four.leads = 3;
      expect(await waiting).toEqual({ text: 'hi!' });
    }));
});

describe('a stream', () => {
  const open = (calls: ControllerChannel, timeoutMs = 5000) => calls.stream(talk, listen, { text: 'hi' }, timeoutMs);

  /** What it brings, and how it ends. */
  async function allOf(stream: AsyncIterable<{ text: string }>): Promise<unknown[]> {
    const seen: unknown[] = [];
    try {
      for await (const { text } of stream) seen.push(text);
    } catch (error) {
      seen.push(error instanceof RpcError ? error.status : error);
    }
    return seen;
  }

  test('is that of the active controller, until it is that no more; then another one is found', () =>
    inWorld(async ({ env, controller, channel }) => {
      const [one, two] = [await controller(1, 4), await controller(2)];
      const calls = channel(one, two);
      const first = allOf(open(calls));
      await sleep(env.clock, 100_000);
      one.stepsDown();
      expect(await first).toEqual(['hi!', 'FAILED_PRECONDITION']);
      two.leads = 5;
      const second = open(calls);
      expect(await second.next()).toMatchObject({ value: { text: 'hi!' } });
      expect([one.listeners.size, two.listeners.size]).toEqual([0, 1]);
    }));

  test('waits for an active controller, so long and no longer', () =>
    inWorld(async ({ env, controller, channel }) => {
      const one = await controller(1);
      const calls = channel(one);
      expect(await allOf(open(calls, 500))).toEqual(['UNAVAILABLE']);
      const waiting = allOf(open(calls));
      await sleep(env.clock, 300);
      one.leads = 1;
      await sleep(env.clock, 100);
      one.stepsDown();
      expect(await waiting).toEqual(['hi!', 'FAILED_PRECONDITION']);
    }));

  test('ends when the controller dies, and when the channel closes', () =>
    inWorld(async ({ env, controller, channel }) => {
      const [one, two] = [await controller(1, 4), await controller(2, 3)];
      const calls = channel(one, two);
      const first = allOf(open(calls));
      await sleep(env.clock, 100);
      one.process.kill();
      expect(await first).toEqual(['hi!', 'UNAVAILABLE']);
      const second = allOf(open(calls));
      await sleep(env.clock, 100);
      calls.close();
      expect(await second).toEqual(['hi!', 'CANCELLED']);
      expect(await allOf(open(calls))).toEqual(['CANCELLED']);
    }));
});

test('with a majority that elects nobody, the time runs out', () =>
  inWorld(async (bench) => {
    const calls = bench.channel(await bench.controller(1), await bench.controller(2));
    const { error, ms } = await failureAfter(bench, call(calls, 3000, once));
    expect([error.status, error.transport]).toEqual(['UNAVAILABLE', 'refused']);
    expect(error.message).toMatch(/^no active controller took Say within 3000 ms: 2 of 2 controllers answer \(/);
    expect(ms).toBeCloseTo(3000, 0);
  }));

test('a closed channel', () =>
  inWorld(async ({ controller, channel }) => {
    const calls = channel(await controller(1));
    const waiting = failure(call(calls, FOR_EVER));
    calls.close();
    await waiting;
    expect(await failure(call(calls, 1000))).toMatchObject({ status: 'CANCELLED' });
  }));
