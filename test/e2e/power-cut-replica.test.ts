// One of two brokers has no power while it acknowledges without syncs (log.flush.mode=async): what it had in the page cache is gone, and so
// it must not be elected by what it was before (C-2.4, C-5.5). It knows by the boot of the operating system (system-boot.ts); where it takes
// the cut for a kill, acknowledged records are lost, and that is noticed: else nobody knows whether the test can see it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { DescribeTopicsResponse, PartitionDescription } from '../../src/gen/kvorum/v1/admin.ts';
import { Writer } from './acknowledged.ts';
import type { KcatRecord } from './kcat.ts';
import { clusterServes, describeCluster, kvorumOk, program } from './kvorum.ts';
import { LoopDisk, stopped, whyNoLoopDisk } from './loop-disk.ts';
import { cleanUp, eventually, freePorts, Process, temporaryFolder } from './processes.ts';
import { allOf } from './survival.ts';
import { SystemBoot, whyNoReboots } from './system-boot.ts';

const TOPIC = 'payments';
const CONTROLLER = 1;
/** On the disk whose power fails. */
const CUT = 2;
const OTHER = 3;

const whyNot = whyNoLoopDisk() ?? whyNoReboots();
if (whyNot !== undefined) process.stderr.write(`${whyNot}: tests with power cuts of one replica are skipped\n`);

afterAll(cleanUp);

class ThreeNodes {
  readonly disk = LoopDisk.create();
  readonly bootstrap: string;
  readonly #boot = new SystemBoot();
  readonly #folder = temporaryFolder();
  readonly #ports: readonly number[];
  readonly #processes = new Map<number, Process>();

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.bootstrap = [CUT, OTHER].map((id) => this.#address(id, 0)).join(',');
  }

  static async start(): Promise<ThreeNodes> {
    const nodes = new ThreeNodes(await freePorts(9));
    const clusterId = (await kvorumOk(['random-id'])).trim();
    for (const id of [CONTROLLER, CUT, OTHER]) {
      nodes.#configure(id);
      await kvorumOk(['format', '--cluster-id', clusterId, '--config', nodes.#fileOf(id)]);
      nodes.begin(id);
    }
    await clusterServes(nodes.serverOf(OTHER), 2);
    return nodes;
  }

  #address(id: number, listener: 0 | 1 | 2): string {
    return `127.0.0.1:${this.#ports[3 * (id - 1) + listener]}`;
  }

  serverOf(id: number): string {
    return this.#address(id, 2);
  }

  #fileOf(id: number): string {
    return join(this.#folder, `node-${id}.properties`);
  }

  #configure(id: number): void {
    const isController = id === CONTROLLER;
    const keys = {
      'process.roles': isController ? 'controller' : 'broker',
      'node.id': id,
      'controller.quorum.voters': `${CONTROLLER}@${this.#address(CONTROLLER, 1)}`,
      listeners: isController
        ? `CONTROLLER://${this.#address(id, 1)}`
        : `PLAINTEXT://${this.#address(id, 0)},GRPC://${this.#address(id, 2)}`,
      'log.dirs': id === CUT ? join(this.disk.path, 'logs') : join(this.#folder, `data-${id}`),
      'log.flush.mode': 'async',
      'timing.profile': 'dev',
    };
    const lines = Object.entries(keys).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(this.#fileOf(id), lines.join(''));
  }

  begin(id: number): void {
    const command = [process.execPath, program, 'start', '--config', this.#fileOf(id)];
    const [first, ...rest] = id === CUT ? this.#boot.commandIn(command) : (command as [string, ...string[]]);
    this.#processes.set(id, new Process(first, rest, { cwd: this.#folder }));
  }

  async kill(id: number): Promise<void> {
    this.#processes.get(id)?.kill('SIGKILL');
    await this.#processes.get(id)?.ended();
  }

  /** `another boot`: what the power's return is on a real machine; else the broker cannot tell the cut from a kill. */
  async cutPower(then: 'another boot' | 'same boot'): Promise<void> {
    await stopped((this.#processes.get(CUT) as Process).pid);
    this.disk.cut();
    await this.kill(CUT);
    this.disk.restore();
    if (then === 'another boot') this.#boot.reboot();
  }

  /** How the broker's life before ended, as it says itself. */
  lastLife(id: number): string | undefined {
    return /"lastLife":"(\w+)"/.exec(this.#processes.get(id)?.stderr ?? '')?.[1];
  }

  /** Waits until the partition is as `test` wants it, in the view of a broker that runs. */
  partition(id: number, what: string, test: (partition: PartitionDescription) => boolean): Promise<unknown> {
    const args = ['topic', 'describe', TOPIC, '--format', 'json', '--server', this.serverOf(id)];
    return eventually(what, async () => {
      const { topics } = JSON.parse(await kvorumOk(args)) as DescribeTopicsResponse;
      const [partition] = topics[0]?.partitions ?? [];
      if (partition !== undefined && test(partition)) return partition;
      throw new Error(JSON.stringify(partition));
    });
  }

  async records(): Promise<KcatRecord[]> {
    const from = ['--from', 'beginning', '--exit', '--format', 'json', '--server', this.serverOf(OTHER)];
    const lines = (await kvorumOk(['consume', TOPIC, ...from])).split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const { partition, offset, value } = JSON.parse(line) as { partition: number; offset: number; value: string };
      return { topic: TOPIC, partition, offset, ts: 0, key: null, payload: value };
    });
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((id) => this.kill(id)));
    this.disk.remove();
  }
}

function acknowledged(writer: Writer, more: number): Promise<unknown> {
  const target = writer.acknowledged + more;
  const ask = (): Promise<true | undefined> => Promise.resolve(writer.acknowledged >= target ? true : undefined);
  return eventually(`${more} more records are acknowledged`, ask, 60_000);
}

// The reason was said above.
describe.skipIf(whyNot !== undefined)('a replica without syncs', () => {
  let nodes: ThreeNodes | undefined;
  afterEach(() => nodes?.remove());

  /** Both have it all; then one has no power, and the other is killed. The first is back, alone. */
  async function backAlone(then: 'another boot' | 'same boot'): Promise<{ it: ThreeNodes; writer: Writer }> {
    nodes = await ThreeNodes.start();
    const counts = ['--partitions', '1', '--replication-factor', '2', '--config', 'min.insync.replicas=2'];
    await kvorumOk(['topic', 'create', TOPIC, ...counts, '--server', nodes.serverOf(OTHER)]);
    const writer = new Writer(nodes.bootstrap, TOPIC, 'payment');
    await acknowledged(writer, 50);
    nodes.disk.sync();
    await acknowledged(writer, 500);
    await nodes.cutPower(then);
    await nodes.partition(OTHER, 'the other one leads', ({ leader, elr }) => leader === OTHER && elr.includes(CUT));
    await nodes.kill(OTHER);
    nodes.begin(CUT);
    await eventually('the broker is back', async () => {
      const { brokers } = await describeCluster((nodes as ThreeNodes).serverOf(CUT));
      const isFenced = (id: number): boolean | undefined => brokers.find(({ brokerId }) => brokerId === id)?.fenced;
      return isFenced(CUT) === false && isFenced(OTHER) === true ? true : undefined;
    });
    return { it: nodes, writer };
  }

  it('is not elected after a power cut, and gets what it lost from the other', async () => {
    const { it, writer } = await backAlone('another boot');
    expect(it.lastLife(CUT)).toBe('unknown');
    await it.partition(CUT, 'nobody leads', ({ leader, isr, elr }) => leader === -1 && ![...isr, ...elr].includes(CUT));
    it.begin(OTHER);
    await it.partition(OTHER, 'both are in sync', ({ leader, isr }) => leader === OTHER && isr.length === 2);
    // Its operating system never failed.
    expect(it.lastLife(OTHER)).toBe('crash');
    await acknowledged(writer, 50);
    await writer.stop();
    expect(writer.violations(await it.records())).toEqual([]);
  });

  it('that takes the power cut for a kill loses acknowledged records, and that is noticed', async () => {
    const { it, writer } = await backAlone('same boot');
    const promised = writer.promised();
    writer.abandon();
    expect(it.lastLife(CUT)).toBe('crash');
    await it.partition(CUT, 'it leads', ({ leader }) => leader === CUT);
    it.begin(OTHER);
    await it.partition(OTHER, 'both are in sync', ({ isr }) => isr.length === 2);
    expect(allOf(promised, await it.records()).length).toBeGreaterThan(100);
  });
});
