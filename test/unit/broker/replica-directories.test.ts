// Which log dir holds a replica, as the controller is told: many at once, again until it is answered, and not for ever.
import { describe, expect, test } from 'vitest';
import { Registration } from '../../../src/broker/registration.ts';
import { ReplicaDirectories } from '../../../src/broker/replica-directories.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import { RpcError } from '../../../src/env/network.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';
import { parsed } from './bench.ts';
import { ADDRESS, assigned, BROKER_EPOCH, ScriptedController } from './scripted-controller.ts';

const [T, FIRST, SECOND] = [uuid(1), uuid(2), uuid(3)];

interface Parts {
  readonly env: Env;
  readonly world: World;
  readonly controller: ScriptedController;
  readonly directories: ReplicaDirectories;
}

async function inWorld(body: (parts: Parts) => Promise<void>): Promise<World> {
  const world = new World({ seed: 1 });
  const controller = new ScriptedController();
  world.process('controller').start((env) => controller.serve(env));
  await world.run('broker', 3_600_000, async (env) => {
    const channel = new ControllerChannel(env, [{ id: 9, address: ADDRESS }]);
    const directories = new ReplicaDirectories({
      clock: env.clock,
      logger: env.logger,
      controller: channel,
      brokerId: 1,
      brokerEpoch: () => BROKER_EPOCH,
      requestTimeoutMs: 1000,
    });
    await body({ env, world, controller, directories });
    directories.stop();
    channel.close();
  });
  return world;
}

function replica(partition: number, directoryId = FIRST) {
  return { topicId: T, partition, directoryId };
}

describe('replicas in log dirs', () => {
  test('are told together, each as it was told last, a thousand at most in a call', () =>
    inWorld(async ({ controller, directories }) => {
      for (let i = 0; i < 1500; i++) directories.tell(replica(i));
      directories.tell(replica(0, SECOND));
      await directories.told(FIRST);
      expect(controller.assignments.map(({ replicas }) => replicas.length)).toEqual([1000, 500]);
      expect(controller.assignments[0]).toMatchObject({ brokerId: 1, brokerEpoch: BROKER_EPOCH });
      expect(controller.assignments[0]?.replicas[0]).toEqual(replica(0, SECOND));
      await directories.told(SECOND);
      expect(controller.assignments).toHaveLength(2);
    }));

  test('are told again when nobody answered, or some were left; what is refused for good is not', () =>
    inWorld(async ({ controller, directories }) => {
      const refuse = (name: string, at: number): typeof assigned => {
        return (request) => {
          const { replicas } = assigned(request);
          return {
            replicas: replicas.map((each, i) => (i === at ? { ...each, error: { code: 1, name, message: '' } } : each)),
          };
        };
      };
      controller.verdicts.push(
        () => {
          throw new RpcError('RESOURCE_EXHAUSTED', 'too much at once');
        },
        refuse('OPERATION_NOT_ATTEMPTED', 1),
        refuse('UNKNOWN_TOPIC_ID', 0),
      );
      for (const partition of [0, 1]) directories.tell(replica(partition));
      await directories.told(FIRST);
      expect(controller.assignments.map(({ replicas }) => replicas.map(({ partition }) => partition))).toEqual([
        [0, 1],
        [0, 1],
        [1],
      ]);
    }));

  test('of a broker that is another process now, or of a cluster that knows no log dirs, are not told again', () =>
    inWorld(async ({ env, controller, directories }) => {
      for (const status of ['ABORTED', 'INVALID_ARGUMENT'] as const) {
        controller.verdicts.push(() => {
          throw new RpcError(status, 'no');
        });
        directories.tell(replica(0));
        await directories.told(FIRST);
      }
      await sleep(env.clock, 10_000);
      expect(controller.assignments).toHaveLength(2);
    }));

  test('are not waited for once the broker stops', async () => {
    const world = await inWorld(async ({ env, world: { network }, controller, directories }) => {
      network.cut('broker', 'controller');
      directories.tell(replica(0));
      await sleep(env.clock, 5000);
      const told = directories.told(FIRST);
      directories.stop();
      await told;
      directories.tell(replica(1));
      await sleep(env.clock, 5000);
      expect(controller.assignments).toEqual([]);
    });
    expect(world.log.lines().some(({ event }) => event === 'log-dirs-not-told')).toBe(true);
  });
});

test('a log dir that failed is told with every heartbeat, the first one at once', async () => {
  await inWorld(async ({ env, controller }) => {
    const config = parsed('node.id=1\nprocess.roles=broker\ncontroller.quorum.voters=9@controller:9093\nlog.dirs=/d\n');
    const channel = new ControllerChannel(env, [{ id: 9, address: ADDRESS }]);
    const registration = new Registration({
      clock: env.clock,
      logger: env.logger,
      controller: channel,
      config,
      clusterId: uuid(1),
      incarnationId: uuid(2),
      logDirs: [FIRST, SECOND],
      endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: 1 }],
      bootCounter: 1,
      lastLife: { brokerEpoch: -1, end: 'unknown' },
      metadataEndOffset: () => 20,
      superseded: () => undefined,
    });
    await registration.register();
    void registration.keepAlive();
    await sleep(env.clock, 1);
    const before = controller.heartbeats.length;
    registration.logDirFailed(SECOND);
    await sleep(env.clock, 100);
    expect(controller.heartbeats.slice(before).map(({ offlineLogDirs }) => offlineLogDirs)).toEqual([[SECOND]]);
    await sleep(env.clock, 10_000);
    expect(controller.heartbeats.length).toBeGreaterThan(before + 2);
    expect(controller.heartbeats.slice(before).every(({ offlineLogDirs }) => offlineLogDirs.join() === SECOND)).toBe(
      true,
    );
    registration.stop();
    channel.close();
  });
});
