// Fetch throughput of one broker process over one connection: a log in the page cache, read from its beginning with 1 MiB per
// request, one request at a time, as a consumer that catches up does; beside a process that reads a file and sends it.
import { FrameClient } from '../harness/frame-client.ts';
import { checkProduced, createTopic, produceRequest, randomBatch, readOver } from '../harness/kafka.ts';
import { startDev } from '../harness/kvorum.ts';
import { fetchFor, produceFor } from '../harness/load.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { rawRead, rawWrite, startRawBroker } from '../harness/raw.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import type { Contender } from '../harness/throughput.ts';
import { compare, profiling } from '../harness/throughput.ts';
import type { Part } from './part.ts';

const BATCH_BYTES = 64 * 1024;
const LOG_BYTES = 512 * 1024 * 1024;
const MAX_BYTES = 1024 * 1024;
const FILL_SECONDS = 120;

async function rawContender(scope: Scope, batch: Buffer): Promise<Contender> {
  const { pid, port } = await startRawBroker(scope, 'async');
  const client = await FrameClient.open(port);
  const load = { frame: rawWrite(batch), bytes: batch.length, seconds: FILL_SECONDS, maxBytes: LOG_BYTES };
  await produceFor(client, pid, { ...load, check: () => {} });
  const first = rawRead(0, MAX_BYTES);
  return {
    name: 'raw',
    measure(seconds) {
      let position = 0;
      return fetchFor(client, pid, {
        first,
        seconds,
        take(answer) {
          position = answer.length === 0 ? 0 : position + answer.length;
          return { bytes: answer.length, next: rawRead(position, MAX_BYTES) };
        },
      });
    },
    close: () => client.close(),
  };
}

async function kvorumContender(scope: Scope, options: BenchOptions, build: Build, batch: Buffer): Promise<Contender> {
  const config = { 'log.flush.mode': 'async' };
  const { pid, port } = await startDev(scope, build, { config, nodeArgs: profiling(options) });
  const client = await FrameClient.open(port);
  const topic = await createTopic(client);
  const load = { bytes: batch.length, seconds: FILL_SECONDS, maxBytes: LOG_BYTES, check: checkProduced };
  await produceFor(client, pid, { frame: produceRequest(topic, batch), ...load });
  const reading = readOver(topic, MAX_BYTES);
  return {
    name: build.name,
    measure: (seconds) => fetchFor(client, pid, { ...reading, seconds }),
    close: () => client.close(),
  };
}

export const fetch: Part = {
  name: 'fetch',
  run: (options) =>
    withScope(options.dir, async (scope) => {
      const batch = randomBatch(BATCH_BYTES);
      const contenders = [await rawContender(scope, batch)];
      for (const build of options.builds) contenders.push(await kvorumContender(scope, options, build, batch));
      await compare('fetch, 1 MiB per request, from the page cache', contenders, options);
    }),
};
