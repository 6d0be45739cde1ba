// What a call to the active controller says when it fails (C-9.1): whether it may have taken effect, whatever came after.
import { describe, expect, test } from 'vitest';
import type { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { FailureDetail } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { Bench } from './controller-world.ts';
import { inWorld, notActive, say, talk } from './controller-world.ts';

const once = { repeatable: false };

async function failure(channel: ControllerChannel, timeoutMs: number, options?: { repeatable: boolean }) {
  const error: unknown = await channel.call(talk, say, { text: 'hi' }, timeoutMs, options).then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error, String(error)).toBeInstanceOf(RpcError);
  return error as RpcError;
}

function failing(reason: string, mayTakeEffect: boolean): RpcError {
  const detail: FailureDetail = { reason, mayTakeEffect, controllerId: 1 };
  return new RpcError('UNAVAILABLE', `because of ${reason}`, undefined, detail);
}

/** A controller that leads, and answers its calls in this order, the last one for ever. */
async function leader({ controller, channel }: Bench, ...answers: (RpcError | string)[]) {
  const one = await controller(1, 1, (_, call) => answers[Math.min(call, answers.length) - 1] ?? '');
  return { one, calls: channel(one) };
}

describe('a call that is made again', () => {
  test('after an attempt that may have been carried out says so, although the last one was not', () =>
    inWorld(async (bench) => {
      const { calls, one } = await leader(bench, failing('NO_LONGER_CONTROLLER', true), notActive());
      const error = await failure(calls, 2000);
      expect(one.calls).toBeGreaterThan(1);
      expect([error.status, error.transport]).toEqual(['UNAVAILABLE', 'broken']);
      expect(error.detail).toEqual({ reason: 'NO_CONTROLLER', mayTakeEffect: true, controllerId: -1 });
      expect(error.message).toMatch(
        /^whether Say took effect is not known: because of NO_LONGER_CONTROLLER; then: no active controller took Say within 2000 ms/,
      );
    }));

  test('after such an attempt takes no verdict for nothing done', () =>
    inWorld(async (bench) => {
      const verdict = new RpcError('RESOURCE_EXHAUSTED', 'too many', undefined, {
        reason: 'TOO_MANY_PENDING',
        mayTakeEffect: false,
        controllerId: 1,
      });
      const { calls } = await leader(bench, failing('NO_LONGER_CONTROLLER', true), verdict);
      const error = await failure(calls, 2000);
      expect(error.status).toBe('UNAVAILABLE');
      expect(error.detail).toEqual({ reason: 'TOO_MANY_PENDING', mayTakeEffect: true, controllerId: 1 });
    }));

  test('says that nothing was done where no attempt was carried out', () =>
    inWorld(async (bench) => {
      const { calls } = await leader(bench, notActive());
      for (const options of [undefined, once]) {
        const error = await failure(calls, 500, options);
        expect([error.transport, error.detail?.mayTakeEffect]).toEqual(['refused', false]);
      }
    }));

  test('does not go on where the active controller has no majority', () =>
    inWorld(async (bench) => {
      const { calls, one } = await leader(bench, failing('NO_MAJORITY', false));
      const from = bench.env.clock.now();
      const error = await failure(calls, 60_000);
      expect(bench.env.clock.now() - from).toBeLessThan(1000);
      expect([one.calls, error.detail?.reason, error.detail?.mayTakeEffect]).toEqual([1, 'NO_MAJORITY', false]);
    }));

  test('is over at its deadline, also while another call keeps finding the controller', () =>
    inWorld(async (bench) => {
      const { calls } = await leader(bench, notActive());
      const others = [failure(calls, 3000), failure(calls, 3000)];
      const from = bench.env.clock.now();
      await failure(calls, 1000);
      expect(bench.env.clock.now() - from).toBeLessThan(1100);
      await Promise.all(others);
    }));
});

describe('a call that is made once', () => {
  test('is tried again where the detail says that nothing was done, whatever the status', () =>
    inWorld(async (bench) => {
      const { calls, one } = await leader(bench, failing('STARTING', false), 'done');
      expect(await calls.call(talk, say, { text: 'hi' }, 2000, once)).toEqual({ text: 'done' });
      expect(one.calls).toBe(2);
    }));

  test('and was not answered says who was asked', () =>
    inWorld(async (bench) => {
      const two = await bench.controller(2, 1, () => new Promise(() => undefined));
      const calls = bench.channel(two);
      const asked = failure(calls, 5000, once);
      await sleep(bench.env.clock, 100);
      two.process.kill();
      const error = await asked;
      expect(error.detail).toEqual({ reason: 'NO_ANSWER', mayTakeEffect: true, controllerId: 2 });
    }));
});
