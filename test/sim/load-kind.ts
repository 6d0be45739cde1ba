// A kind of run by its name.
import { join } from 'node:path';
import { loadClusterKind } from './cluster-kind.ts';
import type { KindName, SimKind } from './kind.ts';
import { loadRaftKind } from './raft-kind.ts';

/** Our own source. */
export const SOURCE = join(import.meta.dirname, '../../src');

/** `source`: a folder like src/. */
export function loadKind(name: KindName, source = SOURCE): Promise<SimKind> {
  return name === 'raft' ? loadRaftKind(source) : loadClusterKind(source);
}
