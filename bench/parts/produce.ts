// Produce throughput of one broker process over one connection: 64 KiB batches, acks=1, five requests in flight, beside a process
// that receives, checks, writes and answers the same bytes with nothing else to do.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameClient } from '../harness/frame-client.ts';
import { checkProduced, createTopic, deleteTopic, produceRequest, randomBatch } from '../harness/kafka.ts';
import { startDev } from '../harness/kvorum.ts';
import type { LoadResult } from '../harness/load.ts';
import { produceFor } from '../harness/load.ts';
import type { BenchOptions } from '../harness/options.ts';
import { RAW_EMPTY, rawWrite, startRawBroker } from '../harness/raw.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import type { Contender } from '../harness/throughput.ts';
import { compare, profiling } from '../harness/throughput.ts';
import type { Part } from './part.ts';

const BATCH_BYTES = 64 * 1024;

async function rawContender(scope: Scope, mode: 'async' | 'sync', batch: Buffer): Promise<Contender> {
  const { pid, port } = await startRawBroker(scope, mode);
  const client = await FrameClient.open(port);
  const frame = rawWrite(batch);
  return {
    name: 'raw',
    async measure(seconds): Promise<LoadResult> {
      const result = await produceFor(client, pid, { frame, bytes: batch.length, seconds, check: () => {} });
      await client.call(RAW_EMPTY);
      return result;
    },
    close: () => client.close(),
  };
}

async function kvorumContenders(
  scope: Scope,
  options: BenchOptions,
  mode: 'async' | 'sync',
  batch: Buffer,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const build of options.builds) {
    const config = { 'log.flush.mode': mode };
    const dataDir = scope.folder();
    const { pid, port } = await startDev(scope, build, { dataDir, config, nodeArgs: profiling(options) });
    const client = await FrameClient.open(port);
    contenders.push({
      name: build.name,
      async measure(seconds) {
        const topic = await createTopic(client);
        const frame = produceRequest(topic, batch);
        const result = await produceFor(client, pid, { frame, bytes: batch.length, seconds, check: checkProduced });
        await deleteTopic(client, topic);
        await goneFrom(dataDir, topic.name);
        return result;
      },
      close: () => client.close(),
    });
  }
  return contenders;
}

/** Deletion goes on after its answer; the pages of the files must be free before anybody else is measured. */
async function goneFrom(dataDir: string, topic: string): Promise<void> {
  const nodes = readdirSync(dataDir).filter((name) => name.startsWith('node-'));
  const isThere = (node: string): boolean =>
    readdirSync(join(dataDir, node)).some((name) => name.includes(`${topic}-`));
  while (nodes.some(isThere)) await sleep(20);
}

export const produce: Part = {
  name: 'produce',
  async run(options) {
    const batch = randomBatch(BATCH_BYTES);
    for (const mode of ['async', 'sync'] as const) {
      await withScope(options.dir, async (scope) => {
        const contenders = [
          await rawContender(scope, mode, batch),
          ...(await kvorumContenders(scope, options, mode, batch)),
        ];
        await compare(`produce, 64 KiB batches, acks=1, log.flush.mode=${mode}`, contenders, options);
      });
    }
  },
};
