// The metadata quorum as its nodes show it: S-R1 and S-R3 from the roles they take, S-R4 and S-R6 from their logs.
import type { Epoch, Offset } from '../base/ids.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export interface RoleSeen {
  /** The replica: a node and its disk. */
  readonly replica: string;
  /** 1 for the first life of its process. */
  readonly life: number;
  readonly role: string;
  readonly epoch: Epoch;
}

export class RoleHistory {
  readonly #leaders = new Map<Epoch, string>();
  readonly #last = new Map<string, RoleSeen>();
  /** The highest epoch that the replica must remember over a crash. */
  readonly #remembered = new Map<string, Epoch>();

  /** Takes in a change of role, in order of time. */
  see(seen: RoleSeen): Violation | undefined {
    const { replica, life, role, epoch } = seen;
    const who = `${replica}#${life}`;
    const last = this.#last.get(replica);
    if (last?.life === life && epoch < last.epoch) {
      return violation('S-R3', `${who} went from epoch ${last.epoch} to ${epoch}`);
    }
    const remembered = this.#remembered.get(replica) ?? 0;
    if (epoch < remembered) return violation('S-R3', `${who} is in epoch ${epoch} and once led ${remembered}`);
    if (role === 'leader' && (last?.role !== 'leader' || last.epoch !== epoch || last.life !== life)) {
      const first = this.#leaders.get(epoch);
      if (first !== undefined) return violation('S-R1', `${first} and ${who} both led epoch ${epoch}`);
      this.#leaders.set(epoch, who);
      this.#remembered.set(replica, epoch);
    }
    this.#last.set(replica, seen);
    return undefined;
  }

  /** How many epochs had a leader. */
  get elections(): number {
    return this.#leaders.size;
  }
}

export interface MetadataBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  /** Of everything the batch says. */
  readonly digest: string;
}

/** The metadata log of one node at the end. */
export interface MetadataLog {
  readonly node: string;
  readonly batches: readonly MetadataBatch[];
  /** What the node has applied: committed. */
  readonly committedEndOffset: Offset;
}

/** S-R6: committed parts are prefixes of each other. S-R4: where two logs have the same batch end, they agree up to there. */
export function checkMetadataLogs(logs: readonly MetadataLog[]): Violation | undefined {
  return firstViolation(logs, (a) => firstViolation(logs, (b) => (a === b ? undefined : compareLogs(a, b))));
}

function compareLogs(a: MetadataLog, b: MetadataLog): Violation | undefined {
  const others = new Map(b.batches.map((batch) => [batch.baseOffset, batch]));
  const committed = Math.min(a.committedEndOffset, b.committedEndOffset);
  let matching: MetadataBatch | undefined;
  for (const batch of a.batches) {
    const other = others.get(batch.baseOffset);
    if (other?.endOffset === batch.endOffset && other.epoch === batch.epoch) matching = batch;
  }
  for (const batch of a.batches) {
    const other = others.get(batch.baseOffset);
    if (other?.digest === batch.digest && other.epoch === batch.epoch) continue;
    const at = `offset ${batch.baseOffset} of the metadata logs of ${a.node} and ${b.node}`;
    if (batch.baseOffset < committed) return violation('S-R6', `${at}: committed on both, and different`);
    if (batch.baseOffset <= (matching?.baseOffset ?? -1)) {
      return violation('S-R4', `${at}: different, and both logs have a batch of epoch ${matching?.epoch} after it`);
    }
  }
  return undefined;
}
