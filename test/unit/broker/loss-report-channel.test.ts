// How losses get into the ledger: together, one call at a time, said again until they are there (S-D8, D-3.5).
import { describe, expect, test } from 'vitest';
import { LossReportChannel } from '../../../src/broker/loss-report-channel.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import type { LogFields, Logger } from '../../../src/env/logger.ts';
import { RpcError } from '../../../src/env/network.ts';
import { undone } from '../../../src/env/rpc-failures.ts';
import type { ReportLossesRequest, ReportLossesResponse } from '../../../src/gen/kvorum/v1/controller.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { ReplicaLoss, ReplicaLossKind } from '../../../src/replica/loss-reports.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';
import { ADDRESS, BROKER_EPOCH, ScriptedController } from './scripted-controller.ts';

const T = uuid(1);

interface Parts {
  readonly env: Env;
  readonly controller: ScriptedController;
  readonly channel: LossReportChannel;
  /** Reports a loss of that partition. */
  readonly report: (partition: number, signal?: AbortSignal) => Promise<boolean>;
  readonly warnings: { readonly event: string; readonly fields: LogFields }[];
}

async function inWorld(body: (parts: Parts) => Promise<void>): Promise<World> {
  const world = new World({ seed: 1 });
  const controller = new ScriptedController();
  world.process('controller').start((env) => controller.serve(env));
  await world.run('broker', 3_600_000, async (env) => {
    const toController = new ControllerChannel(env, [{ id: 9, address: ADDRESS }]);
    const warnings: Parts['warnings'] = [];
    const logger: Logger = { ...quiet, warn: (event, fields = {}) => void warnings.push({ event, fields }) };
    const channel = new LossReportChannel({
      ...env,
      logger,
      controller: toController,
      brokerId: 1,
      brokerEpoch: () => BROKER_EPOCH,
      requestTimeoutMs: 1000,
    });
    const never = new AbortController().signal;
    const report: Parts['report'] = (partition, signal = never) => channel.report(loss(partition), signal);
    await body({ env, controller, channel, report, warnings });
    channel.stop();
    toController.close();
  });
  return world;
}

const nothing = (): void => {};
const quiet: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => quiet };

function loss(partition: number, kind: ReplicaLossKind = 'cut'): ReplicaLoss {
  return { topicId: T, partition, leaderEpoch: 3, kind, fromOffset: 10, toOffset: 20, highWatermark: 15 };
}

/** All of them are in the ledger, but for the errors that are named by partition. */
function answer(errors: Record<number, string> = {}) {
  return ({ losses }: ReportLossesRequest): ReportLossesResponse => ({
    losses: losses.map(({ topicId, partition }) => {
      const name = errors[partition];
      return { topicId, partition, error: name === undefined ? undefined : { code: 1, name, message: 'because' } };
    }),
  });
}

function partitionsOf({ reports }: ScriptedController): number[][] {
  return reports.map(({ losses }) => losses.map(({ partition }) => partition));
}

describe('losses', () => {
  test('that are told in one turn go in one call, those that come meanwhile in the next', () =>
    inWorld(async ({ env, controller, report }) => {
      controller.reporting.push(async (request) => {
        await sleep(env.clock, 50);
        return answer()(request);
      }, answer());
      const first = [report(0), report(1)];
      await sleep(env.clock, 20);
      const second = report(2);
      expect(await Promise.all([...first, second])).toEqual([true, true, true]);
      expect(partitionsOf(controller)).toEqual([[0, 1], [2]]);
      expect(controller.reports[0]).toMatchObject({
        brokerId: 1,
        brokerEpoch: BROKER_EPOCH,
        losses: [
          { brokerId: 1, kind: LossKind.CUT, leaderEpoch: 3, fromOffset: 10, toOffset: 20, highWatermark: 15 },
          { partition: 1 },
        ],
      });
    }));

  test('have their kinds', () =>
    inWorld(async ({ controller, channel }) => {
      controller.reporting.push(answer());
      const kinds: ReplicaLossKind[] = ['led', 'cut', 'hole', 'short'];
      const { signal } = new AbortController();
      await Promise.all(kinds.map((kind, i) => channel.report(loss(i, kind), signal)));
      expect(controller.reports[0]?.losses.map(({ kind }) => kind)).toEqual([
        LossKind.LED,
        LossKind.CUT,
        LossKind.HOLE,
        LossKind.SHORT,
      ]);
    }));

  test('are a thousand at most in a call', () =>
    inWorld(async ({ controller, report }) => {
      controller.reporting.push(answer(), answer());
      await Promise.all(Array.from({ length: 1500 }, (_, i) => report(i)));
      expect(controller.reports.map(({ losses }) => losses.length)).toEqual([1000, 500]);
    }));

  test('are said again while it is not known what became of them, and to a controller that knows less', () =>
    inWorld(async ({ env, controller, report, warnings }) => {
      const fail = (status: 'ABORTED' | 'RESOURCE_EXHAUSTED') => () => {
        throw new RpcError(status, 'not now');
      };
      controller.reporting.push(fail('ABORTED'), fail('RESOURCE_EXHAUSTED'), () => ({ losses: [] }));
      controller.reporting.push(
        answer({ 0: 'NOT_CONTROLLER', 1: 'OPERATION_NOT_ATTEMPTED' }),
        answer({ 1: 'NOT_CONTROLLER' }),
      );
      const all = Promise.all([report(0), report(1), report(2)]);
      await sleep(env.clock, 10_000);
      expect(warnings.map(({ event }) => event)).toEqual(['losses-not-reported']);
      controller.reporting.push(answer());
      await sleep(env.clock, 10_000);
      expect(await all).toEqual([true, true, true]);
      const asked = partitionsOf(controller);
      expect(asked.slice(0, 5)).toEqual([...Array.from({ length: 4 }, () => [0, 1, 2]), [0, 1]]);
      expect(asked.slice(5).every((partitions) => partitions.join() === '1')).toBe(true);
    }));

  test('of a topic that is gone are gone with it', () =>
    inWorld(async ({ controller, report, warnings }) => {
      controller.reporting.push(answer({ 0: 'UNKNOWN_TOPIC_ID', 1: 'UNKNOWN_TOPIC_OR_PARTITION' }));
      expect(await Promise.all([report(0), report(1)])).toEqual([true, true]);
      expect(warnings).toEqual([]);
    }));

  test.each([
    ['is not taken', answer({ 0: 'INVALID_REQUEST' }), 'INVALID_REQUEST: because'],
    [
      'comes below the level of the ledger',
      () => {
        throw undone('INVALID_ARGUMENT', 'UNSUPPORTED_VERSION', 'raise it');
      },
      'raise it',
    ],
    [
      'comes to a controller that has no ledger',
      () => {
        throw new RpcError('UNIMPLEMENTED', 'no such method');
      },
      'no such method',
    ],
  ])('what %s is in the log of the broker at least', async (_, verdict, reason) => {
    await inWorld(async ({ controller, report, warnings }) => {
      controller.reporting.push(verdict);
      expect(await report(0)).toBe(true);
      expect(warnings).toEqual([{ event: 'loss-not-in-ledger', fields: { ...loss(0), reason } }]);
      expect(controller.reports).toHaveLength(1);
    });
  });

  test('that are given up are not said again; stopped, nobody waits', () =>
    inWorld(async ({ env, controller, channel, report }) => {
      const given = new AbortController();
      const abandoned = report(0, given.signal);
      const waiting = report(1);
      await sleep(env.clock, 100);
      given.abort();
      expect(await abandoned).toBe(false);
      expect(await report(0, given.signal)).toBe(false);
      await sleep(env.clock, 5000);
      expect(partitionsOf(controller).slice(0, 2)).toEqual([[0, 1], [1]]);
      channel.stop();
      expect(await waiting).toBe(false);
      expect(await report(2)).toBe(false);
    }));
});
