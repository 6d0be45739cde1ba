// The Random port: draws are keyed by who draws, so that the simulator can replay and shrink (safety.md 8.5).
import type { Uuid } from '../base/uuid.ts';
import { uuidFromBytes, ZERO_UUID } from '../base/uuid.ts';

export interface Random {
  /** Uniform 0 .. 2^32-1. `key` names the consumer, e.g. `raft.election`. */
  uint32(key: string): number;
  /** Uniform integer in [0, bound). */
  below(key: string, bound: number): number;
  /** `count` unpredictable bytes. */
  bytes(key: string, count: number): Buffer;
}

/** A new id in Kafka's text form; never the zero id, and never one that a command line would read as an option. */
export function randomUuid(random: Random, key: string): Uuid {
  for (;;) {
    const uuid = uuidFromBytes(random.bytes(key, 16));
    if (uuid !== ZERO_UUID && !uuid.startsWith('-')) return uuid;
  }
}
