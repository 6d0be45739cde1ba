// What acknowledged (acks=all) records of one partition survive as things are now (M-8, D-12). A record may be on `copies` replicas alone,
// whichever those are: the ISR may have shrunk to them before it was acknowledged. So the number in the ISR now promises nothing,
// min.insync.replicas does.
import type { NodeId } from '../base/ids.ts';
import type { Survival } from '../gen/kvorum/v1/admin.ts';

export interface ReplicaFacts {
  readonly brokerId: NodeId;
  /** Empty: not known. */
  readonly rack: string;
  /** In the ISR or the ELR. */
  readonly holdsAll: boolean;
  /** C-5.1. What a broker that is down has kept is seen when it is back. */
  readonly isActive: boolean;
  /** Whether it has the records on its disk before they are acknowledged. */
  readonly isSynced: boolean;
  /** Whether a power cut takes nothing of it, and its broker can vouch for that when it is back (C-2.4). */
  readonly isPowerSafe: boolean;
}

export interface PartitionFacts {
  readonly replicas: readonly ReplicaFacts[];
  readonly isLed: boolean;
  /** In force (C-10.1), at least 1. */
  readonly minIsr: number;
  /** Whether a replica may lead that lacks acknowledged records, where no other lives (C-5.7). */
  readonly allowsUnclean: boolean;
}

/** `powers` is as large as `replicas` with `allPowers`. */
export type SurvivalNumbers = Omit<Survival, 'sentence'>;

/** Without a leader nothing is sure: how the replicas are that are down is not known. */
export function partitionSurvival({ replicas, isLed, minIsr, allowsUnclean }: PartitionFacts): SurvivalNumbers {
  const known = replicas.filter(({ holdsAll, isActive }) => holdsAll && isActive).length;
  const copies = isLed ? Math.min(known, minIsr) : 0;
  const others = replicas.length - copies;
  // Where all are gone for a while, an unclean election takes the first that is back: it has the record only if all have it.
  const survivesAll = copies > 0 && (!allowsUnclean || others === 0);
  const unsafe = replicas.filter(({ isPowerSafe }) => !isPowerSafe).length;
  const allPowers = survivesAll && unsafe < copies;
  const disks = Math.max(0, copies - 1);
  return {
    allProcesses: survivesAll,
    powers: allPowers ? replicas.length : disks,
    allPowers,
    disks,
    anyRack: disks > 0 && spansRacks(replicas, copies),
    replicas: replicas.length,
  };
}

/** Whether any `copies` of the replicas are in two racks at least. */
function spansRacks(replicas: readonly ReplicaFacts[], copies: number): boolean {
  const counts = new Map<string, number>();
  for (const { rack } of replicas) {
    if (rack === '') return false;
    counts.set(rack, (counts.get(rack) ?? 0) + 1);
  }
  return Math.max(...counts.values()) < copies;
}
