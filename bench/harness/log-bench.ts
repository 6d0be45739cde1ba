// A partition log without a broker around it: the build's own, on the real disk, with a topic's defaults but for what is given.

import { NO_OVERRIDES } from '../../src/config/in-force.ts';
import type { NodeValues } from '../../src/config/node-keys.ts';
import { NODE_KEYS } from '../../src/config/node-keys.ts';
import { topicDefaults } from '../../src/config/topic-config.ts';
import type { Disk, DiskFile } from '../../src/env/disk.ts';
import type { Logger } from '../../src/env/logger.ts';
import type { LogRecovery } from '../../src/log/load.ts';
import type { LogShared } from '../../src/log/log-shared.ts';
import type { LogConfig } from '../../src/log/log-state.ts';
import type { PartitionLog } from '../../src/log/partition-log.ts';
import type { Build } from './options.ts';

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => SILENT };

/** Every node key's default. */
const VALUES = Object.fromEntries(Object.entries(NODE_KEYS).map(([name, key]) => [name, key.default]));

/** What the logs of one broker share, per build: a broker's memory is not fresh when it appends. */
const sharedBy = new Map<Build, LogShared>();

/** How often files were read from, through the disk that {@link openLog} gives a log. */
export interface ReadCount {
  preads: number;
}

export async function openLog(
  build: Build,
  folder: string,
  config: Partial<LogConfig>,
  count: ReadCount = { preads: 0 },
  recovery: LogRecovery = { cleanShutdown: true, recoveryPoint: 0 },
): Promise<PartitionLog> {
  const from = <T>(path: string): Promise<T> => import(`${build.dist}/${path}`) as Promise<T>;
  const { createDisk } = await from<typeof import('../../src/node/disk.ts')>('node/disk.js');
  const { createClock } = await from<typeof import('../../src/node/clock.ts')>('node/clock.js');
  const { createLogShared } = await from<typeof import('../../src/log/log-shared.ts')>('log/log-shared.js');
  const log = await from<typeof import('../../src/log/partition-log.ts')>('log/partition-log.js');
  const values = VALUES as unknown as NodeValues;
  const shared = sharedBy.get(build) ?? createLogShared(values);
  sharedBy.set(build, shared);
  const deps = {
    disk: countReads(createDisk(), count),
    clock: createClock(),
    logger: SILENT,
    shared,
  };
  const inForce = { ...topicDefaults({ broker: NO_OVERRIDES, cluster: NO_OVERRIDES }, values), ...config };
  return log.PartitionLog.open(deps, folder, inForce, recovery);
}

function countReads(disk: Disk, count: ReadCount): Disk {
  function counted(file: DiskFile): DiskFile {
    const read = file.read.bind(file);
    file.read = (...args) => {
      count.preads += 1;
      return read(...args);
    };
    return file;
  }
  return {
    ...disk,
    open: async (path, mode) => counted(await disk.open(path, mode)),
    openNow: (path, mode) => counted(disk.openNow(path, mode)),
  };
}
