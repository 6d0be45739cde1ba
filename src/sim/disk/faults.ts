// What can go wrong with one simulated disk, as plain settings that a nemesis changes at any time, and one-shot failures.
import type { EnvErrorCode } from '../../env/error.ts';

/** What a fault hits: `directory` is everything about names, `store` the batches of databases. */
export type DiskFaultKind = 'read' | 'write' | 'sync' | 'directory' | 'store';

/** Uniform latencies in microseconds, both ends inclusive. */
export type LatencyRange = readonly [fromUs: number, toUs: number];

export interface DiskSettings {
  readLatencyUs: LatencyRange;
  syncLatencyUs: LatencyRange;
  /** Open, list, rename and the like. */
  metadataLatencyUs: LatencyRange;
  /** Sum of file sizes; a write that does not fit is short, the next one is NO_SPACE. */
  capacityBytes: number;
  /** Chance, 0 .. 1, that an operation of the kind fails with IO. */
  errorChance: Record<DiskFaultKind, number>;
}

export function defaultDiskSettings(): DiskSettings {
  return {
    readLatencyUs: [20, 120],
    syncLatencyUs: [100, 1000],
    metadataLatencyUs: [20, 120],
    capacityBytes: Number.POSITIVE_INFINITY,
    errorChance: { read: 0, write: 0, sync: 0, directory: 0, store: 0 },
  };
}

export interface PlannedFailure {
  readonly kind: DiskFaultKind;
  /** Only operations whose path contains this. */
  readonly pathPart: string;
  readonly code: EnvErrorCode;
  remaining: number;
}
