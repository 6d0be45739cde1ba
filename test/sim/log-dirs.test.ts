// Whole nodes with several log dirs under load with acks=all: the disk of one dies, and only what was there goes (D-10.5); full disks,
// short writes and failed syncs (DS-24). After the repair and a start everything that was acknowledged is there, once and in order.
import { beforeAll, describe, expect, test } from 'vitest';
import { ClusterClient } from '../../src/client/cluster.ts';
import { Consumer } from '../../src/client/consumer.ts';
import { ProduceError } from '../../src/client/produce-error.ts';
import { Producer } from '../../src/client/producer.ts';
import { loadCodecs } from '../../src/codec/compression.ts';
import { sleep } from '../../src/env/clock.ts';
import type { DiskFaultKind } from '../../src/sim/disk/faults.ts';
import { Admin, creation, newTopic } from '../unit/server/admin-calls.ts';
import { CONTROLLERS, SimCluster } from '../unit/server/sim-cluster.ts';

beforeAll(loadCodecs);

const BROKERS = [
  { host: 'b1', nodeId: 4 },
  { host: 'b2', nodeId: 5 },
] as const;
const TOPIC = 'load';
const PARTITIONS = 8;
/** Of both brokers; the metadata log is in the first. */
const [FIRST, SECOND] = ['/data', '/new-data'];
const FOR_EVER = 1_000_000;

class Load {
  /** Values that were acknowledged, by partition, in the order of sending. */
  readonly acknowledged = Array.from({ length: PARTITIONS }, (): string[] => []);
  /** When each partition was acknowledged last, in virtual ms. */
  readonly lastAckMs = Array.from({ length: PARTITIONS }, () => 0);
  failed = 0;
  isOver = false;
  isDone = false;
}

class Brokers {
  readonly cluster: SimCluster;
  /** What brokers said that stopped by themselves. */
  readonly fatal: string[] = [];
  readonly #logDirs: string;
  #readers = 0;

  private constructor(seed: number, logDirs: string) {
    this.cluster = new SimCluster(seed);
    this.#logDirs = logDirs;
  }

  static async formed(seed: number, logDirs = `${FIRST},${SECOND}`): Promise<Brokers> {
    const brokers = new Brokers(seed, logDirs);
    const { cluster } = brokers;
    await cluster.startControllers();
    for (const { host } of BROKERS) brokers.start(host);
    await cluster.ready(...BROKERS.map(({ host }) => host));
    await cluster.ask('b1', ({ call }) =>
      call(Admin.createTopics, creation([newTopic(TOPIC, { partitions: PARTITIONS })])),
    );
    await cluster.world.runFor(1000);
    return brokers;
  }

  start(host: string): void {
    const nodeId = BROKERS.find((broker) => broker.host === host)?.nodeId ?? 0;
    this.cluster.start(host, {
      nodeId,
      isController: false,
      keys: { 'log.dirs': this.#logDirs },
      fatal: (reason) => {
        this.fatal.push(reason);
        this.cluster.world.process(host).kill();
        this.cluster.nodes.delete(host);
      },
    });
  }

  disk(host: string) {
    return this.cluster.world.process(host).disk;
  }

  /** As the controllers have it. */
  image() {
    const node = this.cluster.nodes.get(CONTROLLERS[0] ?? '');
    if (node === undefined) throw new Error('no controller');
    return node.publisher.image;
  }

  states() {
    const [topic] = this.image().topics.values();
    return Array.from({ length: PARTITIONS }, (_, i) => {
      const state = topic?.partitions.get(i);
      return {
        partition: i,
        leader: state?.leader ?? -1,
        broker: state?.replicas[0] ?? -1,
        dir: state?.directories[0],
      };
    });
  }

  /** Sends to every partition in turn until told to end. */
  produce(): Load {
    const load = new Load();
    const { world } = this.cluster;
    void world.spawn('producer', async (env) => {
      const bootstrap = BROKERS.map(({ host }) => ({ host, port: 9092 }));
      const client = new ClusterClient(env, { bootstrap, requestTimeoutMs: 1000 });
      const producers = Array.from({ length: PARTITIONS }, () => new Producer(client, { deliveryTimeoutMs: 2000 }));
      for (let i = 0; !load.isOver; i++) {
        const partition = i % PARTITIONS;
        const producer = producers[partition] as Producer;
        if (producer.unresolved < 5) {
          const text = `${i}:`.padEnd(1 + (i % 300), 'x');
          producer.send({ topic: TOPIC, partition, value: Buffer.from(text) }).then(
            () => {
              load.acknowledged[partition]?.push(text);
              load.lastAckMs[partition] = world.nowMs;
            },
            (error: unknown) => {
              if (!(error instanceof ProduceError)) throw error;
              load.failed++;
            },
          );
        }
        await sleep(env.clock, 1);
      }
      for (const producer of producers) await producer.close();
      client.close();
      load.isDone = true;
    });
    return load;
  }

  async end(load: Load): Promise<void> {
    load.isOver = true;
    await this.cluster.world.runUntil(() => load.isDone, 60_000, 'the load is over');
  }

  /** Everything that is in the topic, by partition. */
  async readAll(): Promise<string[][]> {
    const found = Array.from({ length: PARTITIONS }, (): string[] => []);
    let isDone = false;
    void this.cluster.world.spawn(`reader-${++this.#readers}`, async (env) => {
      const client = new ClusterClient(env, { bootstrap: BROKERS.map(({ host }) => ({ host, port: 9092 })) });
      const assignments = found.map((_, partition) => {
        return { topic: TOPIC, partition, start: 'beginning' as const };
      });
      for await (const { partition, value } of new Consumer(client, assignments, { readToEnd: true }).records()) {
        found[partition]?.push(value?.toString() ?? '');
      }
      client.close();
      isDone = true;
    });
    await this.cluster.world.runUntil(() => isDone, 60_000, 'everything is read');
    return found;
  }

  /** Every acknowledged record is there, once, in the order of sending. */
  async expectAll({ acknowledged }: Pick<Load, 'acknowledged'>): Promise<void> {
    const found = await this.readAll();
    for (const [partition, texts] of acknowledged.entries()) {
      const inLog = found[partition] ?? [];
      expect(new Set(inLog).size, `partition ${partition} has no record twice`).toBe(inLog.length);
      const known = new Set(texts);
      expect(inLog.filter((text) => known.has(text))).toEqual(texts);
    }
  }

  async allLed(): Promise<void> {
    await this.cluster.world.runUntil(() => this.states().every(({ leader }) => leader >= 0), 30_000, 'all are led');
  }
}

describe('DS-24: the disk of one log dir fails, for good', () => {
  test.each([
    ['write', 'IO'],
    ['write', 'NO_SPACE'],
    ['sync', 'IO'],
    ['store', 'IO'],
  ] as const)(
    'at a %s (%s): the other log dirs serve, the controllers know, and nothing acknowledged is lost',
    async (kind, code) => {
      const brokers = await Brokers.formed(7);
      const { cluster } = brokers;
      const { world } = cluster;
      const load = brokers.produce();
      await world.runFor(2000);
      const before = brokers.states();
      expect(new Set(before.map(({ broker, dir }) => `${broker} ${dir}`)).size, 'two log dirs each are in use').toBe(4);

      const disk = brokers.disk('b1');
      const others: DiskFaultKind[] = ['read', 'write', 'sync', 'directory', 'store'];
      disk.failNext(kind, SECOND, 1, code);
      for (const other of others) disk.failNext(other, SECOND, FOR_EVER);
      await world.runUntil(() => brokers.image().brokers.get(4)?.logDirs.length === 1, 10_000, 'the controllers know');
      const failedAtMs = world.nowMs;
      const [online] = brokers.image().brokers.get(4)?.logDirs ?? [];
      const isLost = before.map(({ broker, dir }) => broker === 4 && dir !== online);
      expect(isLost.filter(Boolean)).toHaveLength(2);
      expect(brokers.states().map(({ leader }) => leader === -1)).toEqual(isLost);
      const bytes = sizesIn(brokers, 'b1');
      await world.runFor(3000);
      expect(load.lastAckMs.map((atMs) => atMs > failedAtMs + 2000)).toEqual(isLost.map((lost) => !lost));
      expect(sizesIn(brokers, 'b1'), 'nothing is written there any more').toEqual(bytes);
      expect(brokers.fatal).toEqual([]);
      expect(cluster.told('log-dir-offline').map(({ fields }) => fields?.['path'])).toEqual([SECOND]);
      expect(cluster.told('partition-offline')).toEqual([]);

      // Stopped cleanly and mended: the start is not taken for a clean one.
      let isStopped = false;
      void cluster.nodes
        .get('b1')
        ?.stop()
        .then(() => {
          isStopped = true;
        });
      await world.runUntil(() => isStopped, 20_000, 'the broker stops');
      world.process('b1').kill();
      disk.forgetFailures();
      brokers.start('b1');
      await cluster.ready('b1');
      await brokers.allLed();
      await world.runFor(2000);
      await brokers.end(load);
      expect(load.acknowledged.every((texts) => texts.length > 50)).toBe(true);
      await brokers.expectAll(load);
    },
  );
});

describe('DS-24: a full disk', () => {
  test.each([11, 12, 13])(
    'with short writes ends a broker that has no other; freed and started again it has everything (seed %i)',
    async (seed) => {
      const brokers = await Brokers.formed(seed, FIRST);
      const { world, nodes } = brokers.cluster;
      const load = brokers.produce();
      await world.runFor(1500);
      const disk = brokers.disk('b1');
      disk.settings.capacityBytes = disk.usedBytes + 1000 + seed * 37;
      await world.runUntil(() => brokers.fatal.length > 0, 60_000, 'the broker stops');
      expect(brokers.fatal[0]).toMatch(/^no log dir is left, the last one was \/data|metadata log/);
      await world.runFor(3000);
      expect(nodes.has('b2')).toBe(true);
      disk.settings.capacityBytes = Number.POSITIVE_INFINITY;
      brokers.start('b1');
      await brokers.cluster.ready('b1');
      await brokers.allLed();
      await world.runFor(1000);
      await brokers.end(load);
      expect(load.acknowledged.every((texts) => texts.length > 20)).toBe(true);
      await brokers.expectAll(load);
      // And a record that is not there would be missed.
      load.acknowledged[0]?.push('never written');
      await expect(brokers.expectAll(load)).rejects.toThrow('deeply equal');
    },
  );
});

/** Bytes of every log in the second log dir, as they are on the disk. */
function sizesIn(brokers: Brokers, host: string): number[] {
  const disk = brokers.disk(host);
  return Array.from({ length: PARTITIONS }, (_, partition) => {
    const path = `${SECOND}/${TOPIC}-${partition}/00000000000000000000.log`;
    return disk.tree.find(path) === undefined ? -1 : disk.contentOf(path).length;
  });
}
