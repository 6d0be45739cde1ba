// How a leader's changes reach the controller: together, one call at a time, the same again until it is known what became of them (D-5).
import { describe, expect, test } from 'vitest';
import { AlterPartitionChannel } from '../../../src/broker/alter-partition-channel.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../../../src/gen/kvorum/v1/controller.ts';
import type { AlterationOutcome, PartitionAlteration } from '../../../src/replica/alter-partitions.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';
import { ADDRESS, BROKER_EPOCH, ScriptedController } from './scripted-controller.ts';

const T = uuid(1);

interface Parts {
  readonly env: Env;
  readonly world: World;
  readonly controller: ScriptedController;
  readonly channel: AlterPartitionChannel;
  /** Asks for a change of that partition. */
  readonly alter: (partition: number, signal?: AbortSignal) => Promise<AlterationOutcome | undefined>;
}

async function inWorld(body: (parts: Parts) => Promise<void>): Promise<World> {
  const world = new World({ seed: 1 });
  const controller = new ScriptedController();
  world.process('controller').start((env) => controller.serve(env));
  await world.run('broker', 3_600_000, async (env) => {
    const toController = new ControllerChannel(env, [{ id: 9, address: ADDRESS }]);
    const channel = new AlterPartitionChannel({
      ...env,
      controller: toController,
      brokerId: 1,
      brokerEpoch: () => BROKER_EPOCH,
      requestTimeoutMs: 1000,
    });
    await body({
      env,
      world,
      controller,
      channel,
      alter: (partition, signal = new AbortController().signal) => channel.alter(alteration(partition), signal),
    });
    channel.stop();
    toController.close();
  });
  return world;
}

function alteration(partition: number): PartitionAlteration {
  const isr = [{ brokerId: 1, brokerEpoch: BROKER_EPOCH }];
  return { topicId: T, partition, leaderEpoch: 3, partitionEpoch: 7, isr, recovering: false };
}

/** All of them are carried out, but for the errors that are named by partition. */
function answer(errors: Record<number, string> = {}) {
  return ({ partitions }: AlterPartitionRequest): AlterPartitionResponse => ({
    partitions: partitions.map(({ topicId, partition, leaderEpoch, partitionEpoch, isr, recovering }) => {
      const name = errors[partition];
      const error = name === undefined ? undefined : { code: 1, name, message: 'because' };
      const brokers = isr.map(({ brokerId }) => brokerId);
      const state = { leader: 1, leaderEpoch, partitionEpoch: partitionEpoch + 1, isr: brokers, recovering };
      return { topicId, partition, error, ...state };
    }),
  });
}

function partitionsOf({ alterations }: ScriptedController): number[][] {
  return alterations.map(({ partitions }) => partitions.map(({ partition }) => partition));
}

const ALTERED = { kind: 'altered', leaderEpoch: 3, partitionEpoch: 8, isr: [1], recovering: false };

describe('changes of partitions', () => {
  test('that are asked for in one turn go in one call, those that come meanwhile in the next (D-5.1)', async () => {
    await inWorld(async ({ env, controller, alter }) => {
      controller.altering.push(async (request) => {
        await sleep(env.clock, 50);
        return answer()(request);
      }, answer());
      const first = [alter(0), alter(1)];
      await sleep(env.clock, 20);
      const second = [alter(2), alter(3)];
      expect(await Promise.all([...first, ...second])).toEqual([ALTERED, ALTERED, ALTERED, ALTERED]);
      expect(partitionsOf(controller)).toEqual([
        [0, 1],
        [2, 3],
      ]);
      expect(controller.alterations[0]).toMatchObject({ brokerId: 1, brokerEpoch: BROKER_EPOCH });
      expect(controller.alterations[0]?.partitions[0]).toEqual(alteration(0));
    });
  });

  test('are a thousand in a call at most', async () => {
    await inWorld(async ({ controller, alter }) => {
      controller.altering.push(answer(), answer());
      await Promise.all(Array.from({ length: 1500 }, (_, i) => alter(i)));
      expect(partitionsOf(controller).map(({ length }) => length)).toEqual([1000, 500]);
    });
  });

  test.each([
    ['INELIGIBLE_REPLICA', 'refused'],
    ['OPERATION_NOT_ATTEMPTED', 'refused'],
    ['FENCED_LEADER_EPOCH', 'superseded'],
    ['INVALID_UPDATE_VERSION', 'superseded'],
    ['UNKNOWN_TOPIC_ID', 'superseded'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'superseded'],
    ['INVALID_REQUEST', 'superseded'],
    ['NEW_LEADER_ELECTED', 'superseded'],
  ])('answered %s are %s (D-5.4, D-5.5)', async (name, kind) => {
    await inWorld(async ({ controller, alter }) => {
      controller.altering.push(answer({ 0: name }));
      expect(await Promise.all([alter(0), alter(1)])).toEqual([{ kind, error: name, message: 'because' }, ALTERED]);
      expect(controller.alterations).toHaveLength(1);
    });
  });

  test.each(['NOT_CONTROLLER', 'STALE_BROKER_EPOCH'])(
    'answered %s are asked for again, the same (D-5.6)',
    async (name) => {
      await inWorld(async ({ controller, alter }) => {
        controller.altering.push(answer({ 1: name }), answer());
        expect(await Promise.all([alter(0), alter(1)])).toEqual([ALTERED, ALTERED]);
        expect(partitionsOf(controller)).toEqual([[0, 1], [1]]);
        expect(controller.alterations[1]?.partitions).toEqual(controller.alterations[0]?.partitions.slice(1));
      });
    },
  );

  test('are asked for again, the same, whatever else becomes of the call: one warning at most (D-5.6)', async () => {
    const world = await inWorld(async ({ controller, alter, env, world: { network } }) => {
      const fail = (status: 'ABORTED' | 'RESOURCE_EXHAUSTED' | 'INTERNAL') => (): never => {
        throw new RpcError(status, 'no');
      };
      const silent = () => new Promise<never>(() => undefined);
      controller.altering.push(fail('ABORTED'), fail('RESOURCE_EXHAUSTED'), fail('INTERNAL'), silent);
      controller.altering.push(() => ({ partitions: [] }), fail('INTERNAL'), fail('INTERNAL'), answer());
      const outcome = alter(0);
      await sleep(env.clock, 200);
      network.cut('broker', 'controller');
      await sleep(env.clock, 10_000);
      network.heal();
      expect(await outcome).toEqual(ALTERED);
      expect(controller.alterations.length).toBeGreaterThanOrEqual(8);
      for (const { partitions } of controller.alterations) expect(partitions).toEqual([alteration(0)]);
    });
    expect(world.log.lines().filter(({ event }) => event === 'isr-changes-not-answered')).toHaveLength(1);
  });

  test('are nobody’s any more when the leadership is over, or the broker stops; no timer is left (S-X3)', async () => {
    await inWorld(async ({ env, channel, controller, alter }) => {
      const over = new AbortController();
      const [first, second] = [alter(0, over.signal), alter(1)];
      await sleep(env.clock, 100);
      over.abort();
      expect(await first).toBeUndefined();
      expect(await alter(2, over.signal)).toBeUndefined();
      await sleep(env.clock, 3000);
      expect(partitionsOf(controller)[0]).toEqual([0, 1]);
      expect(partitionsOf(controller).at(-1)).toEqual([1]);
      channel.stop();
      expect(await second).toBeUndefined();
      expect(await alter(3)).toBeUndefined();
      const calls = controller.alterations.length;
      await sleep(env.clock, 100_000);
      expect(controller.alterations).toHaveLength(calls);
    });
  });
});
