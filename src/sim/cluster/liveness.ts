// L-M1 and L-R1 after the heal: everybody is back within the deadline, and the cluster does what it is for.

import { sleep } from '../../env/clock.ts';
import type { PartitionState } from '../../metadata/image.ts';
import { brokersInOrder, isActive, topicsInOrder } from '../../metadata/image.ts';
import type { PartitionLoss } from '../../metadata/loss-entry.ts';
import { lossesOf } from '../../metadata/losses.ts';
import type { QuorumDescription } from '../../raft/types.ts';
import { nameOf } from '../raft/ghost.ts';
import type { ClientLog } from './client-log.ts';
import { clusterClient, createTopic, produce, spawnClient } from './clients.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import type { SimNode } from './node.ts';
import { seenImage } from './observe.ts';
import { createContested } from './registrars.ts';
import type { Workload } from './scenario.ts';
import { CALM_WORKLOAD } from './scenario.ts';
import { ViolatedError } from './violated.ts';

/** Virtual time from the heal to a cluster that has converged. */
export const CONVERGE_LIMIT_MS = 60_000;
/** And to controllers that have (L-R1). */
const QUORUM_LIMIT_MS = 30_000;
/** And from there to a new topic with a record. */
const PROBE_LIMIT_MS = 30_000;
/** And from the last write until everything is committed: all replicas are in sync. */
const SETTLE_LIMIT_MS = 30_000;
/** Short where it is set at all. */
const BALANCE_INTERVAL = 'leader.imbalance.check.interval.seconds';
/** A commit of a quorum at peace. */
const COMMIT_LIMIT_MS = 2000;
const LOOK_EVERY_MS = 50;

/** `as far as it can`: partitions of which nobody surely has all records wait for somebody who asks for an unclean election. */
type Extent = 'wholly' | 'as far as it can';

/** Runs until the cluster has converged; L-M1 if it does not. */
export async function converge(cluster: SimCluster, extent: Extent = 'wholly'): Promise<void> {
  const { world } = cluster;
  const healedAt = world.nowMs;
  let isQuorumWell = false;
  const look = (): string | undefined => notConverged(cluster, extent);
  for (let missing = look(); missing !== undefined; missing = look()) {
    isQuorumWell ||= divided(cluster.controllers) === undefined;
    const passedMs = world.nowMs - healedAt;
    const why = isQuorumWell ? undefined : divided(cluster.controllers);
    if (why !== undefined && passedMs >= QUORUM_LIMIT_MS) {
      throw new ViolatedError({ property: 'L-R1', detail: `${QUORUM_LIMIT_MS} ms after the heal ${why}` });
    }
    if (passedMs >= CONVERGE_LIMIT_MS) {
      throw new ViolatedError({ property: 'L-M1', detail: `${CONVERGE_LIMIT_MS} ms after the heal ${missing}` });
    }
    await world.runFor(LOOK_EVERY_MS);
  }
}

/** L-R1: why these nodes are no quorum of one mind: one leader, one epoch, one log, committed to its end. */
function divided(nodes: readonly SimNode[]): string | undefined {
  const views = nodes.map(({ node }) => node?.quorum.describe());
  if (views.includes(undefined)) return 'not every controller is up';
  const up = views.filter((view) => view !== undefined);
  const leaders = up.filter(({ role }) => role === 'leader');
  if (leaders.length !== 1) return `the quorum has ${leaders.length} leaders`;
  const [leader] = leaders as [QuorumDescription];
  const other = up.findIndex(
    ({ epoch, logEndOffset, highWatermark }) =>
      epoch !== leader.epoch || logEndOffset !== leader.logEndOffset || highWatermark !== leader.logEndOffset,
  );
  return other < 0 ? undefined : `${nodes[other]?.process.name} is not where the leader is`;
}

/** What is not as it should be; undefined if all is well. */
function notConverged(cluster: SimCluster, extent: Extent): string | undefined {
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
  const isBalanced = BALANCE_INTERVAL in cluster.scenario.config.nodeSettings;
  for (const { name, topicId, partitions } of topicsInOrder(image)) {
    for (const [partition, state] of partitions.entries()) {
      if (extent !== 'wholly' && isOrphaned(state)) continue;
      const why = whyNotWell(state, isBalanced) ?? whatIsAwaited(lossesOf(image, topicId, partition));
      if (why !== undefined) return `${name}-${partition} ${why}`;
    }
  }
  return undefined;
}

/** Without anybody who surely has all records somebody must ask for an unclean election (C-5.7). */
export function isOrphaned({ leader, isr, elr }: PartitionState): boolean {
  return leader < 0 && isr.length === 0 && elr.length === 0;
}

/** Of a partition, while all brokers are in service. `isBalanced`: leadership goes back to preferred replicas soon. */
function whyNotWell(state: PartitionState, isBalanced: boolean): string | undefined {
  const { leader, isr, replicas, recovering } = state;
  if (leader < 0) return 'has no leader';
  if (isBalanced && leader !== replicas[0] && isr.includes(replicas[0] ?? -1)) return 'has not its preferred leader';
  if (recovering) return 'has not recovered';
  return isr.length < replicas.length ? `has the ISR [${isr.join()}] of [${replicas.join()}]` : undefined;
}

/** S-D8: with every replica back and in sync each has said what it had, so that all entries of the loss ledger are closed. */
function whatIsAwaited(losses: readonly PartitionLoss[]): string | undefined {
  const open = losses.find(({ awaited }) => awaited.length > 0);
  return open && `has a loss in epoch ${open.newLeaderEpoch} that waits for [${open.awaited.join()}]`;
}

/** L-R1: what is asked of the leader is committed. */
async function probeQuorum(cluster: SimCluster): Promise<void> {
  const { world, controllers } = cluster;
  const find = (): SimNode | undefined =>
    controllers.find(({ node }) => node?.quorum.describe().role === 'leader' && node.quorum.describe().isVoter);
  let leader = find();
  // The operator's last change may have taken out who led.
  for (let waitedMs = 0; leader === undefined; waitedMs += LOOK_EVERY_MS) {
    if (waitedMs >= QUORUM_LIMIT_MS) {
      throw new ViolatedError({ property: 'L-R1', detail: 'there is no leader after the heal' });
    }
    await world.runFor(LOOK_EVERY_MS);
    leader = find();
  }
  const host = leader.process.name;
  const asking = spawnClient(cluster, 'quorum-prober', async (env) => {
    const client = env.network.client({ host, port: CONTROLLER_PORT });
    const endsAt = env.clock.now() + COMMIT_LIMIT_MS;
    for (;;) {
      // A leader whose followers are just coming back refuses at once, until they have fetched.
      const answer = await createContested(client, 'after-heal', endsAt - env.clock.now());
      const isOver = isCommitted(answer) || env.clock.now() + LOOK_EVERY_MS >= endsAt;
      if (isOver) {
        client.close();
        return answer;
      }
      await sleep(env.clock, LOOK_EVERY_MS);
    }
  });
  await world.runUntil(() => asking.isDone, PROBE_LIMIT_MS, 'L-R1: a commit is answered');
  if (!isCommitted(asking.value)) {
    const detail = `${host} leads, and commits nothing within ${COMMIT_LIMIT_MS} ms`;
    throw new ViolatedError({ property: 'L-R1', detail });
  }
}

function isCommitted(told: Awaited<ReturnType<typeof createContested>> | undefined): boolean {
  return told !== undefined && told !== 'unknown' && told !== 'nothing';
}

/**
 * L-C1: what leaders have in their logs is committed, also where its producer has given it up. Before that a reader of everything may be
 * shown an end that is not the end.
 */
export async function settle({ world, brokers }: SimCluster): Promise<void> {
  const open = (): string | undefined => {
    for (const { node, id } of brokers) {
      for (const { topic, partition, leader, highWatermark, log } of node?.replicas?.partitions() ?? []) {
        if (leader === undefined || highWatermark === log.logEndOffset) continue;
        return `${topic}-${partition} ends at ${log.logEndOffset} at its leader ${id}, and its high watermark is ${highWatermark}`;
      }
    }
    return undefined;
  };
  for (let passedMs = 0, why = open(); why !== undefined; passedMs += LOOK_EVERY_MS, why = open()) {
    if (passedMs >= SETTLE_LIMIT_MS) {
      throw new ViolatedError({ property: 'L-C1', detail: `${SETTLE_LIMIT_MS} ms after the last write ${why}` });
    }
    await world.runFor(LOOK_EVERY_MS);
  }
}

/** A new topic can be created, and a record be written to it. */
export async function probe(cluster: SimCluster, log: ClientLog): Promise<void> {
  const { world } = cluster;
  await probeQuorum(cluster);
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
  const only: ClientLog = { ...log, topics: new Map([[creating.value, 1]]), fleeting: new Map() };
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
