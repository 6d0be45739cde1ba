import { describe, expect, it } from 'vitest';
import { isAllowedTransition } from '../../../src/raft/roles.ts';
import type { RoleName } from '../../../src/raft/types.ts';

const ROLES: RoleName[] = ['unattached', 'prospective', 'candidate', 'leader', 'resigned', 'follower'];

/** R-2 as written in the rules: from, to, change of the epoch. `+1` also allows no more than one. */
const ALLOWED = `
  unattached unattached higher
  unattached prospective same
  unattached follower same,higher
  prospective unattached same,higher
  prospective candidate +1
  prospective follower same,higher
  candidate unattached higher
  candidate leader same
  candidate prospective same
  candidate follower same,higher
  leader unattached higher
  leader resigned same
  leader follower higher
  resigned unattached higher
  resigned follower higher
  follower prospective same
  follower unattached higher
  follower follower higher
`
  .trim()
  .split('\n')
  .map((line) => line.trim().split(' '));

describe('R-2 transition table', () => {
  for (const from of ROLES) {
    for (const to of ROLES) {
      it(`${from} to ${to}`, () => {
        const steps = ALLOWED.find((row) => row[0] === from && row[1] === to)?.[2]?.split(',') ?? [];
        const allowed = [-1, 0, 1, 2].filter((by) => isAllowedTransition(from, to, 5, 5 + by));
        const expected = [-1, 0, 1, 2].filter(
          (by) =>
            (by === 0 && steps.includes('same')) ||
            (by > 0 && steps.includes('higher')) ||
            (by === 1 && steps.includes('+1')),
        );
        // never down.
        expect(allowed).toEqual(expected);
      });
    }
  }
});
