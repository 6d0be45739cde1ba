// One role after the other on a partition whose fetching is scripted: nothing of one goes on in the next (D-0).
import { expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { topicConfigOf, topicDefaults } from '../../../src/config/topic-config.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { Partition } from '../../../src/replica/partition.ts';
import { batchOf, configText, parsed } from '../broker/bench.ts';
import { CALM, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { SELF, SILENT_CONTROLLER, withReplicas } from './bench.ts';

const T = uuid(60);

/** A follower that has something under way until the test says that it has ended. */
class ScriptedFollower {
  readonly leaderEpoch: number;
  stops = 0;
  isBusy = false;
  #ended: (() => void)[] = [];

  constructor({ leaderEpoch }: PartitionState) {
    this.leaderEpoch = leaderEpoch;
  }

  stop(): Promise<void> {
    this.stops++;
    return this.isBusy ? new Promise((resolve) => this.#ended.push(resolve)) : Promise.resolve();
  }

  end(): void {
    this.isBusy = false;
    for (const resolve of this.#ended) resolve();
  }
}

async function opened({ directory, env }: Replicas, follows: ScriptedFollower[], known = 0): Promise<Partition> {
  const { values } = parsed(configText({ 'log.flush.mode': 'async' }));
  const topicConfig = topicConfigOf(new Map(), topicDefaults({ broker: new Map(), cluster: new Map() }, values));
  const log = await directory.openLog('own', T, 0, topicConfig);
  const deps = {
    ...SILENT_CONTROLLER,
    brokerId: SELF,
    clock: env.clock,
    logger: env.logger,
    replicaLagTimeMaxMs: 30_000,
    brokerEpoch: () => 1,
    registeredEpoch: () => 1,
    eligible: () => true,
    awaited: () => [],
    follow: (_: Partition, state: PartitionState) => {
      const follower = new ScriptedFollower(state);
      follows.push(follower);
      return follower;
    },
    failed: () => undefined,
  };
  return new Partition(deps, { topic: 'own', topicId: T, partition: 0 }, log, topicConfig, known);
}

function state(leader: number, leaderEpoch: number, partitionEpoch: number, isr = [SELF, 2]): PartitionState {
  return {
    ...CALM,
    replicas: [SELF, 2],
    isr,
    directories: [ZERO_UUID, ZERO_UUID],
    leader,
    leaderEpoch,
    partitionEpoch,
  };
}

test('a follower follows one leader epoch; whatever it has under way ends before the next role begins (D-0.2 to D-0.4)', async () => {
  await withReplicas(async (replicas) => {
    const follows: ScriptedFollower[] = [];
    const partition = await opened(replicas, follows);
    await partition.applyState(state(2, 1, 1));
    expect([partition.role?.kind, partition.leaderEpoch, follows.length]).toEqual(['follower', 1, 1]);
    await partition.applyState(state(2, 1, 2, [2]));
    expect([follows.length, follows[0]?.stops]).toEqual([1, 0]);
    await partition.applyState(state(2, 2, 3));
    expect(follows.map(({ leaderEpoch, stops }) => [leaderEpoch, stops])).toEqual([
      [1, 1],
      [2, 0],
    ]);
    const [, second] = follows;
    if (second !== undefined) second.isBusy = true;
    const leading = partition.applyState(state(SELF, 3, 4));
    await sleep(replicas.env.clock, 1000);
    // KAFKA-13266: what it appends until then is before the epoch that it leads.
    expect([partition.leader, second?.stops]).toEqual([undefined, 1]);
    second?.end();
    await leading;
    expect(partition.leader?.state.leaderEpoch).toBe(3);
    await partition.applyState(state(-1, 4, 5));
    expect([partition.role?.kind, follows.length]).toEqual(['standby', 2]);
    await partition.retire();
  });
});

test('a replica that goes waits for its follower; one that has failed stops it too', async () => {
  await withReplicas(async (replicas) => {
    const follows: ScriptedFollower[] = [];
    const partition = await opened(replicas, follows);
    await partition.applyState(state(2, 1, 1));
    const [follower] = follows;
    if (follower !== undefined) follower.isBusy = true;
    let isGone = false;
    const going = partition.retire().then(() => {
      isGone = true;
    });
    await sleep(replicas.env.clock, 1000);
    expect([isGone, follower?.stops]).toEqual([false, 1]);
    follower?.end();
    await going;
    await partition.applyState(state(SELF, 2, 2));
    expect([partition.role, follows.length]).toEqual([undefined, 1]);
  });
});

test('the high watermark of a follower is what its leader says and it has, and falls when it is cut (D-3.6, D-3.7)', async () => {
  await withReplicas(async (replicas) => {
    const partition = await opened(replicas, []);
    await partition.applyState(state(SELF, 0, 0, [SELF]));
    for (let i = 0; i < 5; i++) appendToPartition(partition, batchOf(), 1);
    await partition.applyState(state(2, 1, 1));
    const before = partition.highWatermark;
    let moves = 0;
    partition.watch(() => moves++);
    for (const [said, expected] of [
      [before + 3, Math.min(before + 3, 5)],
      [9, 5],
      [2, 2],
    ] as const) {
      partition.followed({ highWatermark: said });
      expect(partition.highWatermark).toBe(expected);
    }
    partition.followed({ highWatermark: 4 });
    await partition.log.truncateTo(3);
    partition.truncated();
    expect(partition.highWatermark).toBe(3);
    expect(moves).toBeGreaterThan(3);
    await partition.retire();
  });
});

test('what it knew to be committed in an earlier life is remembered until it has it again, and reported if it leads without (D-10.2)', async () => {
  await withReplicas(async (replicas) => {
    const partition = await opened(replicas, [], 3);
    expect([partition.highWatermark, partition.knownHighWatermark]).toEqual([0, 3]);
    await partition.applyState(state(SELF, 0, 0, [SELF]));
    const lines = replicas.world.log.lines().filter(({ event }) => event === 'leader-without-records');
    expect(lines.map(({ fields }) => fields)).toMatchObject([{ kind: 'short', fromOffset: 0, toOffset: 3 }]);
    expect(partition.knownHighWatermark).toBe(0);
    await partition.retire();
  });
});
