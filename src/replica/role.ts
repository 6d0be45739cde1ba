// What this broker is for a partition, and the only ways to become something else (D-0.1, D-0.2). A role is a value; a change of
// epoch makes a new one, so nothing of an old epoch can linger in it.
import { assert } from '../base/assert.ts';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { PartitionState } from '../metadata/image.ts';

/** Leads: appends and serves. */
export interface LeaderRole {
  readonly kind: 'leader';
  readonly state: PartitionState;
  /** LESO: where the log ended when this epoch began (D-0.3). */
  readonly epochStartOffset: Offset;
}

/** Holds a replica that nobody leads, or that another broker leads. */
export interface StandbyRole {
  readonly kind: 'standby';
  readonly state: PartitionState;
}

export type Role = LeaderRole | StandbyRole;

export type RoleChange =
  /** The committed state is not newer than what this replica acts on: nothing to do (D-0.1). */
  | { readonly kind: 'stale' }
  /** Newer, but the same leader in the same epoch: the role goes on with the new state. */
  | { readonly kind: 'update'; readonly role: Role }
  /** A new epoch begins with this broker as leader. */
  | { readonly kind: 'lead'; readonly state: PartitionState }
  /** A new epoch begins, or this broker is not the leader any more. */
  | { readonly kind: 'stand-by'; readonly state: PartitionState };

/** Decides what a committed partition state means for this broker. `current` is undefined right after the log was opened. */
export function decideRole(current: Role | undefined, state: PartitionState, brokerId: NodeId): RoleChange {
  if (current !== undefined) {
    const known = current.state;
    if (state.partitionEpoch <= known.partitionEpoch) return { kind: 'stale' }; // D-0.1
    assert(state.leaderEpoch >= known.leaderEpoch, 'a leader epoch never goes down (D-0.2)');
    if (state.leaderEpoch === known.leaderEpoch) {
      assert(state.leader === known.leader, 'a leader epoch has one leader');
      return { kind: 'update', role: { ...current, state } };
    }
  }
  return { kind: state.leader === brokerId ? 'lead' : 'stand-by', state };
}

/** D-2.2 (1), behaviour 34: how an epoch that a client names compares with ours; -1 is not checked. */
export function checkLeaderEpoch(
  asked: Epoch,
  current: Epoch,
): 'FENCED_LEADER_EPOCH' | 'UNKNOWN_LEADER_EPOCH' | undefined {
  if (asked < 0 || asked === current) return undefined;
  return asked < current ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH';
}
