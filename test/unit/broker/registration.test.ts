// A broker's membership, over a simulated network, with a controller that says what a test wants.
import { describe, expect, test } from 'vitest';
import { Registration } from '../../../src/broker/registration.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import type { RpcStreamContext } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition, DescribeQuorumResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import type {
  BrokerHeartbeatRequest,
  HoldSessionRequest,
  HoldSessionResponse,
  RegisterBrokerRequest,
} from '../../../src/gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition } from '../../../src/gen/kvorum/v1/controller.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

const ADDRESS = { host: 'controller', port: 9093 };
const BROKER_EPOCH = 17;

class ScriptedController {
  readonly registrations: RegisterBrokerRequest[] = [];
  readonly heartbeats: BrokerHeartbeatRequest[] = [];
  /** When each connection was held, by the world's clock. */
  readonly held: number[] = [];
  /** How the connections under way end. */
  end: ((error?: RpcError) => void) | undefined;
  /** Heartbeats are not answered. */
  isSilent = false;
  /** Connections are refused. */
  refuses: RpcError | undefined;

  async serve({ network, clock }: Env): Promise<void> {
    const refuse = (): never => {
      throw new RpcError('UNIMPLEMENTED', 'not part of these tests');
    };
    const stubs = (definition: { methods: object }) =>
      Object.fromEntries(Object.keys(definition.methods).map((name) => [name, refuse]));
    await network.serve(ADDRESS, [
      {
        definition: AdminServiceDefinition,
        handlers: {
          ...stubs(AdminServiceDefinition),
          describeQuorum: () =>
            Promise.resolve({
              ...DescribeQuorumResponse.decode(new Uint8Array()),
              leaderId: 1,
              leaderEpoch: 1,
              fromLeader: true,
            }),
        },
      },
      {
        definition: ControllerServiceDefinition,
        handlers: {
          ...stubs(ControllerServiceDefinition),
          registerBroker: (request: RegisterBrokerRequest) => {
            this.registrations.push(request);
            return Promise.resolve({ brokerEpoch: BROKER_EPOCH });
          },
          brokerHeartbeat: (request: BrokerHeartbeatRequest) => {
            this.heartbeats.push(request);
            if (this.isSilent) return new Promise(() => undefined);
            return Promise.resolve({ fenced: false, shouldShutdown: request.wantShutdown });
          },
          holdSession: (request: HoldSessionRequest, context: RpcStreamContext) => this.#hold(request, context, clock),
        },
      },
    ]);
  }

  async *#hold(
    { brokerEpoch }: HoldSessionRequest,
    { signal }: RpcStreamContext,
    clock: Env['clock'],
  ): AsyncGenerator<HoldSessionResponse> {
    this.held.push(clock.now());
    if (this.refuses !== undefined) throw this.refuses;
    expect(brokerEpoch).toBe(BROKER_EPOCH);
    yield {};
    await new Promise<void>((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error));
      signal.addEventListener('abort', () => resolve());
    });
  }
}

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
      previousBrokerEpoch: -1,
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
      maxMetadataLevel: 2,
    });
  }));
