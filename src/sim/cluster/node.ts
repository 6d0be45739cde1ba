// One simulated node: its process, the lives of it, and what the checkers see of each life. Started by the same call as a
// real one.
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import type { Env } from '../../env/env.ts';
import type { MetadataDelta } from '../../metadata/delta.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import type { Node, QuorumLimits } from '../../server/node.ts';
import { startNode } from '../../server/node.ts';
import { formatStorage } from '../../server/storage.ts';
import type { SimProcess } from '../process/process.ts';
import type { World } from '../world/world.ts';
import { watchAlterations } from './alterations.ts';
import { diskLogs, endOffsetOf } from './disk-logs.ts';
import { KEPT } from './kept-notes.ts';
import type { Ghost, SeenLine } from './observe.ts';
import { observedLogger } from './observe.ts';
import type { NodeWatch } from './raft-watch.ts';
import { must, ViolatedError } from './violated.ts';

export interface SimNode {
  readonly id: NodeId;
  readonly process: SimProcess;
  readonly config: NodeConfig;
  readonly world: World;
  readonly ghost: Ghost;
  readonly clusterId: Uuid;
  readonly watch: NodeWatch;
  readonly quorumLimits: QuorumLimits;
  /** Wraps what the node is given of the world; for tests that break a port on purpose. */
  readonly tamper: (env: Env, node: SimNode) => Env;
  /** The composed node of this life, once it is up. */
  node: Node | undefined;
  /** It was asked to stop in this life. */
  isStopping: boolean;
  /** A disk error was injected in this life: it may end in a fatal error. */
  isExcused: boolean;
  /** How many disks it has had: each is another replica (R-0.1). */
  disks: number;
  /** `damaged`: its database is, and the node must say so and not start. `empty`: it is to be formatted. */
  diskState: 'good' | 'damaged' | 'empty';
}

export const DATA_DIRECTORY = '/data';
/** The database of the metadata log. */
export const METADATA_DIRECTORY = `${DATA_DIRECTORY}/metadata`;
export const SNAPSHOT_DIRECTORY = `${DATA_DIRECTORY}/snapshots`;
/** A supervisor starts again what died so much later. */
const RESTART_MS = 500;

/** Formats the disk of a node that has never run. */
export async function formatNode(node: SimNode): Promise<void> {
  node.process.disk.provision(DATA_DIRECTORY);
  let done = false;
  node.process.start(async (env) => {
    await formatStorage(env, node.config, node.clusterId);
    done = true;
  });
  await node.world.runUntil(() => done, 10_000, `${node.process.name} is formatted`);
  node.process.kill();
}

/** Begins a life, on an empty disk with formatting it. Nothing if it lives. */
export function startLife(node: SimNode): void {
  if (node.process.isAlive) return;
  if (node.diskState === 'empty') return formatAndStart(node);
  const { process } = node;
  const life = process.lives + 1;
  node.isExcused = Number.isFinite(node.process.disk.settings.capacityBytes);
  node.isStopping = false;
  node.process.disk.forgetFailures();
  node.process.start(async (env) => {
    const logger = observedLogger(env.logger, (line) => {
      if (process.lives === life) seeLine(node, line);
    });
    const network = watchAlterations(env.network, node);
    const watched = node.watch.newLife({ ...env, logger, network });
    const started = await startNode(node.tamper(watched.env, node), node.config, {
      fatal: (reason, cause) => fail(node, reason, cause),
      trace: watched.trace,
      quorumLimits: node.quorumLimits,
    });
    if (node.diskState === 'damaged') {
      const detail = `${node.process.name} started on a damaged database`;
      must({ property: 'R-1.7', detail });
    }
    node.node = started;
    const { publisher } = started;
    if (publisher.image.endOffset > 0) seeImage(node, publisher.image, undefined);
    publisher.subscribe((image, delta) => seeImage(node, image, delta));
  });
}

/** Again after a crash in the middle of it. */
function formatAndStart(node: SimNode): void {
  const { process, world } = node;
  process.start(async (env) => {
    await formatStorage(env, node.config, node.clusterId);
    node.diskState = 'good';
    const life = process.lives;
    world.after(0, () => {
      if (process.lives !== life) return;
      process.kill();
      startLife(node);
    });
  });
}

/** Whether a start that fails is what should happen; the process ends, and its supervisor starts it again. */
export function mayRefuseToStart(node: SimNode): boolean {
  if (!node.isExcused && node.diskState !== 'damaged') return false;
  supervise(node);
  return true;
}

function supervise(node: SimNode): void {
  node.world.after(RESTART_MS, () => {
    if (node.diskState !== 'damaged') startLife(node);
  });
}

/** S-X2: what a node calls fatal fails the run, unless a fault explains it: then the process ends. */
function fail(node: SimNode, reason: string, cause: unknown): void {
  if (node.isExcused) {
    killLife(node);
    supervise(node);
  } else {
    const detail = `${node.process.name} stopped: ${reason}`;
    node.world.fail('S-X2', new ViolatedError({ property: 'S-X2', detail }, cause));
  }
}

export function killLife(node: SimNode): void {
  if (!node.process.isAlive) return;
  endLife(node);
  node.process.kill();
}

/** What the living partitions of a broker show, after each event. */
export function seeReplicas({ node, process, id, ghost }: SimNode): void {
  if (node?.replicas === undefined || !process.isAlive) return;
  const { disk, lives } = process;
  ghost.replicas.look({ id, life: `${process.name}#${lives}`, disk, partitions: node.replicas.partitions() });
}

/** Power goes. Of topics that nobody else watches it notes which records may be lost (S-D1). */
export function cutPower(node: SimNode): void {
  endLife(node);
  const { process, config, ghost, world } = node;
  if (config.isBroker && config.values['log.flush.mode'] === 'async') {
    const durable = diskLogs(process.disk, DATA_DIRECTORY, 'durable');
    for (const log of diskLogs(process.disk, DATA_DIRECTORY, 'cached')) {
      const { topic, partition } = log;
      if (!topic.startsWith(KEPT)) continue;
      const fromOffset = endOffsetOf(durable.find((other) => other.topic === topic && other.partition === partition));
      const leaderEpoch = log.batches.at(-1)?.partitionLeaderEpoch ?? -1;
      if (fromOffset < endOffsetOf(log)) {
        ghost.losses.push({ topic, partition, atMs: world.nowMs, fromOffset, leaderEpoch });
      }
    }
  }
  process.powerCut();
  if (config.isBroker) ghost.replicas.crashed(node.id, process.disk, 'power');
}

/** Stops in good order. Resolves when it has; the process is gone then. */
export async function stopLife(node: SimNode): Promise<void> {
  const { process, node: running } = node;
  const life = process.lives;
  if (!process.isAlive) return;
  node.isStopping = true;
  // A node that is still starting is simply killed, as an impatient supervisor does.
  if (running !== undefined) await running.stop();
  if (process.lives === life) killLife(node);
}

/** What the checkers must see of a life before it is over. */
export function endLife(node: SimNode): void {
  node.node = undefined;
  if (!node.process.isAlive || !node.config.isBroker) return;
  node.ghost.replicas.ended(node.id);
}

/** S-X2: what a node calls an error needs a human, so a fault must explain it. */
function seeLine(node: SimNode, { level, event, fields }: SeenLine): void {
  const { ghost, process, world } = node;
  ghost.happened(node.id, event);
  if (level !== 'error' || node.isExcused || !process.isAlive) return;
  // Its disk was replaced, and after that nobody else was left who surely has all records.
  if (event === 'partition-offline' && node.disks > 1) return;
  const { reason, error } = fields as { reason?: unknown; error?: unknown };
  const why = reason ?? (error instanceof Error ? error.message : undefined);
  const detail = `${process.name} says ${event}${typeof why === 'string' ? `: ${why}` : ''}`;
  world.fail('S-X2', new ViolatedError({ property: 'S-X2', detail }, error));
}

function seeImage(node: SimNode, image: MetadataImage, delta: MetadataDelta | undefined): void {
  const { ghost, process, world } = node;
  const { uncleanElections } = ghost.metadata;
  const violation = ghost.published(process.name, process.lives, image, delta);
  // At the node that shows it first: mostly the active controller.
  if (ghost.metadata.uncleanElections > uncleanElections) ghost.happened(node.id, 'unclean-election');
  if (violation !== undefined) world.fail(violation.property, new ViolatedError(violation));
}
