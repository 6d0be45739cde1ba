import { describe, expect, it } from 'vitest';
import type { RoleName } from '../../../src/raft/types.ts';
import { grantsVote, isUpToDate } from '../../../src/raft/vote-grant.ts';
import { keyOf } from './notation.ts';

const candidate = keyOf(2);
const VOTED = {
  nobody: undefined,
  candidate,
  'candidate, other disk': keyOf(2, 2),
  other: keyOf(3),
};
const FLAGS = [false, true];

/** row by row: role, pre-vote, what was voted, leader known or not, has fetched or not -> grants, given logOk. */
const PRE_VOTE: Record<RoleName, 'yes' | 'no' | 'unless it has fetched'> = {
  leader: 'no',
  follower: 'unless it has fetched',
  candidate: 'yes',
  resigned: 'yes',
  prospective: 'yes',
  unattached: 'yes',
};
const VOTE: Record<RoleName, readonly string[]> = {
  leader: [],
  follower: [],
  candidate: [],
  resigned: [],
  // Voted for the same replica, or for nobody while no leader is known.
  prospective: ['candidate, leader', 'candidate, no leader', 'nobody, no leader'],
  unattached: ['candidate, leader', 'candidate, no leader', 'nobody, no leader'],
};

describe('R-4.6 grant matrix, exhaustively', () => {
  for (const role of Object.keys(VOTE) as RoleName[]) {
    for (const preVote of FLAGS) {
      it(`${role}, ${preVote ? 'pre-vote' : 'vote'}`, () => {
        for (const [voted, votedKey] of Object.entries(VOTED)) {
          for (const leaderKnown of FLAGS) {
            for (const hasFetched of FLAGS) {
              for (const logOk of FLAGS) {
                const rule = PRE_VOTE[role];
                const expected = preVote
                  ? rule === 'yes' || (rule === 'unless it has fetched' && !hasFetched)
                  : VOTE[role].includes(`${voted}, ${leaderKnown ? 'leader' : 'no leader'}`);
                const question = { preVote, candidate, logOk, role, votedKey, leaderKnown, hasFetched };
                // never without the log check.
                expect(grantsVote(question), JSON.stringify(question)).toBe(expected && logOk);
              }
            }
          }
        }
      });
    }
  }
});

describe('R-4.5 log comparison', () => {
  it('is lexicographic over (last epoch, log end)', () => {
    for (let packed = 0; packed < 256; packed++) {
      const [lastEpoch, end, ownEpoch, ownEnd] = [packed >> 6, (packed >> 4) & 3, (packed >> 2) & 3, packed & 3];
      expect(isUpToDate(lastEpoch, end, ownEpoch, ownEnd)).toBe(lastEpoch * 4 + end >= ownEpoch * 4 + ownEnd);
    }
  });
});
