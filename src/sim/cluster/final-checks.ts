// The checks that need the whole run: histories of clients against the logs, topics, metadata logs, and what is left open.
import type { Offset } from '../../base/ids.ts';
import { violationsOf } from '../../check/client-history.ts';
import { checkConfigOperations, checkCountOperations } from '../../check/config-operations.ts';
import type { FinalLog, LossEntry, LossRange } from '../../check/history.ts';
import { placeName } from '../../check/history.ts';
import { checkCompacted, checkKeptInvention, checkPruned } from '../../check/kept.ts';
import type { ReplicaLog } from '../../check/replicas.ts';
import { checkReplicasAgree } from '../../check/replicas.ts';
import type { TopicAction } from '../../check/topic-operations.ts';
import { checkTopicOperations } from '../../check/topic-operations.ts';
import { checkTopics } from '../../check/topics.ts';
import type { Violation } from '../../check/violation.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { configsOf, topicByName, topicEntity, topicsInOrder } from '../../metadata/image.ts';
import { lossesOf } from '../../metadata/losses.ts';
import type { ClientLog } from './client-log.ts';
import type { SimCluster } from './cluster.ts';
import { diskLogs, logRecords } from './disk-logs.ts';
import { FLEETING, GOVERNED } from './governors.ts';
import { COMPACTED, KEPT, PRUNED } from './kept-notes.ts';
import { DATA_DIRECTORY } from './node.ts';
import { CONTESTED_KEY } from './registrar-calls.ts';
import { CONTESTED, GROWING, operationsOf } from './registrars.ts';
import { must, ViolatedError } from './violated.ts';

/** The session that reads everything at the end. */
export const FINAL_READER = 'final';

/** Everything about clients and topics. `image`: of the active controller, at the end. */
export function checkClients(cluster: SimCluster, log: ClientLog, image: MetadataImage): void {
  const { ghost } = cluster;
  must(
    checkTopics(
      log.creations.filter(({ topic }) => !topic.startsWith(CONTESTED) && topic !== GOVERNED),
      new Map(
        topicsInOrder(image)
          .filter(({ name }) => ![CONTESTED, FLEETING, GOVERNED, KEPT].some((prefix) => name.startsWith(prefix)))
          .map(({ name, partitions }) => [name, partitions.size]),
      ),
    ),
  );
  const ledger = ledgerOf(image);
  checkKept(cluster, log, ledger);
  const logs = finalLogs(cluster, image).filter(({ topic }) => log.topics.has(topic));
  const seen = { writes: log.writes, reads: log.reads, logs };
  const hazards = { uncleanElections: true, lossyDisks: true };
  // What is gone is what the omniscient observer saw go, and of that the ledger says all that it can.
  const told = { ...seen, losses: ghost.allLosses(), ledger: [] };
  for (const found of violationsOf(told, FINAL_READER, hazards)) must(found);
  const untold = { ...seen, losses: [...ghost.losses, ...ghost.replicas.silentLosses()], ledger };
  for (const found of violationsOf(untold, FINAL_READER, hazards)) must(asLedger(found));
  const [truncation] = log.truncations;
  if (truncation !== undefined && told.losses.length === 0) {
    throw new ViolatedError({ property: 'S-C1', detail: `a consumer was told of a loss without one: ${truncation}` });
  }
  must(checkReplicasAgree(replicaLogs(cluster, image)));
  must(ghost.replicas.atEnd());
}

/** S-D8: what would be well if the ledger said more. */
function asLedger({ property, detail }: Violation): Violation {
  return { property: 'S-D8', detail: `the loss ledger does not explain that ${property} does not hold: ${detail}` };
}

const LOSS_KINDS: readonly LossRange['kind'][] = ['gone', 'led', 'cut', 'hole', 'short', 'gone'];

/** The loss ledger as checkers read it. */
function ledgerOf(image: MetadataImage): LossEntry[] {
  return topicsInOrder(image).flatMap(({ name: topic, topicId, partitions }) =>
    [...partitions.keys()].flatMap((partition) =>
      lossesOf(image, topicId, partition).map(({ leader, oldLeaderEpoch, newLeaderEpoch, awaited, replicas }) => {
        const ranges = replicas.map((replica) => ({ ...replica, kind: LOSS_KINDS[replica.kind] ?? 'gone' }));
        return { topic, partition, leader, oldLeaderEpoch, newLeaderEpoch, awaited, ranges };
      }),
    ),
  );
}

/** S-D7: the logs of all replicas, up to what is committed. */
function replicaLogs(cluster: SimCluster, image: MetadataImage): ReplicaLog[] {
  const committed = new Map<string, Offset>();
  for (const { topic, topicId, partition, truth } of cluster.ghost.replicas.partitions()) {
    const isThere = image.topics.get(topicId)?.partitions.has(partition) === true;
    if (isThere) committed.set(placeName({ topic, partition }), truth.endOffset);
  }
  return cluster.brokers.flatMap(({ process, id }) =>
    diskLogs(process.disk, DATA_DIRECTORY, 'cached').flatMap(({ topic, partition, batches }) => {
      const highWatermark = committed.get(placeName({ topic, partition }));
      const state = topicByName(image, topic)?.partitions.get(partition);
      if (highWatermark === undefined || state?.isr.includes(id) !== true) return [];
      const seen = batches.map(({ baseOffset, partitionLeaderEpoch, crc }) => {
        return { baseOffset, leaderEpoch: partitionLeaderEpoch, crc };
      });
      return [{ topic, partition, brokerId: id, highWatermark, batches: seen }];
    }),
  );
}

/** D-9: as the last reading found them. Who leads after an unclean election may lack anything, and the ledger says that there was one. */
function checkKept({ ghost }: SimCluster, { kept }: ClientLog, ledger: readonly LossEntry[]): void {
  const { pruned, compacted, deletedBefore } = kept;
  const mayLack = (topic: string): boolean => [...ghost.losses, ...ledger].some((loss) => loss.topic === topic);
  must(checkKeptInvention(pruned.writes, pruned.reads));
  must(checkKeptInvention(compacted.writes, compacted.reads));
  if (!mayLack(PRUNED)) must(checkPruned(pruned.writes, pruned.reads, deletedBefore));
  if (!mayLack(COMPACTED)) must(checkCompacted(compacted.writes, compacted.reads));
}

/** S-M9, with what the active controller has at the end as the last answer. Returns how many histories took too long to judge. */
export function checkRegistrars(cluster: SimCluster, log: ClientLog, image: MetadataImage): number {
  const { nowMs } = cluster.world;
  const now = { invokedAtMs: nowMs, answeredAtMs: nowMs };
  const topics = operationsOf(log.adminCalls.topics);
  for (const object of new Set(topics.map((operation) => operation.object))) {
    const topicId = image.topicIds.get(object);
    const action: TopicAction = topicId === undefined ? { type: 'absent' } : { type: 'present', topicId };
    topics.push({ object, ...now, action });
  }
  const growing = topicByName(image, GROWING);
  const configs = operationsOf(log.adminCalls.configs);
  const counts = operationsOf(log.adminCalls.counts);
  if (growing !== undefined) {
    const value = configsOf(image, topicEntity(GROWING)).get(CONTESTED_KEY);
    configs.push({ object: GROWING, ...now, action: { type: 'is', value } });
    counts.push({ object: GROWING, ...now, action: { type: 'counted', count: growing.partitions.size } });
  }
  const verdicts = [checkTopicOperations(topics), checkConfigOperations(configs), checkCountOperations(counts)];
  for (const { violation } of verdicts) must(violation);
  return verdicts.reduce((sum, { undecided }) => sum + undecided, 0);
}

/** The log of every partition, at the broker that leads it, or will. */
function finalLogs(cluster: SimCluster, image: MetadataImage): FinalLog[] {
  const logs: FinalLog[] = [];
  for (const { process, id } of cluster.brokers) {
    for (const log of diskLogs(process.disk, DATA_DIRECTORY, 'cached')) {
      const { topic, partition } = log;
      if (topic.startsWith(KEPT) || topic.startsWith(FLEETING)) continue;
      const topicId = image.topicIds.get(topic) ?? '';
      const state = image.topics.get(topicId)?.partitions.get(partition);
      const holder = state === undefined || state.leader >= 0 ? state?.leader : (state.isr[0] ?? state.elr[0]);
      if (holder === id) logs.push({ topic, partition, topicId, records: logRecords(log) });
    }
  }
  return logs;
}

/** Of anything of one kind that a process has under way in a quiet cluster. Streams grow with clients, timers with sessions. */
const QUIET_LIMIT = 100;

/** S-X3: what a quiet cluster has scheduled and open is bounded. */
export function checkBounded({ nodes, world }: SimCluster): void {
  for (const { process } of nodes) {
    const much = [...world.openAt(process)].find(([, count]) => count > QUIET_LIMIT);
    if (much === undefined) continue;
    const detail = `${process.name} has ${much[1]} ${much[0]} under way when nothing happens`;
    throw new ViolatedError({ property: 'S-X3', detail });
  }
}

/** S-X3: a process that stopped in good order has nothing scheduled, connected or bound any more. */
export function checkNothingLeft(cluster: SimCluster): void {
  for (const process of [...cluster.nodes.map((node) => node.process), ...cluster.clients]) {
    const left = cluster.world.leftOf(process);
    if (left.length === 0) continue;
    const detail = `${process.name} has stopped, and left ${left.join(', ')}`;
    throw new ViolatedError({ property: 'S-X3', detail });
  }
}
