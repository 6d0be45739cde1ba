// What 1,000 drawn scenarios go through at the least (safety.md 8.10): somewhat less than half of what they did when this was
// written. A counter below its floor says that the simulator has stopped going where it is needed.
import type { Coverage } from './coverage.ts';

const PER_THOUSAND: Omit<Coverage, 'integrityNotices'> = {
  electionsWon: 1400,
  electionsLost: 160,
  splitVotes: 68,
  bootstraps: 400,
  preVotesGranted: 4000,
  preVotesRefused: 2200,
  votesGranted: 2600,
  votesRefused: 220,
  regrants: 120,
  votesKept: 5700,
  checkQuorumResigns: 150,
  requestedResigns: 120,
  leadersReplaced: 33,
  kills: 740,
  powerCuts: 1500,
  wipes: 170,
  pauses: 460,
  diskErrorStops: 250,
  fullDiskStops: 260,
  lostDiskOps: 1000,
  leaderCrashes: 730,
  leaderCrashesWithLostTail: 110,
  followerCrashesWithLostTail: 73,
  restartsAsUnattached: 660,
  restartsAsResigned: 980,
  restartsAsCandidate: 93,
  restartsAsFollower: 1100,
  crashesOfUnattached: 470,
  crashesOfProspective: 280,
  crashesOfCandidate: 130,
  crashesOfResigned: 160,
  crashesOfFollower: 1200,
  divergingFetches: 230,
  multiRoundDivergences: 38,
  truncations: 190,
  truncationsOverEpochs: 5,
  commits: 290_000,
  priorEpochCommits: 370,
  leadersBehindCommit: 480,
  proposalsAccepted: 160_000,
  proposalsRefused: 15_000,
  claims: 1300,
  renounces: 260,
  observerCommits: 37_000,
  lostMessages: 17_000,
  duplicatedRequests: 5500,
  lateResponses: 5500,
  staleResponses: 1500,
  refusedCalls: 14_000,
  timedOutCalls: 19_000,
  fencedResponses: 3500,
  fetchesFailed: 1600,
  snapshotsTaken: 15_000,
  snapshotsUnused: 0,
  trims: 15_000,
  startsFromSnapshot: 700,
  snapshotsOffered: 350,
  snapshotPieces: 830,
  snapshotDownloadsRestarted: 26,
  snapshotsNotFound: 46,
  snapshotsRejected: 9,
  snapshotInstalls: 210,
  snapshotInstallsOverLog: 160,
  snapshotsDuringElection: 7,
  votersAdded: 230,
  votersRemoved: 310,
  votersUpdated: 290,
  leadersRemoved: 36,
  soleVotersJoined: 85,
  votersReplaced: 8,
  voterChangesCommitted: 810,
  voterChangesTruncated: 15,
  rivalVoterChanges: 5,
  changesRefusedNotLeader: 260,
  changesRefusedNotReady: 550,
  changesRefusedDuplicate: 9,
  changesRefusedNotFound: 10,
  changesRefusedNotCaughtUp: 150,
  changesRefusedAtRisk: 9,
  deadAfterHeal: 100,
  runsWithoutRoom: 9,
};

/** Distinct abstract states in 1,000 scenarios. */
const STATES_PER_THOUSAND = 15_000;

/**
 * What so many scenarios, and so many distinct states, fall short of; empty if of nothing. In fewer than a thousand half of the
 * share is enough, and what is rare may be missing.
 */
export function shortfalls(sum: Coverage, states: number, scenarios: number): string[] {
  const least = (perThousand: number): number => {
    if (scenarios >= 1000) return Math.floor((perThousand * scenarios) / 1000);
    const floor = Math.floor((perThousand * scenarios) / 2000);
    return floor < 10 ? 0 : floor;
  };
  const short: string[] = [];
  for (const [counter, perThousand] of Object.entries(PER_THOUSAND) as [keyof Coverage, number][]) {
    const floor = least(perThousand);
    if (sum[counter] < floor) short.push(`${counter}: ${sum[counter]} of at least ${floor}`);
  }
  // Not twice as many in twice as many scenarios: the same ones come again.
  const floor = least(STATES_PER_THOUSAND * Math.min(1, 1000 / scenarios));
  if (states < floor) short.push(`abstract states: ${states} of at least ${floor}`);
  return short;
}
