// The Disk port of one incarnation over its host's simulated disk.

import type { Disk, DiskFile, OpenMode } from '../../env/disk.ts';
import { parentOf } from '../../env/disk.ts';
import { EnvError } from '../../env/error.ts';
import type { Incarnation } from '../world/incarnation.ts';
import { FileNode } from './file-node.ts';
import type { SimDisk } from './sim-disk.ts';
import { SimFile } from './sim-file.ts';
import { DirectoryNode } from './tree.ts';

/** What a disk without limit says of itself. */
const LARGEST_DISK_BYTES = 2 ** 50;

export function simDiskPort(disk: SimDisk, incarnation: Incarnation): Disk {
  /** An operation on names: the look-up and the change both happen at its end. */
  const named = <T>(path: string, effect: () => T, interrupted?: () => void): Promise<T> =>
    disk.operate(
      incarnation,
      disk.latency(disk.settings.metadataLatencyUs),
      () => {
        disk.throwFailure('directory', path);
        return effect();
      },
      interrupted === undefined ? {} : { interrupted },
    );
  const changed = (path: string, change: () => void): Promise<void> => named(path, change, change);
  const handle = (path: string, node: FileNode, writable: boolean): DiskFile =>
    new SimFile(disk, incarnation, path, node, writable);
  const nodeFor = (path: string, mode: OpenMode): FileNode => {
    if (mode === 'create') return disk.tree.createFile(path);
    if (mode === 'write' && disk.tree.find(path) === undefined) return disk.tree.createFile(path);
    return disk.tree.file(path);
  };

  return {
    open(path, mode) {
      const open = (): FileNode => nodeFor(path, mode);
      const interrupted = mode === 'write' || mode === 'create' ? open : undefined;
      return named(path, () => handle(path, open(), mode !== 'read'), interrupted);
    },
    openNow(path, mode) {
      if (incarnation.isDead) return handle(path, new FileNode(), mode !== 'read');
      disk.throwFailure('directory', path);
      return handle(path, nodeFor(path, mode), mode !== 'read');
    },
    readFile(path) {
      return disk.operate(incarnation, disk.latency(disk.settings.readLatencyUs), () => {
        disk.throwFailure('read', path);
        return disk.contentOf(path);
      });
    },
    list: (path) =>
      named(path, () =>
        [...disk.tree.directory(path).entries]
          .map(([name, node]) => ({ name, isDirectory: node instanceof DirectoryNode }))
          .sort((a, b) => (a.name < b.name ? -1 : 1)),
      ),
    fileSize: (path) =>
      named(path, () => {
        const node = disk.tree.find(path);
        return node instanceof FileNode ? node.cached.size : undefined;
      }),
    exists: (path) => named(path, () => disk.tree.find(path) !== undefined),
    makeDirectory: (path) =>
      changed(path, () => {
        disk.tree.makeDirectory(path);
      }),
    rename: (from, to) =>
      changed(from, () => {
        const replaced = disk.tree.find(to);
        const moved = disk.tree.find(from);
        disk.tree.rename(from, to);
        if (replaced instanceof FileNode && replaced !== moved) disk.freeRoom(replaced.cached.size);
        disk.onOperation('renamed', to);
      }),
    remove(path) {
      const remove = (stepsOf: (count: number) => number): void => {
        const files = [...filesAt(disk, path)];
        const steps = disk.tree.removal(path);
        const taken = stepsOf(steps.length);
        for (const step of steps.slice(0, taken)) step();
        if (taken === steps.length) for (const file of files) disk.freeRoom(file.cached.size);
      };
      return named(
        path,
        () => remove((count) => count),
        () => remove((count) => disk.scheduler.random.below(disk.key, count + 1)),
      );
    },
    syncDirectory(path) {
      const directory = disk.tree.find(path);
      const { mark } = disk.tree;
      return disk.operate(incarnation, disk.latency(disk.settings.syncLatencyUs), () => {
        disk.throwFailure('directory', path);
        if (!(directory instanceof DirectoryNode)) throw new EnvError('NOT_FOUND', `no directory ${path}`);
        disk.tree.sync(directory, mark);
        disk.onOperation('directorySynced', path);
      });
    },
    space: (path) =>
      named(path, () => {
        if (disk.tree.find(path) === undefined) throw new EnvError('NOT_FOUND', `no file or directory ${path}`);
        const totalBytes = Math.min(disk.settings.capacityBytes, LARGEST_DISK_BYTES);
        return { totalBytes, usableBytes: Math.max(0, totalBytes - disk.usedBytes) };
      }),
  };
}

/** The files that `path` names or holds. */
function* filesAt(disk: SimDisk, path: string): Generator<FileNode> {
  const parent = disk.tree.find(parentOf(path));
  const node = parent instanceof DirectoryNode ? disk.tree.find(path) : undefined;
  if (node instanceof FileNode) yield node;
  else if (node !== undefined) yield* disk.tree.files(node);
}
