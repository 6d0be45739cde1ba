// What this broker is for a partition, and the only ways to become something else (D-0.1, D-0.2). A role is made anew with each leader
// epoch, so nothing of an old epoch can linger in it.
import { assert } from '../base/assert.ts';
import type { Epoch, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { PartitionState } from '../metadata/image.ts';
import type { Leadership } from './leadership.ts';

/** A replica that fetches from its leader. */
export interface FollowerHandle {
  /**
   * Fetches no more from now on; resolves when a flush or truncation under way has ended, so that another role may begin (D-0.3,
   * KAFKA-13266). May be called again. Never rejects.
   */
  stop(): Promise<void>;
}

/** Follows the leader that the state names, in its epoch. */
export interface FollowerRole {
  readonly kind: 'follower';
  readonly state: PartitionState;
  readonly following: FollowerHandle;
}

/** Holds a replica that nobody leads, or that is between two roles. */
export interface StandbyRole {
  readonly kind: 'standby';
  readonly state: PartitionState;
}

export type Role = Leadership | FollowerRole | StandbyRole;

export type RoleChange =
  /** The committed state is not newer than what this replica acts on: nothing to do (D-0.1). */
  | { readonly kind: 'stale' }
  /** The very change that this leader made, and heard of earlier: it may learn what it did not hear, and no more (D-0.1). */
  | { readonly kind: 'known' }
  /** Newer, but the same leader in the same epoch: the role goes on with the new state. */
  | { readonly kind: 'update' }
  /** A new epoch begins with this broker as leader, with another as leader, or with none. */
  | { readonly kind: 'lead' | 'follow' | 'stand-by' };

/** Decides what a committed partition state means for this broker. `current` is undefined right after the log was opened. */
export function decideRole(
  current: Pick<Role, 'kind' | 'state'> | undefined,
  state: PartitionState,
  brokerId: NodeId,
): RoleChange {
  if (current !== undefined) {
    const known = current.state;
    // D-0.1
    if (state.partitionEpoch < known.partitionEpoch) return { kind: 'stale' };
    if (state.partitionEpoch === known.partitionEpoch) {
      return { kind: current.kind === 'leader' && state.leaderEpoch === known.leaderEpoch ? 'known' : 'stale' };
    }
    assert(state.leaderEpoch >= known.leaderEpoch, 'a leader epoch never goes down (D-0.2)');
    if (state.leaderEpoch === known.leaderEpoch) {
      assert(state.leader === known.leader, 'a leader epoch has one leader');
      return { kind: 'update' };
    }
  }
  if (state.leader === brokerId) return { kind: 'lead' };
  return { kind: state.leader === NO_NODE ? 'stand-by' : 'follow' };
}

/** D-2.2 (1), behaviour 34: how an epoch that a client names compares with ours; -1 is not checked. */
export function checkLeaderEpoch(
  asked: Epoch,
  current: Epoch,
): 'FENCED_LEADER_EPOCH' | 'UNKNOWN_LEADER_EPOCH' | undefined {
  if (asked < 0 || asked === current) return undefined;
  return asked < current ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH';
}
