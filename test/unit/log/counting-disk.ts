// The real disk, telling how its files are used.
import type { Disk, DiskFile } from '../../../src/env/disk.ts';
import { createDisk } from '../../../src/node/disk.ts';

export class CountingDisk {
  preads = 0;
  writes = 0;
  syncs = 0;
  running = 0;
  mostRunning = 0;
  readonly disk: Disk;

  constructor() {
    const disk = createDisk();
    this.disk = {
      ...disk,
      open: async (path, mode) => this.#counted(await disk.open(path, mode)),
      openNow: (path, mode) => this.#counted(disk.openNow(path, mode)),
    };
  }

  #counted(file: DiskFile): DiskFile {
    const read = file.read.bind(file);
    const write = file.write.bind(file);
    const sync = file.sync.bind(file);
    file.read = async (...args) => {
      this.preads += 1;
      this.running += 1;
      this.mostRunning = Math.max(this.mostRunning, this.running);
      try {
        return await read(...args);
      } finally {
        this.running -= 1;
      }
    };
    file.write = (...args) => {
      this.writes += 1;
      return write(...args);
    };
    file.sync = (...args) => {
      this.syncs += 1;
      return sync(...args);
    };
    return file;
  }
}
