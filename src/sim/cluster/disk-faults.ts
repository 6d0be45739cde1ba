// Faults of disks that last: full, lost, rotten. They keep to a plan (the atlas) under which nothing that was acknowledged has its
// last good copy damaged (safety.md 8.4): the disks of a minority of the voters, and on brokers, whose partitions have one copy
// each, only files that can be made again from others.
import type { Ms } from '../../base/ids.ts';
import { FileNode } from '../disk/file-node.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import { DirectoryNode } from '../disk/tree.ts';
import type { SimCluster } from './cluster.ts';
import type { SimNode } from './node.ts';
import { DATA_DIRECTORY, endLife, killLife, METADATA_DIRECTORY, startLife } from './node.ts';

const KIB = 1024;
const DERIVED = /\.(index|timeindex|snapshot)$/;

/** The disk has room for so much more, until it is freed. Its node may end, and is started again until it can go on. */
export function fillDisk(node: SimNode, roomKib: number): void {
  const { disk } = node.process;
  disk.settings.capacityBytes = disk.usedBytes + roomKib * KIB;
  node.isExcused = true;
  if (node.config.isBroker) node.ghost.replicas.shaken(node.id);
}

/** Room enough. A node that met the full disk is started again, as the operator was told to do. */
export function freeDisk(node: SimNode): void {
  const { settings } = node.process.disk;
  if (settings.capacityBytes === Number.POSITIVE_INFINITY) return;
  settings.capacityBytes = Number.POSITIVE_INFINITY;
  if (node.isExcused) killLife(node);
  startLife(node);
}

/**
 * The disk of a controller is gone, at once or found damaged at the next start; an empty one takes its place after `durationMs`.
 * Nothing happens if that were the majority of some voter set.
 */
export function loseDisk(node: SimNode, isFoundDamaged: boolean, durationMs: Ms): void {
  if (node.diskState !== 'good' || !node.watch.mayLoseDisk()) return;
  node.watch.diskLost();
  killLife(node);
  const { disk } = node.process;
  // One that was formatted a moment ago has no database yet that could be damaged.
  if (isFoundDamaged && disk.hasStore(METADATA_DIRECTORY)) {
    disk.corruptStore(METADATA_DIRECTORY);
    node.diskState = 'damaged';
    startLife(node);
  } else {
    replaceDisk(node);
  }
  node.world.after(durationMs, () => {
    if (node.diskState === 'damaged') replaceDisk(node);
    startLife(node);
  });
}

/**
 * The disk of a broker is gone; an empty one takes its place after `durationMs`. Nothing happens if no other replica of some partition
 * may lead and has all that is committed.
 */
export function loseBrokerDisk(node: SimNode, durationMs: Ms): void {
  if (node.diskState !== 'good' || !node.ghost.replicas.maySpare(node.id)) return;
  node.watch.diskLost();
  endLife(node);
  replaceDisk(node);
  node.ghost.replicas.crashed(node.id, node.process.disk, 'disk');
  node.ghost.count('broker disk lost');
  node.world.after(durationMs, () => startLife(node));
}

/** An empty disk in place of the one that it has. */
export function replaceDisk(node: SimNode): void {
  killLife(node);
  node.process.disk.wipe();
  node.process.disk.provision(DATA_DIRECTORY);
  node.disks++;
  node.diskState = 'empty';
}

/** Flips a bit in the `pick`th file of those that can be made again; nothing if there is none with anything in it. */
export function rotFile(cluster: SimCluster, node: SimNode, pick: number): void {
  const { disk } = node.process;
  const files = derivedFiles(disk);
  const file = files[pick % Math.max(1, files.length)];
  if (file === undefined) return;
  const { random } = cluster.world;
  file.flip(random.below('rot', file.cached.size), 1 << random.below('rot', 8));
}

function derivedFiles(disk: SimDisk): FileNode[] {
  const files: FileNode[] = [];
  for (const folder of disk.tree.directory(DATA_DIRECTORY).entries.values()) {
    if (!(folder instanceof DirectoryNode)) continue;
    for (const [name, file] of folder.entries) {
      if (file instanceof FileNode && DERIVED.test(name) && file.cached.size > 0) files.push(file);
    }
  }
  return files;
}
