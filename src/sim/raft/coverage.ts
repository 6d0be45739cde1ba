// State coverage (safety.md 8.10): what a run has been through. A counter that stays 0 over many seeds says that the
// simulator does not go there.

const NONE = {
  electionsWon: 0,
  /** A candidate that did not become leader. */
  electionsLost: 0,
  /** A second candidate of an epoch. */
  splitVotes: 0,
  /** A leader of a log that was empty (R-0.3a). */
  bootstraps: 0,
  preVotesGranted: 0,
  preVotesRefused: 0,
  votesGranted: 0,
  votesRefused: 0,
  /** The same vote given again, to the same candidate. */
  regrants: 0,
  /** A new role in an epoch in which this node has voted for another (R-0.5, B07). */
  votesKept: 0,
  checkQuorumResigns: 0,
  requestedResigns: 0,
  leadersReplaced: 0,
  kills: 0,
  powerCuts: 0,
  wipes: 0,
  pauses: 0,
  /** processes that stopped because a sync failed, or because the disk was full. */
  diskErrorStops: 0,
  fullDiskStops: 0,
  lostDiskOps: 0,
  leaderCrashes: 0,
  /** A leader, a follower whose unsynced batches did not survive (B01, B02). */
  leaderCrashesWithLostTail: 0,
  followerCrashesWithLostTail: 0,
  restartsAsUnattached: 0,
  restartsAsResigned: 0,
  /** a candidate of the epoch it was candidate in before. */
  restartsAsCandidate: 0,
  restartsAsFollower: 0,
  /** Restarts of who was that when it ended, leaders and followers beside leaderCrashes. */
  crashesOfUnattached: 0,
  crashesOfProspective: 0,
  crashesOfCandidate: 0,
  crashesOfResigned: 0,
  crashesOfFollower: 0,
  divergingFetches: 0,
  /** A follower that is told so again before it has fetched a batch. */
  multiRoundDivergences: 0,
  truncations: 0,
  /** The batches cut were of two epochs or more. */
  truncationsOverEpochs: 0,
  commits: 0,
  /** A leader's first commit that took batches of earlier epochs with it. */
  priorEpochCommits: 0,
  /** A leader elected when its own high watermark was below what was committed. */
  leadersBehindCommit: 0,
  proposalsAccepted: 0,
  proposalsRefused: 0,
  claims: 0,
  renounces: 0,
  observerCommits: 0,
  lostMessages: 0,
  duplicatedRequests: 0,
  lateResponses: 0,
  /** A response of an epoch that its caller has left (B19). */
  staleResponses: 0,
  refusedCalls: 0,
  timedOutCalls: 0,
  fencedResponses: 0,
  /** Fetches that a leader had parked and could not answer any more (B14). */
  fetchesFailed: 0,
  integrityNotices: 0,
  snapshotsTaken: 0,
  /** Overtaken by one that was fetched meanwhile. */
  snapshotsUnused: 0,
  trims: 0,
  startsFromSnapshot: 0,
  snapshotsOffered: 0,
  snapshotPieces: 0,
  snapshotDownloadsRestarted: 0,
  snapshotsNotFound: 0,
  snapshotsRejected: 0,
  snapshotInstalls: 0,
  /** Installed over a log that was not empty: a node that had been away for long. */
  snapshotInstallsOverLog: 0,
  /** Given up, or completed, while roles changed. */
  snapshotsDuringElection: 0,
  votersAdded: 0,
  votersRemoved: 0,
  votersUpdated: 0,
  /** The leader itself. */
  leadersRemoved: 0,
  /** B11: the only voter gets company. */
  soleVotersJoined: 0,
  /** A re-formatted voter under its new identity. */
  votersReplaced: 0,
  voterChangesCommitted: 0,
  /** B23: cut off again, the set before is in force. */
  voterChangesTruncated: 0,
  /** B22: begun while another, of another leader, was neither committed nor overtaken. */
  rivalVoterChanges: 0,
  changesRefusedNotLeader: 0,
  changesRefusedNotReady: 0,
  changesRefusedDuplicate: 0,
  changesRefusedNotFound: 0,
  changesRefusedNotCaughtUp: 0,
  changesRefusedAtRisk: 0,
  /** Core mode: machines that stayed dead after the faults. */
  deadAfterHeal: 0,
  /** L-R5: no majority could write at the end of the faults. */
  runsWithoutRoom: 0,
};

export type Coverage = { [Counter in keyof typeof NONE]: number };

export function newCoverage(): Coverage {
  return { ...NONE };
}

/** Adds `more` to `sum`, counter by counter. */
export function addCoverage(sum: Coverage, more: Coverage): void {
  for (const key of Object.keys(sum) as (keyof Coverage)[]) sum[key] += more[key];
}
