// Whole nodes that die and come back: what the cluster is told of what they acknowledged (C-2.4, B38, B85).
import { expect, test } from 'vitest';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { batchOf, Wire } from '../broker/bench.ts';
import { Admin, creation, formed, newTopic } from './admin-calls.ts';
import type { SimCluster } from './sim-cluster.ts';

const NODE = { nodeId: 9, isController: false } as const;
const NOTHING = 'registered after a crash that cost nothing acknowledged';
const SOMETHING = 'registered after a crash that may have cost records';
const CLEAN = 'registered';

const kill = (node: SimProcess): void => node.kill();
const cut = (node: SimProcess): void => node.powerCut();

/** How the broker's registrations are told, from now on. */
function registrations(cluster: SimCluster): string[] {
  const causes: string[] = [];
  cluster.nodes.get('c1')?.publisher.subscribe(({ brokers }, delta) => {
    const cause = delta.brokers.has(9) ? brokers.get(9)?.state.cause : undefined;
    if (cause?.startsWith('registered')) causes.push(cause);
  });
  return causes;
}

async function stop(cluster: SimCluster): Promise<void> {
  let isStopped = false;
  void cluster.nodes
    .get('node')
    ?.stop()
    .then(() => {
      isStopped = true;
    });
  await cluster.world.runUntil(() => isStopped, 20_000, 'the broker stops');
  cluster.world.process('node').kill();
}

/** The broker acknowledges records with this flush mode, ends so, and is back. What it said of that, and what it has of them. */
async function afterEnd(flushMode: string, end: (cluster: SimCluster) => Promise<void> | void) {
  const cluster = await formed();
  await cluster.ask('node', async ({ env, call }) => {
    await call(Admin.createTopics, creation([newTopic('t', { configs: { 'log.flush.mode': flushMode } })]));
    await (await Wire.open(env, 'node')).produce('t', batchOf(5));
  });
  const causes = registrations(cluster);
  await end(cluster);
  cluster.start('node', NODE);
  await cluster.ready('node');
  const records = [...(cluster.nodes.get('node')?.replicas?.partitions() ?? [])].map(({ log }) => log.logEndOffset);
  return { causes, records };
}

test.each<[string, string, (node: SimProcess) => void, string]>([
  ['the process is killed', 'sync', kill, NOTHING],
  ['the process is killed, with the records in the page cache', 'async', kill, NOTHING],
  ['the power fails', 'sync', cut, NOTHING],
  ['B38: the power fails, with the records in the page cache', 'async', cut, SOMETHING],
])('C-2.4: %s (%s)', async (_, flushMode, end, cause) => {
  const { causes, records } = await afterEnd(flushMode, ({ world }) => end(world.process('node')));
  expect(causes).toEqual([cause]);
  if (cause === NOTHING) expect(records).toEqual([5]);
});

test('C-2.4: a clean stop', async () => {
  expect(await afterEnd('async', stop)).toEqual({ causes: [CLEAN], records: [5] });
});

test.each<[string, (node: SimProcess) => void, string]>([
  ['a power cut', cut, SOMETHING],
  ['a kill', kill, NOTHING],
])('B85: a start that never registers changes nothing of what %s means', async (_, end, cause) => {
  const { causes } = await afterEnd('async', async (cluster) => {
    const node = cluster.world.process('node');
    end(node);
    for (const again of [kill, kill]) {
      cluster.start('node', NODE);
      // Its log dirs are open, no controller has heard of it.
      await cluster.world.runFor(1);
      again(node);
    }
  });
  expect(causes.at(-1)).toBe(cause);
});

test('a life that ends before its logs are recovered does not make those of the last one durable', async () => {
  const { causes } = await afterEnd('async', async (cluster) => {
    const node = cluster.world.process('node');
    node.kill();
    cluster.start('node', NODE);
    const causesOfThat = registrations(cluster);
    await cluster.world.runUntil(() => causesOfThat.length > 0, 10_000, 'it is registered');
    node.powerCut();
  });
  expect(causes).toEqual([NOTHING, SOMETHING]);
});
