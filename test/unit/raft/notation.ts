// How the tests write replicas, voter sets and logs: short, and the same everywhere.
import { encodeControlRecord } from '../../../src/raft/control-record.ts';
import { batchEndOffset, votersOf } from '../../../src/raft/log.ts';
import type { Batch, QuorumState, ReplicaKey, Voter } from '../../../src/raft/types.ts';

export const CLUSTER = 'c2ltdWxhdGVkLWNsdXN0ZQ';

/** Node `id` on its `generation`th disk. */
export function keyOf(id: number, generation = 1): ReplicaKey {
  const bytes = Buffer.alloc(16, id);
  bytes[15] = generation;
  return { id, directoryId: bytes.toString('base64url') };
}

/** Where node `id` listens. */
export function endpointOf(id: number): string {
  return `host${id}:9093`;
}

/** A replica as the voter sets of the lab name it. */
export function voterOf(key: ReplicaKey): Voter {
  return { ...key, endpoint: endpointOf(key.id) };
}

/**
 * A log in short: `1*` is the LeaderChange batch of epoch 1 (the first one also pins `voters`), `1:a` a batch of epoch 1
 * with the record `a`, `1:a,b` with two, `1^1,2` a control batch of epoch 1 that makes nodes 1 and 2 on their first disks the
 * voters.
 */
export function logOf(voters: readonly ReplicaKey[], text: string): Batch[] {
  const batches: Batch[] = [];
  let baseOffset = 0;
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const epoch = Number.parseInt(word, 10);
    const kind = word[String(epoch).length];
    const rest = word.slice(String(epoch).length + 1).split(',');
    const records: Uint8Array[] = [];
    if (kind === ':') records.push(...rest.map((record) => Buffer.from(record)));
    else if (kind === '^') records.push(votersRecord(voterSet(...rest.map(Number))));
    else records.push(leaderChange(voters));
    if (kind === '*' && baseOffset === 0) records.push(votersRecord(voters.map(voterOf)));
    const batch = { baseOffset, epoch, control: kind !== ':', records };
    batches.push(batch);
    baseOffset = batchEndOffset(batch);
  }
  return batches;
}

export function votersRecord(voters: readonly Voter[]): Uint8Array {
  return encodeControlRecord({ type: 'voters', voters });
}

function leaderChange(voters: readonly ReplicaKey[]): Uint8Array {
  return encodeControlRecord({ type: 'leaderChange', leader: voters[0] ?? keyOf(1), voters, grantingVoters: [] });
}

/** The inverse of {@link logOf}. */
export function show(batches: readonly Batch[]): string {
  return batches.map(showBatch).join(' ');
}

function showBatch(batch: Batch): string {
  const { epoch, control, records } = batch;
  if (!control) return `${epoch}:${records.map((record) => Buffer.from(record).toString()).join(',')}`;
  return records.length === 1 && votersOf(batch) !== undefined
    ? `${epoch}^${votersOf(batch)?.map(({ id }) => id)}`
    : `${epoch}*`;
}

/** The voter set of these nodes on their first disks. */
export function voterSet(...ids: number[]): Voter[] {
  return ids.map((id) => voterOf(keyOf(id)));
}

export function quorumState(leaderEpoch: number, leaderId = -1, votedKey?: ReplicaKey): QuorumState {
  return { leaderEpoch, leaderId, votedKey };
}

/** Voters on their first disks. */
export function keys(...ids: number[]): ReplicaKey[] {
  return ids.map((id) => keyOf(id));
}
