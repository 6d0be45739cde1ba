// A broker's membership, over a simulated network, with a controller that says what a test wants.
import { describe, expect, test } from 'vitest';
import { Registration } from '../../../src/broker/registration.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import { RpcError } from '../../../src/env/network.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';
import { ADDRESS, BROKER_EPOCH, ScriptedController } from './scripted-controller.ts';

interface Parts {
  readonly env: Env;
  readonly controller: ScriptedController;
  readonly registration: Registration;
  readonly channel: ControllerChannel;
}

async function inWorld(body: (parts: Parts) => Promise<void>): Promise<void> {
  const world = new World({ seed: 1 });
  const controller = new ScriptedController();
  world.process('controller').start((env) => controller.serve(env));
  await world.run('broker', 3_600_000, async (env) => {
    const parsed = parseNodeConfig(
      'node.id=1\nprocess.roles=broker\ncontroller.quorum.voters=9@controller:9093\nlog.dirs=/d\n',
    );
    if (!parsed.ok) throw new Error(parsed.errors.join('; '));
    const channel = new ControllerChannel(env, [{ id: 9, address: ADDRESS }]);
    const registration = new Registration({
      clock: env.clock,
      logger: env.logger,
      controller: channel,
      config: parsed.config,
      clusterId: uuid(1),
      incarnationId: uuid(2),
      logDirs: [uuid(3)],
      endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: 1 }],
      bootCounter: 1,
      lastLife: { brokerEpoch: -1, end: 'unknown' },
      metadataEndOffset: () => 20,
      superseded: () => undefined,
    });
    await body({ env, controller, registration, channel });
    registration.stop();
    channel.close();
  });
}

describe('the held connection', () => {
  test('is held while the broker lives, and again at once when it breaks', () =>
    inWorld(async ({ env, controller, registration }) => {
      await registration.register();
      void registration.keepAlive();
      void registration.holdSession();
      await sleep(env.clock, 60_000);
      expect(controller.held).toHaveLength(1);
      for (const error of [undefined, new RpcError('FAILED_PRECONDITION', 'not active'), undefined]) {
        const from = env.clock.now();
        const before = controller.held.length;
        controller.end?.(error);
        while (controller.held.length === before) await sleep(env.clock, 1);
        // Well within the shortest grace of a profile.
        expect(env.clock.now() - from).toBeLessThan(50);
        await sleep(env.clock, 1000);
        expect(controller.held).toHaveLength(before + 1);
      }
    }));

  test('is not asked for in a rush where it is refused', () =>
    inWorld(async ({ env, controller, registration }) => {
      await registration.register();
      controller.refuses = new RpcError('UNIMPLEMENTED', 'an older version');
      void registration.holdSession();
      await sleep(env.clock, 10_000);
      expect(controller.held.length).toBeLessThanOrEqual(6); // one in each interval of heartbeats
      controller.refuses = new RpcError('FAILED_PRECONDITION', 'elected, and catching up');
      await sleep(env.clock, 12_000);
      expect(controller.held.length).toBeLessThanOrEqual(250);
      controller.refuses = undefined;
      await sleep(env.clock, 1000);
      const { length } = controller.held;
      await sleep(env.clock, 10_000);
      expect(controller.held).toHaveLength(length);
    }));

  test('does not keep a broker from leaving, and ends with its channel', () =>
    inWorld(async ({ env, controller, registration, channel }) => {
      await registration.register();
      void registration.keepAlive();
      const holding = registration.holdSession();
      await sleep(env.clock, 1000);
      const from = env.clock.now();
      await registration.leave();
      expect(env.clock.now() - from).toBeLessThan(100);
      expect(controller.heartbeats.at(-1)).toMatchObject({ wantShutdown: true, brokerEpoch: BROKER_EPOCH });
      registration.stop();
      channel.close();
      await holding;
      expect(controller.held).toHaveLength(1);
    }));
});

test('a broker that the controller has not answered for a session knows it', () =>
  inWorld(async ({ env, controller, registration }) => {
    await registration.register();
    expect(registration.isInSession).toBe(false);
    void registration.keepAlive();
    await sleep(env.clock, 20_000);
    expect(registration.isInSession).toBe(true);
    controller.isSilent = true;
    await sleep(env.clock, 5000);
    expect(registration.isInSession).toBe(true);
    await sleep(env.clock, 5000);
    expect(registration.isInSession).toBe(false);
    controller.isSilent = false;
    await sleep(env.clock, 10_000);
    expect(registration.isInSession).toBe(true);
  }));

test('B85: an incarnation that never registered has no epoch to leave behind', () =>
  inWorld(async ({ controller, registration }) => {
    expect(registration.brokerEpoch).toBe(-1);
    await registration.register();
    expect(registration.brokerEpoch).toBe(BROKER_EPOCH);
    expect(controller.registrations[0]).toMatchObject({
      previousBrokerEpoch: -1,
      minMetadataLevel: 1,
      maxMetadataLevel: 3,
    });
  }));
