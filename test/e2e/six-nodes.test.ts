// Six processes from the six files of deploy/: what kill -9 may and may not do. One writer and one kcat produce all the time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Writer } from './acknowledged.ts';
import { consumeWithKcat, hasKcat, leadersWithKcat, startKcat } from './kcat.ts';
import type { NodeFile, SixNodes } from './kvorum.ts';
import { clusterServes, copyDeployment, describeCluster, kvorumOk, startNode } from './kvorum.ts';
import type { Process } from './processes.ts';
import { cleanUp, eventually, isListening } from './processes.ts';

/** The target is 5 s on a machine of its own; this one may be busy with other things. */
const MAX_RESTART_MS = 15_000;

// Even the topic is read back with kcat; kcat.ts has said why there is none.
describe.skipIf(!hasKcat)('six processes', () => {
  let six: SixNodes;
  const processes = new Map<number, Process>();
  let writer: Writer;
  let feeder: Feeder;

  function start(node: NodeFile): void {
    processes.set(node.nodeId, startNode(node.path));
  }

  /** kill -9, and waits until the processes are gone. */
  async function killNow(nodeIds: readonly number[]): Promise<void> {
    const victims = nodeIds.map((id) => processes.get(id) as Process);
    for (const victim of victims) victim.kill('SIGKILL');
    const ends = await Promise.all(victims.map((victim) => victim.ended()));
    expect(ends.map(({ signal }) => signal)).toEqual(nodeIds.map(() => 'SIGKILL'));
  }

  function server(): string {
    return six.servers[0] as string;
  }

  beforeAll(async () => {
    six = await copyDeployment();
    const clusterId = (await kvorumOk(['random-id'])).trim();
    await Promise.all(six.nodes.map(({ path }) => kvorumOk(['format', '--cluster-id', clusterId, '--config', path])));
    for (const node of six.nodes) start(node);
    await clusterServes(server(), 3);
    for (const topic of ['acknowledged', 'fed']) {
      await kvorumOk(['topic', 'create', topic, '--partitions', '6', '--server', server()]);
    }
    writer = new Writer(six.bootstrap, 'acknowledged', 'record');
    feeder = new Feeder(six.bootstrap, 'fed');
    await acknowledges(100);
  });
  afterAll(cleanUp);

  /** Waits for so many more acknowledgements. */
  function acknowledges(more: number, timeoutMs = 30_000): Promise<boolean> {
    const target = writer.acknowledged + more;
    const ask = async (): Promise<true | undefined> => (writer.acknowledged >= target ? true : undefined);
    return eventually(`${more} more records are acknowledged`, ask, timeoutMs);
  }

  it('spread the leaders over the brokers', async () => {
    expect(await leadersWithKcat(six.bootstrap, 'acknowledged')).toEqual([4, 4, 5, 5, 6, 6]);
  });

  it('go on when the active controller is killed', async () => {
    const { controllerId: killed } = await describeCluster(server());
    expect([1, 2, 3]).toContain(killed);
    await killNow([killed]);
    // Producing needs no controller: this does not wait for the election.
    await acknowledges(100);
    const elected = await eventually('another controller is active', async () => {
      const { controllerId } = await describeCluster(server());
      return controllerId >= 0 && controllerId !== killed ? controllerId : undefined;
    });
    expect([1, 2, 3]).toContain(elected);
    await kvorumOk(['topic', 'create', 'after-the-election', '--partitions', '3', '--server', server()]);
    expect(await leadersWithKcat(six.bootstrap, 'after-the-election')).toEqual([4, 5, 6]);
    await acknowledges(100);
    start(six.nodes[killed - 1] as NodeFile);
  });

  it('serve again within seconds when all six were killed', async () => {
    await killNow(six.nodes.map(({ nodeId }) => nodeId));
    const before = writer.acknowledged;
    const startedAt = performance.now();
    for (const node of six.nodes) start(node);
    await Promise.all(Array.from({ length: 6 }, (_, partition) => servesPartition(six.bootstrap, partition)));
    const elapsedMs = Math.round(performance.now() - startedAt);
    process.stdout.write(`all partitions are served ${elapsedMs} ms after six killed nodes were started again\n`);
    expect(elapsedMs).toBeLessThan(MAX_RESTART_MS);
    await clusterServes(server(), 3);
    expect(writer.acknowledged).toBeGreaterThanOrEqual(before);
    await acknowledges(100);
  });

  it('have kept every acknowledged record, once, and nothing else', async () => {
    await writer.stop();
    const { sent, ended } = await feeder.stop();
    expect(ended.code, ended.stderr).toBe(0);

    const records = await consumeWithKcat(six.bootstrap, 'acknowledged');
    const probes = records.filter(({ payload }) => payload === PROBE);
    const written = records.filter(({ payload }) => payload !== PROBE);
    expect(probes).toHaveLength(6);
    expect(writer.violations(written)).toEqual([]);
    expect(written.length).toBeGreaterThan(400);

    const fed = await consumeWithKcat(six.bootstrap, 'fed');
    const numbers = fed.map(({ payload }) => Number(payload));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, n) => n));
    for (let partition = 0; partition < 6; partition++) {
      const inPartition = fed.filter((it) => it.partition === partition).map(({ payload }) => Number(payload));
      expect(inPartition).toEqual(inPartition.toSorted((a, b) => a - b));
    }
    const topics = await kvorumOk(['topic', 'list', '--server', server()]);
    for (const topic of ['acknowledged', 'fed', 'after-the-election']) expect(topics).toContain(topic);
  });

  it('end by themselves on SIGTERM, and leave nobody listening', async () => {
    for (const role of [false, true]) {
      const nodes = six.nodes.filter(({ isController }) => isController === role);
      const stopping = nodes.map(({ nodeId }) => processes.get(nodeId) as Process);
      for (const node of stopping) node.kill('SIGTERM');
      const ends = await Promise.all(stopping.map((node) => node.ended(30_000)));
      expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
      for (const { stderr } of ends) expect(stderr).toContain('"event":"node-stopped"');
    }
    for (const address of six.bootstrap.split(',')) expect(await isListening(address)).toBe(false);
  });
});

const PROBE = 'probe';

/** Resolves when the partition has acknowledged a record of a producer that is new, so knows nothing of before. */
async function servesPartition(bootstrap: string, partition: number): Promise<void> {
  const args = ['-P', '-E', '-b', bootstrap, '-t', 'acknowledged', '-p', String(partition), '-X', 'acks=all'];
  const prompt = ['-X', 'reconnect.backoff.max.ms=200', '-X', 'topic.metadata.refresh.fast.interval.ms=100'];
  const once = ['-X', 'enable.idempotence=true'];
  const producer = startKcat([...args, ...prompt, ...once]);
  producer.stdin.end(`${PROBE}\n`);
  const { code, stderr } = await producer.ended(60_000);
  expect(code, stderr).toBe(0);
}

/** An idempotent kcat that is fed the numbers from 0 on, a few at a time. */
class Feeder {
  readonly #kcat: Process;
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(bootstrap: string, topic: string) {
    // -E: not to end when all brokers are down, but to retry.
    const args = ['-P', '-E', '-b', bootstrap, '-t', topic, '-X', 'enable.idempotence=true', '-X', 'acks=all'];
    this.#kcat = startKcat(args);
    this.#timer = setInterval(() => this.#kcat.stdin.write(`${this.#sent++}\n`), 5);
  }

  /** How many were sent, and how kcat ended: with 0 if all of them were acknowledged. */
  async stop() {
    clearInterval(this.#timer);
    this.#kcat.stdin.end();
    return { sent: this.#sent, ended: await this.#kcat.ended() };
  }
}
