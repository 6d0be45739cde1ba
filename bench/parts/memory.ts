// Resident memory of `kvorum start` processes: idle, and after a broker took two gigabytes.
import { setTimeout as sleep } from 'node:timers/promises';
import { checkProduced, createTopic, produceRequest, randomBatch } from '../harness/kafka.ts';
import { connectWhenServed, startSeparately } from '../harness/kvorum.ts';
import { produceFor } from '../harness/load.ts';
import { residentMegabytes, startNodeProcess } from '../harness/process.ts';
import { withScope } from '../harness/scope.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const SETTLE_MS = 3000;
const BATCH_BYTES = 64 * 1024;
const PRODUCED_BYTES = 2e9;
const LIMIT_SECONDS = 120;

export const memory: Part = {
  name: 'memory',
  async run(options) {
    for (const build of options.builds) {
      await withScope(options.dir, async (scope) => {
        const idle = startNodeProcess(scope, ['-e', 'setInterval(() => {}, 1e9)']);
        const { controllers, brokers } = await startSeparately(scope, build, { 'log.flush.mode': 'async' });
        const [broker] = brokers;
        if (broker === undefined) throw new Error('no broker');
        const client = await connectWhenServed(broker.port);
        await sleep(SETTLE_MS);
        const rows = [['node, idle', digits(residentMegabytes(idle.pid))]];
        for (const { nodeId, pid } of controllers)
          rows.push([`controller ${nodeId}, idle`, digits(residentMegabytes(pid))]);
        rows.push(['broker, idle', digits(residentMegabytes(broker.pid))]);
        const batch = randomBatch(BATCH_BYTES);
        const frame = produceRequest(await createTopic(client), batch);
        const load = { seconds: LIMIT_SECONDS, maxBytes: PRODUCED_BYTES, check: checkProduced };
        await produceFor(client, broker.pid, { frame, bytes: batch.length, ...load });
        rows.push(['broker, 2 GB produced', digits(residentMegabytes(broker.pid))]);
        await sleep(SETTLE_MS);
        rows.push(['broker, a little later', digits(residentMegabytes(broker.pid))]);
        client.close();
        printTable(`memory, ${build.name} start`, ['', 'RSS MB'], rows);
      });
    }
  },
};
