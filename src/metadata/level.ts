// Which metadata level a record needs: below it, a node may be there that would not understand it, or lose what it says.
import type { MetadataRecord, PartitionChangeRecord, PartitionRecord } from '../gen/kvorum/v1/metadata.ts';

/** From this level on there are ELRs, unclean elections, reassignments, named commands, and log dirs that go offline. */
export const ELR_LEVEL = 2;

/** From this level on there is the loss ledger (S-D8). */
export const LEDGER_LEVEL = 3;

/** The least metadata level at which the record may be written. */
export function levelOf({ kind }: MetadataRecord): number {
  switch (kind?.$case) {
    case 'uncleanElection':
    case 'command':
    case 'unregisterBroker':
      return ELR_LEVEL;
    case 'replicaLoss':
    case 'partitionLoss':
      return LEDGER_LEVEL;
    case 'brokerChange':
      return kind.brokerChange.logDirs === undefined ? 1 : ELR_LEVEL;
    case 'partition':
      return levelOfPartition(kind.partition);
    case 'partitionChange':
      return levelOfChange(kind.partitionChange);
    default:
      return 1;
  }
}

function levelOfPartition({ isr, elr, lastKnownLeader, recovering, adding, removing }: PartitionRecord): number {
  const isPlain = isr.length > 0 && elr.length + adding.length + removing.length === 0;
  return isPlain && lastKnownLeader === undefined && !recovering ? 1 : ELR_LEVEL;
}

/** Asked of every record that is written: without lists of its own. */
function levelOfChange(change: PartitionChangeRecord): number {
  const { isr, replicas, adding, removing, elr, lastKnownLeader, recovering, directories } = change;
  const hasLists = (replicas ?? adding ?? removing ?? elr ?? directories) !== undefined;
  const isPlain = !hasLists && lastKnownLeader === undefined && recovering === undefined;
  return isPlain && isr?.replicas.length !== 0 ? 1 : ELR_LEVEL;
}
