// Directed scenarios about voter changes: what went wrong in random runs, or in other people's systems, as schedules. Each
// passes with the core as it is, and fails by its property with a core that is broken in the way that it was made for.
import { describe, expect, it } from 'vitest';
import * as broken from './broken-drivers.ts';
import type { ScriptOptions } from './script.ts';
import { Script, violationOf } from './script.ts';

/** Of the voters 0 and 1, leader 0 removes itself; the record is on its disk alone when it gives up. */
function removedWithItsRecord(options: ScriptOptions = {}): Script {
  const script = new Script({}, options);
  script.remove(0, 2);
  script.until('node 2 is out', () => script.view(1).highWatermark === script.end(0)).isolate(0);
  expect(script.remove(0, 0)).toBe(true);
  return script.until('node 0 resigns', () => script.view(0).role === 'resigned').mendAll();
}

describe('a removed leader that alone has the record of it', () => {
  it('may still be elected, and leaves when it has committed it (R-11.5)', () => {
    const script = removedWithItsRecord();
    expect(violationOf(() => script.recover())).toBeUndefined();
    expect(script.leader).toBe(1);
  });

  it('if it may not, nobody is', () => {
    expect(violationOf(() => removedWithItsRecord({ core: broken.onlyVotersCampaign }).recover())).toBe('L-R1');
  });
});

/** Node 2 is away while 4 is added and elected. It has never heard of 4, nor has its configuration. */
function strangerLeads(options: ScriptOptions = {}): Script {
  const script = new Script({ voters: 4, spares: 1 }, options).after(700).isolate(2);
  expect(script.add(0, 4)).toBe(true);
  script.until('node 4 votes', () => script.view(4).highWatermark === script.end(0));
  return script.kill(0).campaign(4, 1, 3).after(100).mendAll();
}

describe('a leader that is not among the configured voters', () => {
  it('is found by a voter that was away', () => {
    const script = strangerLeads().fire(2).after(1000);
    expect([script.view(2).leaderId, script.end(2)]).toEqual([4, script.end(4)]);
    expect(violationOf(() => script.recover(0))).toBeUndefined();
  });

  it('is not, if nobody says where it listens', () => {
    const script = strangerLeads({ core: broken.keepsEndpointsSecret }).fire(2).after(1000);
    expect(script.end(2)).toBeLessThan(script.end(4));
  });
});

/** Node 3 has just been added, and does not know. The leader is gone for good: three of four must vote for the next. */
function neededWithoutKnowing(options: ScriptOptions = {}): Script {
  const script = new Script({ spares: 1 }, options).after(700).cutOneWay(0, 3);
  expect(script.add(0, 3)).toBe(true);
  script.until(
    'the others know',
    () => script.view(1).highWatermark === script.end(0) && script.end(2) === script.end(0),
  );
  return script.power(0);
}

describe('a voter that does not know yet that it is one', () => {
  it('grants its pre-vote when its leader has been silent (R-4.6)', () => {
    expect(violationOf(() => neededWithoutKnowing().recover(0))).toBeUndefined();
  });

  it('if it does not, nobody is elected', () => {
    expect(violationOf(() => neededWithoutKnowing({ core: broken.protectsSilentLeader }).recover(0))).toBe('L-R1');
  });
});

/**
 * Ongaro's bug of single-server changes. Leader 0 has begun to add 4, on itself and 4 alone. Leader 1, elected without them, removes 0
 * before anything of its own epoch is committed; 0 is elected again by the set that it began.
 */
function twoChanges(options: ScriptOptions = {}): { script: Script; accepted: boolean } {
  const script = new Script({ voters: 4, spares: 1 }, options).after(700).cut([0, 4], [1, 2, 3]);
  expect(script.add(0, 4)).toBe(true);
  script.until('node 4 votes', () => script.synced(4) === script.end(0)).kill(0);
  script.campaign(1, 2, 3).cut([1], [3]).after(50);
  const accepted = script.remove(1, 0);
  script.after(50).mendAll().cut([1, 2], [0, 3, 4]).restart(0).after(50);
  script.campaign(0, 3, 4).after(50);
  return { script, accepted };
}

describe('B22 two leaders each with a change of its own (R-11.2)', () => {
  it('the second one is refused until its epoch has committed', () => {
    const { script, accepted } = twoChanges();
    expect(accepted).toBe(false);
    expect(script.world.coverage.changesRefusedNotReady).toBe(1);
    expect(violationOf(() => script.mendAll().recover())).toBeUndefined();
  });

  it.each<[string, ScriptOptions]>([
    ['S-R11', {}],
    ['S-R5', { without: ['voterChanges'] }],
  ])('else it breaks %s', (property, options) => {
    expect(violationOf(() => twoChanges({ core: broken.changesVotersEarly, ...options }))).toBe(property);
  });
});
