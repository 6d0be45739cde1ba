// Hashes of the simulator: FNV-1a over words for the event hash (S-X1), over bytes for batch contents.
import type { Batch } from '../../raft/types.ts';

export const FNV_START = 0x811c9dc5;

/** Folds the low 32 bits and the next 21 of a non-negative integer into the hash. */
export function foldNumber(hash: number, value: number): number {
  const low = Math.imul(hash ^ (value | 0), 0x01000193);
  const folded = low ^ (low >>> 15);
  return value > 0x7fffffff ? Math.imul(folded ^ Math.floor(value / 0x1_0000_0000), 0x01000193) >>> 0 : folded >>> 0;
}

export function foldText(hash: number, text: string): number {
  let folded = hash;
  for (let i = 0; i < text.length; i++) folded = Math.imul(folded ^ text.charCodeAt(i), 0x01000193);
  return folded >>> 0;
}

/** Everything a batch says: base offset, epoch, kind and the bytes of its records with their boundaries. */
export function batchHash(batch: Batch): number {
  let hash = foldNumber(FNV_START, batch.baseOffset);
  hash = foldNumber(hash, batch.epoch);
  hash = foldNumber(hash, batch.control ? 1 : 0);
  return recordsHash(hash, batch.records);
}

export function recordsHash(start: number, records: readonly Uint8Array[]): number {
  let hash = start;
  for (const record of records) {
    hash = foldNumber(hash, record.length);
    for (let i = 0; i < record.length; i++) hash = Math.imul(hash ^ (record[i] as number), 0x01000193);
  }
  return hash >>> 0;
}
