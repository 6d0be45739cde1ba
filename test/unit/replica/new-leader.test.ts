// What a follower left undone when it is elected, as leader.
import { expect, test } from 'vitest';
import { withFollowers } from './follower-bench.ts';

test('the ledger that waits for it hears that it cuts nothing, which a leader never does (S-D8)', async () => {
  await withFollowers(async (bench) => {
    const [a, b] = [bench.replica(1), bench.replica(2)];
    await bench.elect(1, 3);
    await a.append(2);
    b.awaited = [3];
    b.ledger = { take: () => {} };
    const { asked, answer } = await b.fetch();
    void b.following?.take(asked, answer);
    await bench.elect(2, 4);
    b.ledger = undefined;
    expect(b.reported).toMatchObject([{ leaderEpoch: 3 }, { leaderEpoch: 4, kind: 'cut', fromOffset: 0, toOffset: 0 }]);
    // Of a later election it knows nothing yet.
    b.awaited = [9];
    await bench.elect(2, 5);
    expect(b.reported).toHaveLength(2);
  });
});
