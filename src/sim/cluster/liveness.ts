// L-M1 and L-R1 after the heal: everybody is back within the deadline, and the cluster does what it is for.

import { sleep } from '../../env/clock.ts';
import { brokersInOrder, isActive, topicsInOrder } from '../../metadata/image.ts';
import { nameOf } from '../raft/ghost.ts';
import type { ClientLog } from './client-log.ts';
import { clusterClient, createTopic, produce, spawnClient } from './clients.ts';
import type { SimCluster } from './cluster.ts';
import { seenImage } from './observe.ts';
import type { Workload } from './scenario.ts';
import { CALM_WORKLOAD } from './scenario.ts';
import { ViolatedError } from './violated.ts';

/** Virtual time from the heal to a cluster that has converged. */
export const CONVERGE_LIMIT_MS = 60_000;
/** And from there to a new topic with a record. */
const PROBE_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 50;

/** Runs until the cluster has converged; L-M1 if it does not. */
export async function converge(cluster: SimCluster): Promise<void> {
  const { world } = cluster;
  const deadline = world.nowMs + CONVERGE_LIMIT_MS;
  for (let missing = notConverged(cluster); missing !== undefined; missing = notConverged(cluster)) {
    if (world.nowMs >= deadline) {
      const detail = `${CONVERGE_LIMIT_MS} ms after the heal ${missing}`;
      throw new ViolatedError({ property: 'L-M1', detail });
    }
    await world.runFor(LOOK_EVERY_MS);
  }
}

/** What is not as it should be; undefined if all is well. */
function notConverged(cluster: SimCluster): string | undefined {
  if (cluster.nodes.some(({ isStopping }) => isStopping)) return 'a node is still stopping';
  const running = cluster.nodes.map(({ node }) => node);
  if (running.some((node) => node === undefined)) return 'not every node is up';
  const nodes = running.filter((node) => node !== undefined);
  const leaders = nodes.filter(({ quorum }) => quorum.describe().role === 'leader');
  const [leader] = leaders;
  if (leader === undefined || leaders.length > 1) return `the quorum has ${leaders.length} leaders`;
  const { epoch, highWatermark, logEndOffset } = leader.quorum.describe();
  if (highWatermark < logEndOffset) return 'the metadata log is not committed to its end';
  const behind = nodes.find(({ publisher, quorum }) => {
    return publisher.image.endOffset !== logEndOffset || quorum.describe().epoch !== epoch;
  });
  if (behind !== undefined) return `node ${behind.nodeId} is behind`;
  if (cluster.scenario.workload.operateEveryMs > 0) {
    const voters = leader.quorum.describe().voters.map(({ replica }) => nameOf(replica));
    const idle = cluster.controllers.find(({ watch }) => !voters.includes(nameOf(watch.replica)));
    if (idle !== undefined) return `${idle.process.name} is no voter, those are ${voters.join(' ')}`;
    if (voters.length > cluster.controllers.length) return `the voters are ${voters.join(' ')}`;
  }
  const { image } = leader.publisher;
  const digest = seenImage(image).digest;
  const other = nodes.find(({ publisher }) => seenImage(publisher.image).digest !== digest);
  if (other !== undefined) return `the image of node ${other.nodeId} is not that of the leader`;
  const fenced = cluster.brokers.find(({ id }) => !isActive(image.brokers.get(id)));
  if (fenced !== undefined) return `broker ${fenced.id} is fenced`;
  if (brokersInOrder(image).length !== cluster.brokers.length) return 'there are brokers that nobody started';
  for (const { name, partitions } of topicsInOrder(image)) {
    const leaderless = partitions.findIndex((partition) => partition.leader < 0);
    if (leaderless >= 0) return `${name}-${leaderless} has no leader`;
  }
  return undefined;
}

/** A new topic can be created, and a record be written to it. */
export async function probe(cluster: SimCluster, log: ClientLog): Promise<void> {
  const { world } = cluster;
  const workload: Workload = { ...CALM_WORKLOAD, deliveryTimeoutMs: PROBE_LIMIT_MS / 2 };
  const creating = spawnClient(cluster, 'prober', async (env) => {
    const client = clusterClient(cluster, env, workload);
    let topic = 'after-heal-1';
    // What was lost just before the heal may still cost a session or a leader.
    for (
      let attempt = 2;
      (await createTopic(cluster, client, log, topic, 1, PROBE_LIMIT_MS / 6)) !== 'created';
      attempt++
    ) {
      topic = `after-heal-${attempt}`;
      await sleep(env.clock, PROBE_LIMIT_MS / 30);
    }
    client.close();
    return topic;
  });
  await world.runUntil(() => creating.isDone, PROBE_LIMIT_MS, 'L-M1: a topic is created after the heal');
  const only: ClientLog = { ...log, topics: new Map([[creating.value, 1]]) };
  const stop = { producing: false, consuming: false };
  const from = log.writes.length;
  const producing = spawnClient(cluster, 'probing-producer', (env) =>
    produce(cluster, env, 'after-heal', workload, only, stop),
  );
  const isAnswered = (): boolean => log.writes.slice(from).some(({ outcome }) => outcome === 'acknowledged');
  await world.runUntil(isAnswered, PROBE_LIMIT_MS, 'L-M1: a record is acknowledged after the heal');
  stop.producing = true;
  await world.runUntil(() => producing.isDone, PROBE_LIMIT_MS, 'L-M1: the probing producer comes to its end');
}
