// What a broker has on its disk, read without any of our code: the fixed fields of the first record batch of a partition
// (Kafka's record batch, version 2) and the bytes of its segments.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

export interface StoredPartition {
  readonly partition: number;
  readonly bytes: number;
  /** Of the first batch. */
  readonly codec: string;
  /** Of the first batch; -1 without idempotence. */
  readonly producerId: bigint;
}

/** Every replica of every partition of the topic in the folders `<dataDir>/node-*`, by number. */
export function storedPartitions(dataDir: string, topic: string): StoredPartition[] {
  const nodes = readdirSync(dataDir).filter((name) => name.startsWith('node-'));
  const folders = nodes.flatMap((node) =>
    readdirSync(join(dataDir, node))
      .filter((name) => name.replace(/-\d+$/, '') === topic)
      .map((name) => join(dataDir, node, name)),
  );
  return folders.map(storedPartition).sort((a, b) => a.partition - b.partition);
}

function storedPartition(folder: string): StoredPartition {
  const segments = readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .sort();
  const first = readFileSync(join(folder, segments[0] ?? ''));
  return {
    partition: Number(/-(\d+)$/.exec(folder)?.[1]),
    bytes: segments.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0),
    codec: CODECS[first.readInt16BE(21) & 7] ?? 'unknown',
    producerId: first.readBigInt64BE(43),
  };
}
