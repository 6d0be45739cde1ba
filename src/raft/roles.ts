// The roles of a replica, what each remembers, and the only place that says which may follow which (R-2, from the header of
// Kafka's QuorumState). Epoch, leader and vote are common to all and live in RaftState.
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { CallId, FetchRequest, OpId, ReplicaKey, RoleName, SnapshotId } from './types.ts';

/** Waits for a leader or for its election timeout; looks for the leader meanwhile. */
export interface Unattached {
  readonly name: 'unattached';
}

/** Asks whether it would be elected; promises nothing (KIP-996). */
export interface Prospective {
  readonly name: 'prospective';
  readonly tally: Tally;
  /** It has granted a pre-vote to another that asks too and goes first: it stands only if that does not, soon. */
  yields: boolean;
}

/** Asks for votes in an epoch it has raised and voted for itself in. */
export interface Candidate {
  readonly name: 'candidate';
  readonly tally: Tally;
  /** Set once it has won: the write of its leadership, which becomes effective when durable. */
  electedOp: OpId | undefined;
}

export interface Leader {
  readonly name: 'leader';
  /** LEO when it was elected: where its LeaderChange batch lies. */
  readonly epochStartOffset: Offset;
  /** Whether the state machine may propose. */
  claimed: boolean;
  /** The voters in force; usually itself among them. */
  voters: readonly Progress[];
  /** Everybody else who fetches; by node id, the latest directory only. */
  readonly observers: Map<NodeId, Progress>;
  readonly parked: ParkedFetch[];
  /** Distinct other voters that have fetched records or a snapshot since the check-quorum timer was set. */
  fetchedVoters: number;
  /** How many of them make a majority. */
  othersNeeded: number;
  /** For the commit arithmetic: no allocation for each fetch. */
  readonly endOffsets: Offset[];
}

/** Led this epoch, and neither leads nor votes in it again. */
export interface Resigned {
  readonly name: 'resigned';
}

export interface Follower {
  readonly name: 'follower';
  /** A fetch from this leader has succeeded: no pre-vote for others. */
  hasFetched: boolean;
  /** The Fetch or FetchSnapshot under way. */
  fetchCall: CallId | undefined;
  /** the snapshot that it takes instead of fetching records. */
  download: Download | undefined;
  /** Observers: the next fetch asks another voter who leads. */
  askElsewhere: boolean;
  /** A call to the leader was refused since the last successful fetch: its process is not there. */
  leaderGone: boolean;
  /** It has asked for pre-votes against this leader, in vain, since it last heard it. */
  gaveUp: boolean;
  /** The leader has said that it resigns. */
  leaderResigned: boolean;
}

/** A snapshot on its way here; a change of role forgets it. */
export interface Download {
  readonly id: SnapshotId;
  /** Every byte before is here. */
  position: number;
  /** Of the whole file; undefined until the first piece has told. */
  sizeBytes: number | undefined;
}

export type Role = Unattached | Prospective | Candidate | Leader | Resigned | Follower;

/** One voter's answer in a round of votes. `failed`: asked in vain, to be asked again. */
export interface Ballot {
  readonly id: NodeId;
  /** ZERO_UUID in a first election until the voter has answered (R-0.3a). */
  directoryId: Uuid;
  state: 'unasked' | 'asked' | 'failed' | 'granted' | 'rejected';
}

export interface Tally {
  /** A cluster's first election: every configured voter, all with empty logs (R-0.3a). */
  readonly bootstrap: boolean;
  readonly ballots: readonly Ballot[];
}

/** What a leader knows of a replica. */
export interface Progress {
  key: ReplicaKey;
  /** Its fetch offset: everything before is on its disk. -1 while unknown. */
  endOffset: Offset;
  /** -1 if it has not fetched in this epoch. */
  lastFetchMs: Ms;
  lastCaughtUpMs: Ms;
  /** LEO at its last fetch: reaching it later means it was caught up then. */
  leaderEndOffset: Offset;
  /** Counted in `fetchedVoters`. */
  fetched: boolean;
  /** BeginQuorumEpoch: to be sent, under way, or acknowledged. */
  begin: 'due' | 'sent' | 'acknowledged';
}

/** A valid fetch that had nothing to answer yet. */
export interface ParkedFetch {
  readonly call: CallId;
  readonly request: FetchRequest;
  readonly deadline: Ms;
}

/** How the epoch may change along a transition. */
type EpochStep = 'same' | 'next' | 'higher' | 'sameOrHigher';

/** What is missing here is a bug (or two leaders of one epoch), and the node stops. */
const TRANSITIONS: Readonly<Record<RoleName, Partial<Record<RoleName, EpochStep>>>> = {
  unattached: { unattached: 'higher', prospective: 'same', follower: 'sameOrHigher' },
  prospective: { unattached: 'sameOrHigher', candidate: 'next', follower: 'sameOrHigher' },
  candidate: { unattached: 'higher', leader: 'same', prospective: 'same', follower: 'sameOrHigher' },
  leader: { unattached: 'higher', resigned: 'same', follower: 'higher' },
  resigned: { unattached: 'higher', follower: 'higher' },
  follower: { prospective: 'same', unattached: 'higher', follower: 'higher' },
};

/** Whether R-2 allows this transition, with this change of epoch (R-2.1: never down). */
export function isAllowedTransition(from: RoleName, to: RoleName, epoch: Epoch, nextEpoch: Epoch): boolean {
  const step = TRANSITIONS[from][to];
  if (step === undefined) return false;
  switch (step) {
    case 'same':
      return nextEpoch === epoch;
    case 'next':
      return nextEpoch === epoch + 1;
    case 'higher':
      return nextEpoch > epoch;
    case 'sameOrHigher':
      return nextEpoch >= epoch;
  }
}
