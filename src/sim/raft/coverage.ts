// State coverage (safety.md 8.10): what a run has been through. A counter that stays 0 over many seeds says that the
// simulator does not go there.

export interface Coverage {
  electionsWon: number;
  /** A candidate that did not become leader. */
  electionsLost: number;
  /** A leader of a log that was empty (R-0.3a). */
  bootstraps: number;
  preVotesGranted: number;
  preVotesRefused: number;
  votesGranted: number;
  votesRefused: number;
  /** The same vote given again, to the same candidate. */
  regrants: number;
  checkQuorumResigns: number;
  requestedResigns: number;
  leadersReplaced: number;
  kills: number;
  powerCuts: number;
  wipes: number;
  pauses: number;
  lostDiskOps: number;
  leaderCrashes: number;
  /** A leader whose unsynced batches did not survive. */
  leaderCrashesWithLostTail: number;
  restartsAsUnattached: number;
  restartsAsResigned: number;
  /** a candidate of the epoch it was candidate in before. */
  restartsAsCandidate: number;
  restartsAsFollower: number;
  crashesOfUnattached: number;
  crashesOfProspective: number;
  crashesOfCandidate: number;
  crashesOfResigned: number;
  crashesOfFollower: number;
  divergingFetches: number;
  /** A follower that is told so again before it has fetched a batch. */
  multiRoundDivergences: number;
  truncations: number;
  /** The batches cut were of two epochs or more. */
  truncationsOverEpochs: number;
  commits: number;
  /** A leader's first commit that took batches of earlier epochs with it. */
  priorEpochCommits: number;
  /** A leader elected when its own high watermark was below what was committed. */
  leadersBehindCommit: number;
  proposalsAccepted: number;
  proposalsRefused: number;
  claims: number;
  renounces: number;
  observerCommits: number;
  lostMessages: number;
  duplicatedRequests: number;
  lateResponses: number;
  refusedCalls: number;
  timedOutCalls: number;
  fencedResponses: number;
  integrityNotices: number;
}

export function newCoverage(): Coverage {
  return {
    electionsWon: 0,
    electionsLost: 0,
    bootstraps: 0,
    preVotesGranted: 0,
    preVotesRefused: 0,
    votesGranted: 0,
    votesRefused: 0,
    regrants: 0,
    checkQuorumResigns: 0,
    requestedResigns: 0,
    leadersReplaced: 0,
    kills: 0,
    powerCuts: 0,
    wipes: 0,
    pauses: 0,
    lostDiskOps: 0,
    leaderCrashes: 0,
    leaderCrashesWithLostTail: 0,
    restartsAsUnattached: 0,
    restartsAsResigned: 0,
    restartsAsCandidate: 0,
    restartsAsFollower: 0,
    crashesOfUnattached: 0,
    crashesOfProspective: 0,
    crashesOfCandidate: 0,
    crashesOfResigned: 0,
    crashesOfFollower: 0,
    divergingFetches: 0,
    multiRoundDivergences: 0,
    truncations: 0,
    truncationsOverEpochs: 0,
    commits: 0,
    priorEpochCommits: 0,
    leadersBehindCommit: 0,
    proposalsAccepted: 0,
    proposalsRefused: 0,
    claims: 0,
    renounces: 0,
    observerCommits: 0,
    lostMessages: 0,
    duplicatedRequests: 0,
    lateResponses: 0,
    refusedCalls: 0,
    timedOutCalls: 0,
    fencedResponses: 0,
    integrityNotices: 0,
  };
}

/** Adds `more` to `sum`, counter by counter. */
export function addCoverage(sum: Coverage, more: Coverage): void {
  for (const key of Object.keys(sum) as (keyof Coverage)[]) sum[key] += more[key];
}
