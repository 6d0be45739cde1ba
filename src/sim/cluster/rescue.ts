// The operator of a healed cluster, for partitions of which nobody surely has all records any more: has them led by whom there is
// (C-5.7). What that costs the loss ledger must say (S-D8).
import type { Env } from '../../env/env.ts';
import { RpcError } from '../../env/network.ts';
import { AdminServiceDefinition as Admin, ElectionType } from '../../gen/kvorum/v1/admin.ts';
import { topicsInOrder } from '../../metadata/image.ts';
import { spawnClient } from './clients.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import { isOrphaned } from './liveness.ts';
import type { SimNode } from './node.ts';
import { killLife, startLife } from './node.ts';
import { ViolatedError } from './violated.ts';

const ASK_TIMEOUT_MS = 5000;
const RESCUE_LIMIT_MS = 30_000;

interface Orphan {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** Asks for unclean elections of all orphaned partitions. L-M1 for one that a crash does not explain. */
export async function rescue(cluster: SimCluster): Promise<void> {
  const leader = leaderOf(cluster);
  if (leader?.node === undefined) return;
  const orphans: Orphan[] = [];
  for (const { name, topicId, partitions } of topicsInOrder(leader.node.publisher.image)) {
    for (const [partition, state] of partitions.entries()) {
      if (isOrphaned(state)) orphans.push({ topic: name, topicId, partition });
    }
  }
  if (orphans.length === 0) return;
  for (const orphan of orphans) note(cluster, orphan);
  const rescuing = spawnClient(cluster, 'rescuer', (env) => elect(cluster, env, orphans));
  await cluster.world.runUntil(() => rescuing.isDone, RESCUE_LIMIT_MS, 'L-M1: orphaned partitions are led again');
  // Who keeps a place free for what was on a lost disk begins anew.
  for (const node of cluster.brokers.filter(({ disks }) => disks > 1)) {
    killLife(node);
    startLife(node);
  }
}

function leaderOf({ controllers }: SimCluster): SimNode | undefined {
  return controllers.find(({ node }) => node?.quorum.describe().role === 'leader');
}

/** Nobody may lead only where every replica may have lost records: a crash that cannot have taken any takes nobody out (C-2.4). */
function note({ ghost }: SimCluster, { topic, topicId, partition }: Orphan): void {
  ghost.count('partition without a clean candidate after the heal');
  ghost.metadata.uncleanElectionAsked(topic, partition);
  if (ghost.replicas.mayBeOrphaned(topicId, partition)) return;
  const detail = `nobody may lead ${topic}-${partition}, and no crash could have taken records from all of its replicas`;
  throw new ViolatedError({ property: 'L-M1', detail });
}

async function elect(cluster: SimCluster, env: Env, orphans: readonly Orphan[]): Promise<void> {
  const request = {
    type: ElectionType.UNCLEAN,
    partitions: orphans.map(({ topic, partition }) => ({ topic, partition })),
    validateOnly: false,
    forwarded: true,
  };
  for (let isDone = false; !isDone; ) {
    const host = leaderOf(cluster)?.process.name ?? '';
    const client = env.network.client({ host, port: CONTROLLER_PORT });
    try {
      await client.call(Admin, Admin.methods.electLeaders, request, ASK_TIMEOUT_MS);
      isDone = true;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
    }
    client.close();
  }
}
