// Names of the files in a partition's folder: Kafka's, 20 digits of the base offset and the kind.
import type { Offset } from '../base/ids.ts';

export type LogFileKind = 'log' | 'index' | 'timeindex' | 'snapshot';

export interface LogFileName {
  readonly offset: Offset;
  readonly kind: LogFileKind;
}

/** `<directory>/<20 digits>`, without the kind. */
export function filePrefix(directory: string, offset: Offset): string {
  return `${directory}/${String(offset).padStart(20, '0')}`;
}

export function snapshotPath(directory: string, offset: Offset): string {
  return `${filePrefix(directory, offset)}.snapshot`;
}

/** Undefined if the name is none of a log's numbered files. */
export function parseLogFileName(name: string): LogFileName | undefined {
  const match = /^(\d{20})\.(log|index|timeindex|snapshot)$/.exec(name);
  if (match === null) return undefined;
  const offset = Number(match[1]);
  return Number.isSafeInteger(offset) ? { offset, kind: match[2] as LogFileKind } : undefined;
}
