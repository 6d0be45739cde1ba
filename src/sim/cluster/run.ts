// Runs a whole-cluster scenario through the phases of safety.md 8.8: bootstrap → faults → heal → liveness → final reading →
// checks. The codecs must be loaded (loadCodecs). The same scenario gives the same hash (S-X1).

import type { Ms } from '../../base/ids.ts';
import { hash32 } from '../../base/keyed-random.ts';
import type { Violation } from '../../check/violation.ts';
import { SimulationFailure } from '../world/failure.ts';
import type { ClientLog, Stop } from './client-log.ts';
import { newClientLog } from './client-log.ts';
import { administrate, clusterClient, consume, createTopic, produce, readEverything, spawnClient } from './clients.ts';
import type { SimCluster } from './cluster.ts';
import { createCluster } from './cluster.ts';
import { Nemesis } from './faults.ts';
import { checkBounded, checkClients, checkNothingLeft, checkRegistrars, FINAL_READER } from './final-checks.ts';
import { GOVERNED, govern } from './governors.ts';
import { createKept, readKept, writeKept } from './kept-topics.ts';
import { CONVERGE_LIMIT_MS, converge, probe, settle } from './liveness.ts';
import type { SimNode } from './node.ts';
import { endLife, formatNode, startLife } from './node.ts';
import { operate } from './operator.ts';
import { GROWING, operationsOf, register } from './registrars.ts';
import { rescue } from './rescue.ts';
import type { ClusterScenario } from './scenario.ts';
import { CALM_WORKLOAD } from './scenario.ts';
import { must, ViolatedError } from './violated.ts';

export interface ClusterRunOptions {
  /** Wraps what a node is given of the world, to see that a broken port is found out. */
  readonly tamper?: SimNode['tamper'];
  /** Wraps the producers of the run; for tests that break them on purpose. */
  readonly sender?: SimCluster['sender'];
  /** Told of each phase as it begins. */
  readonly onPhase?: (name: string, atMs: Ms) => void;
  /** Ends the run, as ok, at this virtual time: for shrinking what failed earlier. */
  readonly stopAtMs?: Ms;
}

/** Ends a run that was asked to end early. */
class RunCut extends Error {
  override name = 'RunCut';
}

/** What happened, in numbers. */
export interface ClusterStats {
  readonly elections: number;
  /** Faults carried out, by kind. */
  readonly faults: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  readonly failed: number;
  readonly unknown: number;
  readonly read: number;
  readonly truncations: number;
  readonly tailsLost: number;
  readonly topics: number;
  /** What S-M9 is judged by, and of how many topics it took too long. */
  readonly topicCalls: number;
  readonly configCalls: number;
  readonly countCalls: number;
  readonly undecided: number;
  /** Voters added and removed. */
  readonly voterChanges: number;
  /** Answered deletions of records. */
  readonly deletions: number;
  /** What the metadata log shows. */
  readonly metadata: ReadonlyMap<string, number>;
  /** Lines that nodes logged, by event name, and other moments. */
  readonly logged: ReadonlyMap<string, number>;
}

export interface ClusterVerdict {
  readonly ok: boolean;
  /** What does not hold. */
  readonly violation?: Violation;
  /** Virtual time of the end. */
  readonly atMs: Ms;
  readonly events: number;
  /** Over all events and all that clients saw. */
  readonly hash: number;
  readonly stats: ClusterStats;
  /** The last lines that the nodes logged. */
  readonly log: () => string;
}

const BOOTSTRAP_LIMIT_MS = 30_000;
/** Over the delivery timeout of the producers, since it is the retry in flight that ends last. */
const CLIENT_SLACK_MS = 60_000;
const STOP_LIMIT_MS = 30_000;

export async function runClusterScenario(
  scenario: ClusterScenario,
  options: ClusterRunOptions = {},
): Promise<ClusterVerdict> {
  const cluster = createCluster(scenario, options.tamper, options.sender);
  const nemesis = new Nemesis(cluster);
  const log = newClientLog();
  const { world } = cluster;
  if (options.stopAtMs !== undefined) world.after(options.stopAtMs, () => world.fail('the time given', new RunCut()));
  try {
    await play(cluster, nemesis, log, (name) => options.onPhase?.(name, cluster.world.nowMs));
  } catch (error) {
    const isCut = error instanceof SimulationFailure && error.cause instanceof RunCut;
    if (isCut) return { ok: true, ...outcome(cluster, nemesis, log) };
    const violation = violationOf(error);
    if (violation === undefined) throw error;
    return { ok: false, violation, ...outcome(cluster, nemesis, log) };
  }
  return { ok: true, ...outcome(cluster, nemesis, log) };
}

function violationOf(error: unknown): Violation | undefined {
  if (error instanceof ViolatedError) return error.violation;
  if (!(error instanceof SimulationFailure)) return undefined;
  if (error.cause instanceof ViolatedError) return error.cause.violation;
  const stack = error.cause instanceof Error ? (error.cause.stack ?? '') : '';
  return { property: error.message.includes('L-M1') ? 'L-M1' : 'S-X2', detail: `${error.message}\n${stack}` };
}

async function play(
  cluster: SimCluster,
  nemesis: Nemesis,
  log: ClientLog,
  phase: (name: string) => void,
): Promise<void> {
  const { world, scenario } = cluster;
  const { workload, config } = scenario;
  phase('bootstrap');
  await bootstrap(cluster, log);
  const stop: Stop = { producing: false, consuming: false };
  const producers = clients('producer', workload.producers, (name) =>
    spawnClient(cluster, name, (env) => produce(cluster, env, name, workload, log, stop)),
  );
  const consumers = clients('consumer', workload.consumers, (name) =>
    spawnClient(cluster, name, (env) => consume(cluster, env, name, workload, log, stop)),
  );
  const admin = spawnClient(cluster, 'admin', (env) => administrate(cluster, env, workload, log, stop));
  const registrarsStop: Stop = { producing: false, consuming: false };
  const operatorStop: Stop = { producing: false, consuming: false };
  const governors = clients('governor', workload.governEveryMs > 0 ? 1 : 0, (name) =>
    spawnClient(cluster, name, (env) => govern(cluster, env, workload, log, registrarsStop)),
  );
  const isCopying = config.links.duplicatePermille > 0;
  const registrars = clients('registrar', isCopying ? 0 : workload.registrars, (name, index) =>
    spawnClient(cluster, name, (env) => register(cluster, env, workload, log.adminCalls, registrarsStop, index)),
  );
  const operators = clients('operator', workload.operateEveryMs > 0 ? 1 : 0, (name) =>
    spawnClient(cluster, name, (env) => operate(cluster, env, workload, log.voterCalls, operatorStop)),
  );
  const keptWriters = clients('kept', workload.keptEveryMs > 0 ? 1 : 0, (name) =>
    spawnClient(cluster, name, (env) => writeKept(cluster, env, workload, log.kept, stop)),
  );
  phase('faults');
  nemesis.begin();
  await world.runFor(config.faultPhaseMs);
  phase('heal');
  nemesis.heal();
  // What a disk was asked while it stalled ends when it was to end.
  await world.runFor(Math.max(...cluster.nodes.map(({ process }) => process.disk.stalledMs)));
  registrarsStop.producing = true;
  operatorStop.consuming = true;
  await converge(cluster, 'as far as it can');
  await rescue(cluster);
  await converge(cluster);
  phase('liveness');
  stop.producing = true;
  operatorStop.producing = true;
  const patience = workload.deliveryTimeoutMs + CLIENT_SLACK_MS;
  await world.runUntil(
    () =>
      [...producers, ...keptWriters, ...registrars, ...operators, ...governors, admin].every(({ isDone }) => isDone),
    patience,
    'L-M1: producers come to their end',
  );
  await probe(cluster, log);
  await settle(cluster);
  phase('final reading');
  const reader = spawnClient(cluster, 'reader', (env) =>
    readEverything(cluster, env, FINAL_READER, CALM_WORKLOAD, log),
  );
  const keptReaders = clients('kept-reader', keptWriters.length, (name) =>
    spawnClient(cluster, name, (env) => readKept(cluster, env, log.kept)),
  );
  await world.runUntil(
    () => [reader, ...keptReaders].every(({ isDone }) => isDone),
    CONVERGE_LIMIT_MS,
    'L-C1: everything is read',
  );
  stop.consuming = true;
  await world.runUntil(() => consumers.every(({ isDone }) => isDone), patience, 'L-C1: consumers come to their end');
  phase('checks');
  await finish(cluster, log);
}

function clients<T>(name: string, count: number, make: (name: string, index: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(`${name}${i + 1}`, i));
}

/** Formats and starts all nodes, and creates the first topics. */
async function bootstrap(cluster: SimCluster, log: ClientLog): Promise<void> {
  const { world, nodes, scenario } = cluster;
  const { topics, partitions } = scenario.config;
  for (const node of nodes) await formatNode(node);
  for (const node of nodes) startLife(node);
  await converge(cluster);
  const founding = spawnClient(cluster, 'founder', async (env) => {
    const client = clusterClient(cluster, env, CALM_WORKLOAD);
    for (let number = 1; number <= topics; number++) {
      await createTopic(cluster, client, log, `topic-${number}`, partitions, BOOTSTRAP_LIMIT_MS);
    }
    await createTopic(cluster, client, log, GROWING, 1, BOOTSTRAP_LIMIT_MS);
    log.topics.delete(GROWING);
    if (scenario.workload.governedTopics > 0) {
      await createTopic(cluster, client, log, GOVERNED, 2, BOOTSTRAP_LIMIT_MS);
    }
    client.close();
    if (scenario.workload.keptEveryMs > 0) await createKept(cluster, env);
  });
  await world.runUntil(() => founding.isDone, BOOTSTRAP_LIMIT_MS, 'L-M1: the first topics are created');
}

async function finish(cluster: SimCluster, log: ClientLog): Promise<void> {
  const { world, controllers, brokers } = cluster;
  const active = controllers.find(({ node }) => node?.quorum.describe().role === 'leader')?.node;
  if (active === undefined) throw new ViolatedError({ property: 'L-R1', detail: 'there is no leader at the end' });
  // Later ones have no leaders any more.
  const { image } = active.publisher;
  checkBounded(cluster);
  must(cluster.ghost.metadata.commands.unfounded());
  checkClients(cluster, log, image);
  log.undecided += checkRegistrars(cluster, log, image);
  await stopAll(cluster, brokers);
  await stopAll(cluster, controllers);
  await world.runFor(STOP_LIMIT_MS);
  checkNothingLeft(cluster);
  // The stop neither adds nor takes away.
  checkClients(cluster, log, image);
}

/** Stops nodes in good order, all at once; their processes stay, to see what they leave behind. */
async function stopAll({ world }: SimCluster, nodes: readonly SimNode[]): Promise<void> {
  let stopped = 0;
  for (const each of nodes) {
    const { node } = each;
    endLife(each);
    if (node === undefined) continue;
    node.stop().then(
      () => stopped++,
      (error: unknown) => world.fail(`stop of ${each.process.name}`, error),
    );
  }
  await world.runUntil(() => stopped === nodes.length, STOP_LIMIT_MS, 'L-M1: nodes stop in good order');
}

function outcome(
  cluster: SimCluster,
  nemesis: Nemesis,
  log: ClientLog,
): Pick<ClusterVerdict, 'atMs' | 'events' | 'hash' | 'stats' | 'log'> {
  const { world, ghost } = cluster;
  const count = (wanted: string): number => log.writes.filter(({ outcome: its }) => its === wanted).length;
  return {
    atMs: world.nowMs,
    events: world.eventCount,
    hash:
      (world.hash ^
        hash32(
          JSON.stringify([
            log.writes,
            log.reads,
            log.creations,
            log.truncations,
            log.adminCalls,
            log.voterCalls,
            log.kept,
          ]),
        )) >>>
      0,
    stats: {
      elections: cluster.leaders.size,
      faults: nemesis.injected,
      acknowledged: count('acknowledged'),
      failed: count('failed'),
      unknown: count('unknown'),
      read: log.reads.length,
      truncations: log.truncations.length,
      tailsLost: ghost.allLosses().length,
      topics: log.topics.size,
      topicCalls: operationsOf(log.adminCalls.topics).length,
      configCalls: operationsOf(log.adminCalls.configs).length,
      countCalls: operationsOf(log.adminCalls.counts).length,
      undecided: log.undecided,
      voterChanges: log.voterCalls.filter((call) => call.outcome === 'done').length,
      deletions: log.kept.deletions,
      metadata: ghost.metadata.counts,
      logged: ghost.moments,
    },
    log: () => world.log.format(),
  };
}
