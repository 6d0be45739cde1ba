// The summaries that the last clean stop left, until each one's log is opened.
import type { Uuid } from '../base/uuid.ts';
import type { PartitionKey } from './checkpoints.ts';
import { parsePartitionKey } from './checkpoints.ts';
import type { LogSummary } from './log-summary.ts';
import { carriedOver, decodeLogSummary } from './log-summary.ts';
import { folderName } from './partition-folder.ts';

interface Known {
  readonly key: PartitionKey;
  readonly topicId: Uuid;
  readonly summary: LogSummary;
  readonly bytes: Buffer;
}

export class LogSummaries {
  readonly #byFolder = new Map<string, Known>();

  /** Of what is stored, those of the incarnation that wrote the marker; none without one. */
  constructor(stored: Iterable<readonly [PartitionKey, Buffer]>, bootCounter: number | undefined) {
    if (bootCounter === undefined) return;
    for (const [key, bytes] of stored) {
      const summary = decodeLogSummary(bytes, bootCounter);
      if (summary === undefined) continue;
      const { topicId, partition } = parsePartitionKey(key);
      this.#byFolder.set(folderName(summary.topic, partition), { key, topicId, summary, bytes });
    }
  }

  /** Undefined if there is no summary of the log in that folder. */
  topicIdOf(folder: string): Uuid | undefined {
    return this.#byFolder.get(folder)?.topicId;
  }

  /** Once: what becomes of the log from then on, it does not say. */
  take(folder: string): LogSummary | undefined {
    const known = this.#byFolder.get(folder);
    this.#byFolder.delete(folder);
    return known?.summary;
  }

  /** Those of logs that were never opened, for the next start. */
  carriedOver(bootCounter: number): [PartitionKey, Buffer][] {
    return [...this.#byFolder.values()].map(({ key, bytes }) => [key, carriedOver(bytes, bootCounter)]);
  }
}
