// What three copies cost: three controllers and three brokers in processes of their own, a topic with three replicas, acks=all, one
// leader on each broker. Beside it in the same run: processes that receive, write and answer three copies of the same bytes with
// nothing else to do, and a topic without copies, acks=1.
import { FrameClient } from '../harness/frame-client.ts';
import { checkProduced, randomBatch } from '../harness/kafka.ts';
import type { StartedNode } from '../harness/kvorum.ts';
import { startSeparately } from '../harness/kvorum.ts';
import type { LoadResult } from '../harness/load.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { producePaced } from '../harness/paced.ts';
import { cpuSeconds } from '../harness/process.ts';
import { RAW_EMPTY, rawWrite, startRawBroker } from '../harness/raw.ts';
import { connectAll, createLoaded, produceEverywhere, removeLoaded } from '../harness/replication.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median, percentile } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import { compare, profiling } from '../harness/throughput.ts';
import type { Part } from './part.ts';

const BATCH_BYTES = 64 * 1024;
/** No repetition brings more, so that the page cache holds all its copies. */
const MAX_BYTES = 1.5e9;
const PACED_PER_SECOND = 200;
const COPIES = 3;

type FlushMode = 'sync' | 'async';

interface Contender {
  readonly name: string;
  measure(seconds: number): Promise<LoadResult>;
  /** Milliseconds of every batch at the fixed rate. */
  paced(seconds: number): Promise<number[]>;
  close(): void;
}

/** Every batch goes to three processes, and counts once all three have answered. */
async function rawContender(scope: Scope, mode: FlushMode, batch: Buffer): Promise<Contender> {
  const brokers = await Promise.all(Array.from({ length: COPIES }, () => startRawBroker(scope, mode)));
  const clients = await Promise.all(brokers.map(({ port }) => FrameClient.open(port)));
  const frame = rawWrite(batch);
  const forget = (): Promise<unknown> => Promise.all(clients.map((client) => client.call(RAW_EMPTY)));
  return {
    name: `raw, three copies, ${mode}`,
    async measure(seconds) {
      const cpu = (): number => brokers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
      const [before, startedMs] = [cpu(), performance.now()];
      const batches = await writeCopies(clients, frame, { seconds, maxBytes: MAX_BYTES });
      const result = {
        megabytesPerSecond: (batches * batch.length) / 1e3 / (performance.now() - startedMs),
        cpuSecondsPerGigabyte: (cpu() - before) / ((batches * batch.length) / 1e9),
      };
      await forget();
      return result;
    },
    async paced(seconds) {
      const load = { perSecond: PACED_PER_SECOND, seconds, check: () => {} };
      const latencies = await producePaced([{ clients, frame }], load);
      await forget();
      return latencies;
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}

const IN_FLIGHT = 15;

/** The number of batches of which every copy was answered. */
function writeCopies(
  clients: readonly FrameClient[],
  frame: Buffer,
  limits: { readonly seconds: number; readonly maxBytes: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const answered = clients.map(() => 0);
    let sent = 0;
    const send = (): void => {
      sent += 1;
      for (const client of clients) client.send(frame);
    };
    for (const [i, client] of clients.entries()) {
      client.onFailure = reject;
      client.onFrame = () => {
        answered[i] = (answered[i] ?? 0) + 1;
        const done = Math.min(...answered);
        const isOver = performance.now() - startedMs >= limits.seconds * 1000 || sent * frame.length >= limits.maxBytes;
        if (isOver && done === sent) resolve(done);
        while (!isOver && sent - done < IN_FLIGHT) send();
      };
    }
    for (let i = 0; i < IN_FLIGHT; i++) send();
  });
}

interface Kind {
  readonly replicationFactor: number;
  readonly acks: 1 | -1;
  readonly mode: FlushMode;
}

function nameOf({ replicationFactor, acks, mode }: Kind): string {
  return replicationFactor === 1 ? `one broker, acks=${acks}, ${mode}` : `RF ${replicationFactor}, acks=all, ${mode}`;
}

const ALONE = { replicationFactor: 1, acks: 1, mode: 'sync' } as const;
const REPLICATED = { replicationFactor: COPIES, acks: -1, mode: 'sync' } as const;
const KINDS: readonly Kind[] = [{ ...ALONE, mode: 'async' }, ALONE, { ...REPLICATED, mode: 'async' }, REPLICATED];

function kvorumContender(
  build: Build,
  { brokers, clients }: { readonly brokers: readonly StartedNode[]; readonly clients: readonly FrameClient[] },
  kind: Kind,
  batch: Buffer,
): Contender {
  const { replicationFactor, acks, mode } = kind;
  const shape = { numPartitions: replicationFactor, replicationFactor, configs: { 'log.flush.mode': mode }, acks };
  const pids = brokers.map(({ pid }) => pid);
  async function loaded<T>(work: (senders: Awaited<ReturnType<typeof createLoaded>>['senders']) => Promise<T>) {
    const topic = await createLoaded(brokers, clients, { ...shape, batch });
    const result = await work(topic.senders);
    await removeLoaded(brokers, clients, topic);
    return result;
  }
  return {
    name: `${build.name}: ${nameOf(kind)}`,
    measure: (seconds) =>
      loaded((senders) => produceEverywhere(senders, pids, { bytes: batch.length, seconds, maxBytes: MAX_BYTES })),
    paced: (seconds) =>
      loaded((senders) => {
        const paced = senders.map(({ client, frame }) => ({ clients: [client], frame }));
        return producePaced(paced, { perSecond: PACED_PER_SECOND, seconds, check: checkProduced });
      }),
    close: () => {},
  };
}

async function compareLatency(contenders: readonly Contender[], options: BenchOptions): Promise<void> {
  const results = new Map<Contender, number[][]>(contenders.map((contender) => [contender, []]));
  for (const contender of contenders) await contender.paced(options.seconds);
  for (let i = 0; i < options.repetitions; i++) {
    for (const contender of contenders) results.get(contender)?.push(await contender.paced(options.seconds));
  }
  const rows = [...results].map(([{ name }, runs]) => {
    const at = (percent: number): string => digits(median(runs.map((run) => percentile(run, percent))));
    return [name, at(50), at(99), at(100)];
  });
  printTable(`${PACED_PER_SECOND} batches/s, 64 KiB, ms to the answer`, ['', 'p50', 'p99', 'worst'], rows);
}

/** Share of the speed of one broker, acks=1, that three copies with acks=all are to reach; both with sync flush. */
const TARGET_SHARE = 0.2;

async function measure(scope: Scope, options: BenchOptions): Promise<void> {
  const batch = randomBatch(BATCH_BYTES);
  const contenders: Contender[] = [await rawContender(scope, 'async', batch), await rawContender(scope, 'sync', batch)];
  for (const build of options.builds) {
    const { brokers } = await startSeparately(scope, build, { brokers: COPIES, brokerArgs: profiling(options) });
    const clients = await connectAll(brokers);
    scope.defer(() => {
      for (const client of clients) client.close();
    });
    contenders.push(...KINDS.map((kind) => kvorumContender(build, { brokers, clients }, kind, batch)));
  }
  const stayOpen = contenders.map((contender) => ({ ...contender, close: () => {} }));
  const speeds = await compare('three copies, 64 KiB batches, CPU of all brokers', stayOpen, options);
  for (const { name } of options.builds) {
    const speedOf = (kind: Kind): number => speeds.get(`${name}: ${nameOf(kind)}`) ?? Number.NaN;
    const share = speedOf(REPLICATED) / speedOf(ALONE);
    console.log(`  ${name}: RF 3 is ${digits(share)} of one broker with acks=1, both sync (target ${TARGET_SHARE})`);
  }
  await compareLatency(contenders, options);
  for (const contender of contenders) contender.close();
}

export const replication: Part = {
  name: 'replication',
  run: (options) => withScope(options.dir, (scope) => measure(scope, options)),
};
