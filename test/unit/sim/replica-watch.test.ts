// The god's eye over replicas: whom it blames, and whom it must not.
import { expect, test } from 'vitest';
import { AppendHistory } from '../../../src/check/appends.ts';
import { MetadataState } from '../../../src/check/metadata-state.ts';
import type { LossReport } from '../../../src/check/replica-cuts.ts';
import { sleep } from '../../../src/env/clock.ts';
import type { LivePartition, WatchedRecord } from '../../../src/sim/cluster/replica-watch.ts';
import { ReplicaWatch } from '../../../src/sim/cluster/replica-watch.ts';
import { World } from '../../../src/sim/world/world.ts';
import { batch } from '../log/fixture.ts';

const TOPIC_ID = 'topic-id';
const PLACE = { topicId: TOPIC_ID, partition: 0 };

/** Brokers 4 and 5 with replicas of one partition that syncs before it acknowledges; 4 leads. */
class Scene {
  readonly world: World;
  readonly found: string[] = [];
  readonly watch: ReplicaWatch;

  constructor(seed: number, isr: readonly number[]) {
    this.world = new World({ seed });
    const metadata = new MetadataState();
    metadata.createTopic('t', TOPIC_ID);
    const topic = metadata.topics.get(TOPIC_ID);
    if (topic === undefined) throw new Error('no topic');
    const states = { isr, elr: [], leader: 4, recovering: false, leaderEpoch: 1, partitionEpoch: 0 };
    metadata.createPartition(topic, { ...PLACE, replicas: [4, 5], ...states });
    this.watch = new ReplicaWatch(
      {
        metadata,
        flushMode: 'sync',
        dataDirectory: '/data',
        now: () => this.world.nowMs,
        count: () => undefined,
        happened: () => undefined,
        failed: ({ property }) => this.found.push(property),
      },
      new AppendHistory(),
    );
  }

  /** A life of the broker with one record in its log, synced or not, which the observer has looked at. */
  async live(id: number, isSynced: boolean, highWatermark: number): Promise<void> {
    const process = this.world.process(`broker${id}`);
    process.disk.provision('/data');
    let isDone = false;
    process.start(async ({ disk, clock }) => {
      await disk.makeDirectory('/data/t-0');
      const file = await disk.open('/data/t-0/00000000000000000000.log', 'create');
      await disk.syncDirectory('/data/t-0');
      await disk.syncDirectory('/data');
      file.write([batch({ partitionLeaderEpoch: 1 })], 0);
      if (isSynced) await file.sync();
      isDone = true;
      await sleep(clock, 1_000_000);
    });
    await this.world.runUntil(() => isDone, 10_000, 'the log is written');
    this.look(id, highWatermark);
  }

  look(id: number, highWatermark: number): void {
    const partition: LivePartition = {
      ...PLACE,
      topic: 't',
      leaderEpoch: 1,
      highWatermark,
      leader: id === 4 ? {} : undefined,
      log: { logEndOffset: 1 },
      watch: () => () => undefined,
    };
    const { disk } = this.world.process(`broker${id}`);
    this.watch.look({ id, life: `broker${id}#1`, disk, partitions: [partition] });
  }

  /** Whether the record went with the power. */
  cutPower(id: number): boolean {
    const process = this.world.process(`broker${id}`);
    process.powerCut();
    this.watch.crashed(id, process.disk, 'power');
    return process.disk.contentOf('/data/t-0/00000000000000000000.log').length === 0;
  }
}

const register = (brokerId: number): WatchedRecord => ({
  kind: { $case: 'registerBroker', registerBroker: { brokerId } },
});

/** How often the record of a follower went with the power, and what was said of that. */
async function cutAtFollower(isr: readonly number[]): Promise<{ lost: number; found: string[] }> {
  let lost = 0;
  const found: string[] = [];
  for (let seed = 1; seed <= 12; seed++) {
    const scene = new Scene(seed, isr);
    await scene.live(5, false, 0);
    await scene.live(4, true, 1);
    // What the leader has committed without it is said at once, and is not of interest here.
    scene.found.length = 0;
    if (scene.cutPower(5)) lost += 1;
    found.push(...scene.found);
  }
  return { lost, found };
}

test('S-D1: who only fetches may lose with the power what others have committed, a member may not', async () => {
  const fetching = await cutAtFollower([4]);
  expect(fetching.lost).toBeGreaterThan(0);
  expect(fetching.found).toEqual([]);
  const member = await cutAtFollower([4, 5]);
  expect(member.lost).toBeGreaterThan(0);
  expect(member.found).toEqual(Array(member.lost).fill('S-D1'));
});

test('C-2.4: nobody may lead once a broker registered twice without a log that it opened between', async () => {
  const scene = new Scene(1, []);
  await scene.live(4, true, 1);
  scene.watch.applied([register(4)]);
  scene.look(4, 1);
  scene.watch.applied([register(4)]);
  expect(scene.watch.mayBeOrphaned(TOPIC_ID, 0)).toBe(false);
  scene.watch.applied([register(4)]);
  expect(scene.watch.mayBeOrphaned(TOPIC_ID, 0)).toBe(true);
});

test('S-D8: a cut that was reported is made, unless a crash came after the word of it', async () => {
  const report: LossReport = {
    ...PLACE,
    brokerId: 5,
    leaderEpoch: 1,
    kind: 2,
    fromOffset: 0,
    toOffset: 1,
    highWatermark: 1,
  };
  const records: Readonly<Record<string, WatchedRecord>> = {
    report: { kind: { $case: 'replicaLoss', replicaLoss: report } },
    registered: register(5),
  };
  for (const [order, property] of [
    [['report'], 'S-D8'],
    [['crash', 'registered', 'report'], 'S-D8'],
    [['report', 'crash'], undefined],
    [['report', 'crash', 'registered'], undefined],
  ] as const) {
    const scene = new Scene(1, [4, 5]);
    await scene.live(4, true, 1);
    for (const step of order) {
      if (step === 'crash') scene.watch.shaken(5);
      else scene.watch.applied([records[step] as WatchedRecord]);
    }
    expect(scene.watch.atEnd()?.property, order.join()).toBe(property);
  }
});
