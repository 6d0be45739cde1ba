// A broker that was away while much was written catches up under a throttle, and is in sync again.
import { afterAll, afterEach, expect, it } from 'vitest';
import { Producer } from '../../../src/client/producer.ts';
import { kvorumOk } from '../kvorum.ts';
import { cleanUp, eventually } from '../processes.ts';
import { BROKERS, SixProcesses } from './cluster.ts';
import { connect } from './load.ts';

const MEGABYTES = 200;
const BYTES_PER_SECOND = 25_000_000;

let cluster: SixProcesses;
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') cluster.keepLogs(task.name);
  await cluster.remove();
});
afterAll(cleanUp);

it(`a broker that missed ${MEGABYTES} MB catches up under follower.replication.throttled.rate`, async () => {
  cluster = await SixProcesses.start();
  await cluster.createTopic('bulk', 3, { 'follower.replication.throttled.replicas': '*' });
  const away = BROKERS[2] as number;
  await cluster.signal(away, 'SIGTERM');
  const isrs = async () => (await cluster.partitions('bulk')).map(({ isr }) => isr.length);
  await eventually('it is out of the ISRs', async () =>
    (await isrs()).every((length) => length === 2) ? true : undefined,
  );
  await write(MEGABYTES);

  const rate = `follower.replication.throttled.rate=${BYTES_PER_SECOND}`;
  await kvorumOk(['config', 'set', rate, '--broker', String(away), '--server', cluster.server]);
  const begunAt = performance.now();
  cluster.begin(away);
  await cluster.allInSync(['bulk'], 180_000);
  const elapsedMs = performance.now() - begunAt;
  const perSecond = (MEGABYTES / elapsedMs) * 1000;
  process.stdout.write(
    `${MEGABYTES} MB were caught up in ${Math.round(elapsedMs)} ms, start and all: ${perSecond.toFixed(1)} MB/s\n`,
  );
  expect(await cluster.fallen()).toEqual([]);
});

async function write(megabytes: number): Promise<void> {
  const client = connect(cluster.bootstrap);
  const producer = new Producer(client, { batchBytes: 512 * 1024, lingerMs: 5 });
  const value = Buffer.alloc(10_000, 'bulk');
  for (let n = 0; n < megabytes * 100; n++) {
    const sent = producer.send({ topic: 'bulk', partition: n % 3, value });
    if (n % 200 === 199) await sent;
    else void sent;
  }
  await producer.close();
  client.close();
}
