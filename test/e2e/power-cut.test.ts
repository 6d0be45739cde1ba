// The power fails while a broker on a real file system acknowledges: what was acknowledged is there afterwards, in order, and
// nothing else (M-2, M-7, D-10.1, D-10.3). And the same with every sync left out, which must be noticed. The system is another boot afterwards
// (system-boot.ts), so that the broker cannot take the cut for a kill: with sync nothing it acknowledged can be gone all the same (C-2.4).
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Writer } from './acknowledged.ts';
import type { KcatRecord } from './kcat.ts';
import { clusterServes, kvorum, kvorumOk, program } from './kvorum.ts';
import { LoopDisk, stopped, whyNoLoopDisk } from './loop-disk.ts';
import { cleanUp, eventually, Process, temporaryFolder } from './processes.ts';
import type { SingleNode } from './single-node.ts';
import { formatSingleNode } from './single-node.ts';
import type { Survival } from './survival.ts';
import { allOf, disorder, latestOf, newestOf } from './survival.ts';
import { SystemBoot, whyNoReboots } from './system-boot.ts';

const PARTITIONS = 3;
/** From the last of the expected acknowledgements to the cut. */
const DELAYS_MS = [3, 250, 40];
const ACKNOWLEDGED_BEFORE_CUT = 300;

const whyNot = whyNoLoopDisk() ?? whyNoReboots();
if (whyNot !== undefined) process.stderr.write(`${whyNot}: tests with power cuts are skipped\n`);

afterAll(cleanUp);

class Machine {
  readonly disk: LoopDisk;
  readonly node: SingleNode;
  readonly #boot = new SystemBoot();
  readonly #preload: string | undefined;
  #process: Process | undefined;

  private constructor(disk: LoopDisk, node: SingleNode, preload: string | undefined) {
    this.disk = disk;
    this.node = node;
    this.#preload = preload;
  }

  /** `metadata`: whether the metadata log is on the disk whose power fails, too. */
  static async create(options: { metadata: boolean; preload?: string }): Promise<Machine> {
    const disk = LoopDisk.create();
    const parent = temporaryFolder();
    const node = await formatSingleNode(parent, join(disk.path, 'logs'), {
      ...(options.metadata ? {} : { 'metadata.log.dir': join(parent, 'metadata') }),
      'log.flush.mode': 'sync',
      'log.flush.offset.checkpoint.interval.ms': '200',
      'log.retention.check.interval.ms': '150',
      'log.cleaner.backoff.ms': '150',
    });
    disk.sync();
    return new Machine(disk, node, options.preload);
  }

  async start(): Promise<void> {
    const preload = this.#preload === undefined ? [] : [`LD_PRELOAD=${this.#preload}`];
    const args = [...preload, process.execPath, program, 'start', '--config', this.node.file];
    const [command, ...rest] = this.#boot.commandIn(['env', ...args]);
    this.#process = new Process(command, rest, { cwd: temporaryFolder() });
    await clusterServes(this.node.server, 1);
  }

  /** How the broker's life before ended, as it says itself once it is registered. */
  async lastLife(): Promise<string | undefined> {
    const said = (): string | undefined => /"lastLife":"(\w+)"/.exec(this.#process?.stderr ?? '')?.[1];
    await this.#process?.until(() => said() !== undefined, 'registration');
    return said();
  }

  async createTopic(topic: string, ...configs: string[]): Promise<void> {
    const config = configs.flatMap((pair) => ['--config', pair]);
    const partitions = ['--partitions', String(PARTITIONS)];
    await kvorumOk(['topic', 'create', topic, ...partitions, ...config, '--server', this.node.server]);
  }

  /** Everything in the topic, by partition and offset. */
  async records(topic: string): Promise<KcatRecord[]> {
    const args = ['consume', topic, '--from', 'beginning', '--exit', '--format', 'json', '--server', this.node.server];
    const lines = (await kvorumOk(args)).split('\n').filter((line) => line !== '');
    return lines.map((line) => {
      const { partition, offset, value } = JSON.parse(line) as { partition: number; offset: number; value: string };
      return { topic, partition, offset, ts: 0, key: null, payload: value };
    });
  }

  /** Of the topic's first partition. */
  segments(topic: string): number {
    return readdirSync(join(this.node.folder, `${topic}-0`)).filter((name) => name.endsWith('.log')).length;
  }

  /**
   * The process has no power from one moment to the next; the disk has what it had then: what was synced, and of the rest
   * either nothing or some files.
   */
  async cutPower(writtenBack: number | 'nothing' = 'nothing'): Promise<void> {
    const running = this.#process as Process;
    await stopped(running.pid);
    if (writtenBack !== 'nothing') this.disk.writeBackSome(writtenBack);
    this.disk.cut();
    running.kill('SIGKILL');
    await running.ended();
    this.#boot.reboot();
    this.disk.restore();
  }

  async stop(): Promise<void> {
    this.#process?.kill('SIGTERM');
    expect(await this.#process?.ended(30_000)).toMatchObject({ code: 0 });
  }

  async end(): Promise<void> {
    await this.kill();
    this.disk.remove();
  }

  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.ended().catch(() => undefined);
  }
}

/** Waits until so many more were acknowledged, and a little longer. */
async function loaded(writer: Writer, more: number, delayMs: number): Promise<void> {
  const target = writer.acknowledged + more;
  const ask = (): Promise<true | undefined> => Promise.resolve(writer.acknowledged >= target ? true : undefined);
  await eventually(`${more} more records are acknowledged`, ask, 60_000);
  await new Promise((resolve) => void setTimeout(resolve, delayMs));
}

/** Keys of the compacted topic: each comes again after a while. */
const keyOf = (n: number): string => `key-${n % 60}`;

/** Topics of each kind; what is unlike among them is what may be gone. */
const TOPICS: readonly {
  readonly topic: string;
  readonly configs: readonly string[];
  readonly survival: Survival;
  readonly keyOf?: (n: number) => string;
}[] = [
  { topic: 'kept', configs: [], survival: allOf },
  { topic: 'deleted', configs: ['retention.bytes=24000', 'file.delete.delay.ms=50'], survival: newestOf },
  {
    topic: 'compacted',
    configs: ['cleanup.policy=compact', 'min.cleanable.dirty.ratio=0.01', 'file.delete.delay.ms=50'],
    survival: latestOf(keyOf),
    keyOf,
  },
];

// The reason was said above.
describe.skipIf(whyNot !== undefined)('after power cuts', () => {
  let machine: Machine | undefined;
  afterEach(() => machine?.end());

  it.for([{ metadata: true }, { metadata: false }])(
    'what was acknowledged is there, metadata on the same disk: $metadata',
    async ({ metadata }) => {
      machine = await Machine.create({ metadata });
      await machine.start();
      const { bootstrap } = machine.node;
      const loads: { readonly writer: Writer; readonly kind: (typeof TOPICS)[number] }[] = [];
      for (const kind of TOPICS) {
        await machine.createTopic(kind.topic, 'segment.bytes=12000', 'index.interval.bytes=600', ...kind.configs);
        loads.push({ writer: new Writer(bootstrap, kind.topic, kind.topic, kind.keyOf), kind });
      }
      for (const [cut, delayMs] of (metadata ? DELAYS_MS : DELAYS_MS.slice(0, 2)).entries()) {
        for (const { writer } of loads) await loaded(writer, ACKNOWLEDGED_BEFORE_CUT, 0);
        await new Promise((resolve) => void setTimeout(resolve, delayMs));
        await machine.cutPower(cut % 2 === 0 ? 'nothing' : cut);
        // A torn end is what a cut may leave; the tool says so and does not stumble.
        const dumped = await kvorum(['log', 'dump', '--check', '--records', machine.node.folder]);
        expect([0, 1], dumped.stderr).toContain(dumped.code);
        const promised = loads.map(({ writer }) => writer.promised());
        await machine.start();
        // Not unknown: no sync was owed.
        expect(await machine.lastLife()).toBe('crash');
        for (const [i, { kind }] of loads.entries()) {
          const records = await machine.records(kind.topic);
          expect(kind.survival(promised[i] ?? [], records), `${kind.topic}, cut ${cut}`).toEqual([]);
          expect(disorder(records, kind.keyOf === undefined ? 'no gaps' : 'gaps'), `${kind.topic}, cut ${cut}`).toEqual(
            [],
          );
        }
      }
      for (const { writer, kind } of loads) {
        await writer.stop();
        const records = await machine.records(kind.topic);
        const isLoss = (it: string): boolean => it.endsWith(' is lost');
        expect(writer.violations(records).filter((it) => kind.topic === 'kept' || !isLoss(it))).toEqual([]);
        expect(kind.survival(writer.promised(), records)).toEqual([]);
        if (kind.topic === 'kept') expect(machine.segments(kind.topic)).toBeGreaterThan(2);
        // Else its rules were not at work while the power failed.
        else expect(records.length, kind.topic).toBeLessThan(0.7 * writer.acknowledged);
      }
      await machine.stop();
      const { code, stderr } = await kvorum(['log', 'dump', '--check', '--records', machine.node.folder]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    },
  );

  const hasCompiler = spawnSync('cc', ['--version']).status === 0;
  if (!hasCompiler) process.stderr.write('there is no cc: power cuts without syncs are not tried\n');

  // Else nobody knows whether the cuts of the tests above can lose anything.
  it.skipIf(!hasCompiler)('without syncs acknowledged records are lost, and that is noticed', async () => {
    machine = await Machine.create({ metadata: false, preload: noSyncs() });
    await machine.start();
    await machine.createTopic('unsynced', 'segment.bytes=12000');
    const writer = new Writer(machine.node.bootstrap, 'unsynced', 'record');
    await loaded(writer, 50, 0);
    machine.disk.sync();
    await loaded(writer, ACKNOWLEDGED_BEFORE_CUT, 0);
    await machine.cutPower();
    const promised = writer.promised();
    writer.abandon();
    await machine.start();
    expect(allOf(promised, await machine.records('unsynced')).length).toBeGreaterThan(100);
  });
});

/** A library that makes syncs do nothing: what is left out is exactly what the product relies on. */
function noSyncs(): string {
  const folder = temporaryFolder();
  const [source, library] = [join(folder, 'no-syncs.c'), join(folder, 'no-syncs.so')];
  writeFileSync(source, 'int fsync(int fd) { return 0; }\nint fdatasync(int fd) { return 0; }\n');
  execFileSync('cc', ['-shared', '-fPIC', '-w', '-o', library, source]);
  return library;
}
