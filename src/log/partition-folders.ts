// The partitions' folders in a log directory, open or not.
import type { Uuid } from '../base/uuid.ts';
import type { Disk } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { PartitionKey } from './checkpoints.ts';
import { partitionKey } from './checkpoints.ts';
import { GroupCommit } from './group-commit.ts';
import type { PartitionFolder } from './partition-folder.ts';
import {
  folderName,
  isDeletedFolder,
  parseFolderName,
  readPartitionMetadata,
  writePartitionMetadata,
} from './partition-folder.ts';
import { Slots } from './slots.ts';

/** Folders that are looked into, or made, at the same time. */
const AT_ONCE = 16;

export class PartitionFolders {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #folders = new Map<string, PartitionFolder>();
  readonly #slots = new Slots(AT_ONCE);
  /** One sync of the directory makes all folders durable that were made before it. */
  readonly #sync: GroupCommit;

  private constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#sync = new GroupCommit(() => disk.syncDirectory(path));
  }

  /** Removes what was to be deleted and finds the rest. `topicIdOf` a folder, where it is known, saves a look into it. */
  static async list(
    { disk, logger }: { readonly disk: Disk; readonly logger: Logger },
    path: string,
    topicIdOf: (name: string) => Uuid | undefined,
  ): Promise<PartitionFolders> {
    const folders = new PartitionFolders(disk, path);
    const found = (await disk.list(path)).filter((entry) => entry.isDirectory).map(({ name }) => name);
    for (const name of found.filter(isDeletedFolder)) {
      logger.info('deleted-partition-removed', { directory: `${path}/${name}` });
      await disk.remove(`${path}/${name}`);
    }
    const looks = found.map(async (name): Promise<[string, PartitionFolder] | undefined> => {
      const parsed = parseFolderName(name);
      if (parsed === undefined) return undefined;
      const topicId =
        topicIdOf(name) ?? (await folders.#slots.run(() => readPartitionMetadata(disk, `${path}/${name}`)));
      return [name, { ...parsed, topicId }];
    });
    for (const entry of await Promise.all(looks)) if (entry !== undefined) folders.#folders.set(...entry);
    return folders;
  }

  get(name: string): PartitionFolder | undefined {
    return this.#folders.get(name);
  }

  all(): PartitionFolder[] {
    return [...this.#folders.values()];
  }

  /** Of those whose topic is known. */
  keys(): PartitionKey[] {
    return this.all().flatMap(({ topicId, partition }) =>
      topicId === undefined ? [] : [partitionKey(topicId, partition)],
    );
  }

  /**
   * Makes sure that the folder is this topic's, creating it if there is none. EnvError EXISTS if it is another's. Returns
   * whether it is new; what is made in it is durable with the next sync of the folder.
   */
  async claim(topic: string, topicId: Uuid, partition: number): Promise<boolean> {
    const name = folderName(topic, partition);
    const known = this.#folders.get(name);
    if (known?.topicId === topicId) return false;
    const folder = `${this.#path}/${name}`;
    if (known?.topicId !== undefined) {
      throw new EnvError('EXISTS', `${folder} holds topic id ${known.topicId}, not ${topicId}: move it aside`);
    }
    await this.#slots.run(() => this.#create(folder, topicId, known !== undefined));
    this.#folders.set(name, { topic, partition, topicId });
    return true;
  }

  async #create(folder: string, topicId: Uuid, isThere: boolean): Promise<void> {
    // Else it was left by a creation that was cut short: the names of a new log and its metadata become durable together.
    if (isThere && (await this.#holdsRecords(folder))) {
      throw new EnvError('EXISTS', `${folder} holds a log of an unknown topic id: move it aside`);
    }
    await this.#disk.makeDirectory(folder);
    await writePartitionMetadata(this.#disk, folder, topicId);
    await this.#sync.request();
  }

  async #holdsRecords(folder: string): Promise<boolean> {
    for (const { name } of await this.#disk.list(folder)) {
      if (!name.endsWith('.log')) continue;
      const file = await this.#disk.open(`${folder}/${name}`, 'read');
      try {
        if ((await file.size()) > 0) return true;
      } finally {
        await file.close();
      }
    }
    return false;
  }

  /** Renames it, durably, so that it is none of them any more. */
  async rename(name: string, to: string): Promise<void> {
    this.#folders.delete(name);
    await this.#disk.rename(`${this.#path}/${name}`, to);
    await this.#sync.request();
  }
}
