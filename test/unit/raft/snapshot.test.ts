import { describe, expect, it } from 'vitest';
import type { Lab } from './lab.ts';
import { newCluster } from './lab.ts';

/** Three voters, 1 leads and has trimmed its log to a snapshot of `records` records. */
function trimmed(records: number): Lab {
  const lab = newCluster(3);
  lab.start(1, 2, 3);
  lab.run();
  for (let i = 0; i < records; i++) lab.propose(1, `r${i}`);
  lab.run();
  lab.snapshot(1);
  return lab;
}

describe('R-10 a node that has nothing of what was trimmed', () => {
  it('R-10.5 catches up by the snapshot, and follows on', () => {
    const lab = trimmed(10);
    lab.propose(1, 'later');
    lab.run();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(300);
    expect(lab.node(9).machine).toEqual(lab.node(1).machine);
    expect(lab.log(9)).toBe('1:later');
    expect(lab.node(9).state.log.startOffset).toBe(12);
    expect(lab.node(9).state.highWatermark).toBe(13);
    expect(lab.node(9).voters).toEqual([1, 2, 3]);
  });
});

describe('R-11 voter changes', () => {
  it('add a caught up observer, remove the leader', () => {
    const lab = trimmed(3);
    lab.add(4, [1, 2, 3]);
    lab.start(4);
    lab.advance(600);
    lab.changeVoters(1, { type: 'add', voter: { ...lab.node(4).key, endpoint: 'h:1' } });
    expect(lab.node(1).told).toContain('voter change at 5');
    lab.run();
    expect(lab.node(4).voters).toEqual([1, 2, 3, 4]);
    lab.changeVoters(1, { type: 'remove', replica: lab.node(1).key });
    lab.advance(1000);
    expect(lab.leader()).not.toBe(1);
    expect(lab.role(1)).toMatch(/^follower/);
    expect(lab.node(1).voters).toEqual([2, 3, 4]);
  });
});
