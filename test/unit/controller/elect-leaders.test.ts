import { describe, expect, it } from 'vitest';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { decideElectLeaders, MAX_ELECTIONS_PER_REQUEST } from '../../../src/controller/decide/elect-leaders.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import type { ElectLeadersRequest } from '../../../src/gen/kvorum/v1/admin.ts';
import { ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { after } from '../metadata/fixture.ts';
import { clusterWith, fenced, kindsOf, level1With, stateOf, summary } from './partitions.ts';

const { PREFERRED, UNCLEAN, UNSPECIFIED } = ElectionType;

const request = (type: ElectionType, partitions: number[], fields: Partial<ElectLeadersRequest> = {}) => ({
  type,
  partitions: partitions.map((partition) => ({ topic: 't', partition })),
  validateOnly: false,
  forwarded: false,
  ...fields,
});

function elect(image: MetadataImage, wanted: ElectLeadersRequest) {
  const decided = decideElectLeaders(image, wanted, electionPolicyOf(image));
  if (isRefusal(decided)) throw new Error(decided.message);
  const next = after(image, ...decided.records);
  const { partitions, metadataEndOffset } = decided.respond(next);
  expect(metadataEndOffset).toBe(next.endOffset);
  const answers = partitions.map(
    ({ topic, partition, error, leader }) => `${topic}-${partition} ${error?.name ?? leader}`,
  );
  return { answers, image: next, records: decided.records, partitions };
}

describe('preferred election', () => {
  const image = fenced(clusterWith({ leader: 2 }, {}, { leader: 2, isr: [2, 3] }, { leader: 1, replicas: [4, 1] }), 4);

  it('C-5.3: gives leadership to first replicas that are in sync, and says of the others why not', () => {
    const { answers, image: next } = elect(image, request(PREFERRED, [0, 1, 2, 3]));
    expect(answers).toEqual([
      't-0 1',
      't-1 ELECTION_NOT_NEEDED',
      't-2 PREFERRED_LEADER_NOT_AVAILABLE',
      't-3 PREFERRED_LEADER_NOT_AVAILABLE',
    ]);
    expect([0, 1, 2, 3].map((p) => stateOf(next, p).leader)).toEqual([1, 1, 2, 1]);
    expect(stateOf(next).leaderEpoch).toBe(1);
  });

  it('elects nobody else where the first replica cannot lead', () => {
    const waiting = fenced(clusterWith({ leader: -1, isr: [], elr: [1, 2] }), 1);
    const { answers, records } = elect(waiting, request(PREFERRED, [0]));
    expect([answers, records]).toEqual([['t-0 PREFERRED_LEADER_NOT_AVAILABLE'], []]);
  });

  it('without a list: all that it changes something for', () => {
    expect(elect(image, request(PREFERRED, [])).answers).toEqual(['t-0 1']);
  });

  it('is there at metadata level 1', () => {
    expect(elect(level1With({ leader: 2 }), request(PREFERRED, [0])).answers).toEqual(['t-0 1']);
  });
});

describe('unclean election', () => {
  const gone = { leader: -1, isr: [], elr: [1], leaderEpoch: 6, lastKnownLeader: 1 };
  const image = fenced(clusterWith(gone, {}, { ...gone, replicas: [1] }, { ...gone, elr: [3] }), 1);

  it('S-M4, C-5.7: elects any replica that lives, if nobody else can lead, and puts it on record', () => {
    const { answers, image: next, records } = elect(image, request(UNCLEAN, [0, 1, 2, 3]));
    expect(answers).toEqual(['t-0 2', 't-1 ELECTION_NOT_NEEDED', 't-2 ELIGIBLE_LEADERS_NOT_AVAILABLE', 't-3 3']);
    expect(kindsOf(records)).toEqual(['uncleanElection', 'partitionChange', 'partitionChange']);
    expect(records[0]?.kind).toMatchObject({
      uncleanElection: { leader: 2, oldLeaderEpoch: 6, newLeaderEpoch: 7, cause: 'asked for by an administrator' },
    });
    expect([0, 2, 3].map((p) => summary(next, p))).toEqual(['2 of 2, recovering', 'none of , ELR 1, last 1', '3 of 3']);
  });

  it('without a list: all that it changes something for', () => {
    expect(elect(image, request(UNCLEAN, [])).answers).toEqual(['t-0 2', 't-3 3']);
  });

  it('needs metadata level 2, and says how to get there', () => {
    const decided = decideElectLeaders(level1With({}), request(UNCLEAN, [0]), electionPolicyOf(image));
    expect(decided).toMatchObject({
      refused: 'INVALID_ARGUMENT',
      message: expect.stringContaining('kvorum cluster upgrade'),
    });
  });
});

describe('any election', () => {
  const image = clusterWith({ leader: 2 }, {});

  it('validateOnly: answers as if, and changes nothing', () => {
    const { answers, records } = elect(image, request(PREFERRED, [0], { validateOnly: true }));
    expect([answers, records]).toEqual([['t-0 1'], []]);
  });

  it('refuses what is not there, or is named twice; the others are elected', () => {
    const partitions = [
      { topic: 'x', partition: 0 },
      { topic: 't', partition: 2 },
      { topic: 't', partition: -1 },
      { topic: 't', partition: 1 },
      { topic: 't', partition: 0 },
      { topic: 't', partition: 1 },
    ];
    const { answers, partitions: told } = elect(image, request(PREFERRED, [], { partitions }));
    expect(answers).toEqual([
      'x-0 UNKNOWN_TOPIC_OR_PARTITION',
      't-2 UNKNOWN_TOPIC_OR_PARTITION',
      't--1 UNKNOWN_TOPIC_OR_PARTITION',
      't-1 INVALID_REQUEST',
      't-0 1',
      't-1 INVALID_REQUEST',
    ]);
    expect(told[1]?.error?.message).toBe("topic 't' has no partition 2: its partitions are 0 to 1");
  });

  it('refuses a type that is none', () => {
    const decided = decideElectLeaders(image, request(UNSPECIFIED, [0]), electionPolicyOf(image));
    expect(decided).toMatchObject({ refused: 'INVALID_ARGUMENT' });
  });

  it('C-0.6: elects so many leaders in one call, and says where it stopped', () => {
    const many = clusterWith(...Array.from({ length: MAX_ELECTIONS_PER_REQUEST + 2 }, () => ({ leader: 2 })));
    const { answers, image: next } = elect(many, request(PREFERRED, []));
    expect(answers).toHaveLength(MAX_ELECTIONS_PER_REQUEST + 1);
    expect(answers.at(-1)).toBe(`t-${MAX_ELECTIONS_PER_REQUEST} OPERATION_NOT_ATTEMPTED`);
    expect(elect(next, request(PREFERRED, [])).answers).toHaveLength(2);
  });
});
