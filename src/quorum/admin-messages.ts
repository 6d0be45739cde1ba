// What AdminService says of the quorum and its log, from the core's values.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type {
  ControlRecord,
  DescribeQuorumResponse,
  MetadataBatch,
  QuorumReplica,
  QuorumVoter,
} from '../gen/kvorum/v1/admin.ts';
import { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import { decodeControlRecord } from '../raft/control-record.ts';
import type { Batch, QuorumDescription, ReplicaKey, ReplicaProgress } from '../raft/types.ts';

/** `now`: of the node's monotonic clock. `noLeaderReason`: why the leader does not describe the quorum itself. */
export function describeQuorumResponse(
  description: QuorumDescription,
  facts: { readonly nodeId: NodeId; readonly now: Ms; readonly noLeaderReason?: string },
): DescribeQuorumResponse {
  const { latestSnapshot } = description;
  const replicas = (list: readonly ReplicaProgress[]): QuorumReplica[] =>
    list.map((progress) => replicaMessage(description, progress, facts.now)).sort((a, b) => a.nodeId - b.nodeId);
  return {
    leaderId: description.leaderId,
    leaderEpoch: description.epoch,
    highWatermark: description.highWatermark,
    voters: replicas(description.voters),
    observers: replicas(description.observers),
    answeredBy: facts.nodeId,
    fromLeader: facts.noLeaderReason === undefined,
    noLeaderReason: facts.noLeaderReason ?? '',
    logStartOffset: description.logStartOffset,
    logEndOffset: description.logEndOffset,
    latestSnapshotEndOffset: latestSnapshot?.endOffset ?? -1,
    latestSnapshotEpoch: latestSnapshot?.epoch ?? -1,
  };
}

function replicaMessage(description: QuorumDescription, progress: ReplicaProgress, now: Ms): QuorumReplica {
  const { replica, endpoint, logEndOffset, lastFetchMs, lastCaughtUpMs } = progress;
  const leads = description.role === 'leader';
  const isLeader = leads && replica.id === description.leaderId;
  const age = (at: Ms): number => (isLeader ? 0 : at < 0 ? -1 : Math.max(0, Math.round(now - at)));
  return {
    nodeId: replica.id,
    directoryId: directoryOf(replica),
    logEndOffset,
    lastFetchAgeMs: age(lastFetchMs),
    lastCaughtUpAgeMs: age(lastCaughtUpMs),
    endpoint,
    lag: leads && logEndOffset >= 0 ? Math.max(0, description.logEndOffset - logEndOffset) : -1,
  };
}

function directoryOf({ directoryId }: ReplicaKey): string {
  return directoryId === ZERO_UUID ? '' : directoryId;
}

export function voterMessage(voter: ReplicaKey & { readonly endpoint?: string }): QuorumVoter {
  return { nodeId: voter.id, directoryId: directoryOf(voter), endpoint: voter.endpoint ?? '' };
}

/** The batch without its records below `from`. */
export function batchMessage(batch: Batch, from: Offset): MetadataBatch {
  const skipped = Math.max(0, from - batch.baseOffset);
  const records = batch.records.slice(skipped);
  return {
    baseOffset: batch.baseOffset + skipped,
    epoch: batch.epoch,
    records: batch.control ? [] : recordMessages(records),
    controlRecords: batch.control ? records.map(controlMessage) : [],
  };
}

export function recordMessages(records: readonly Uint8Array[]): MetadataRecord[] {
  return records.map((bytes) => MetadataRecord.decode(bytes));
}

/** A record of a control batch. */
function controlMessage(bytes: Uint8Array): ControlRecord {
  const record = decodeControlRecord(bytes);
  switch (record?.type) {
    case undefined:
      return { kind: { $case: 'unknown', unknown: Buffer.from(bytes) } };
    case 'voters':
      return { kind: { $case: 'voters', voters: { voters: record.voters.map(voterMessage) } } };
    case 'leaderChange': {
      const { leader, voters, grantingVoters } = record;
      const leaderChange = {
        leader: voterMessage(leader),
        voters: voters.map(voterMessage),
        grantingVoters: grantingVoters.map(voterMessage),
      };
      return { kind: { $case: 'leaderChange', leaderChange } };
    }
    case 'recovery': {
      const { replica, previousVoters, committedEndOffset, timestampMs } = record;
      const recovery = {
        replica: voterMessage(replica),
        previousVoters: previousVoters.map(voterMessage),
        committedEndOffset,
        timestampMs,
      };
      return { kind: { $case: 'recovery', recovery } };
    }
  }
}
