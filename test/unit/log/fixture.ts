// What the log's unit tests share: a temp folder on the real disk, a quiet logger, and batches.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { NO_OVERRIDES } from '../../../src/config/in-force.ts';
import type { NodeValues } from '../../../src/config/node-keys.ts';
import { NODE_KEYS } from '../../../src/config/node-keys.ts';
import { topicDefaults } from '../../../src/config/topic-config.ts';
import type { Logger } from '../../../src/env/logger.ts';
import { createLogShared } from '../../../src/log/log-shared.ts';
import type { LogConfig, LogDeps } from '../../../src/log/log-state.ts';
import { createClock } from '../../../src/node/clock.ts';
import { createDisk } from '../../../src/node/disk.ts';
import type { BatchOptions } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';

const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kvorum-log-'));
  folders.push(folder);
  return folder;
}

export function quietLogger(events: string[] = []): Logger {
  const note = (event: string) => void events.push(event);
  const logger: Logger = { debug: () => {}, info: note, warn: note, error: note, child: () => logger };
  return logger;
}

export function deps(events: string[] = []): LogDeps {
  return {
    disk: createDisk(),
    clock: createClock(),
    logger: quietLogger(events),
    shared: createLogShared(NODE_VALUES),
  };
}

/** Every node key's default. */
export const NODE_VALUES = Object.fromEntries(
  Object.entries(NODE_KEYS).map(([name, key]) => [name, key.default]),
) as unknown as NodeValues;

/** A topic's defaults, but for small segments. */
export const CONFIG: LogConfig = {
  ...topicDefaults({ broker: NO_OVERRIDES, cluster: NO_OVERRIDES }, NODE_VALUES),
  segmentBytes: 1 << 20,
};

export interface BatchSpec extends BatchOptions {
  readonly count?: number;
  readonly bytes?: number;
  readonly timestamp?: number;
  /** Per record instead of `timestamp`. */
  readonly timestamps?: readonly number[];
}

/** A batch of `count` records of `bytes` non-zero bytes each. */
export function batch(spec: BatchSpec = {}): Buffer {
  const { count = spec.timestamps?.length ?? 1, bytes = 10, timestamp = 1000, timestamps, ...options } = spec;
  const records = Array.from({ length: count }, (_, i) => ({
    timestamp: timestamps?.[i] ?? timestamp,
    key: null,
    value: Buffer.alloc(bytes, 0x61),
    headers: [],
  }));
  return buildBatch(records, options);
}
