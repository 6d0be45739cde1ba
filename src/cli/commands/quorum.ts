// `kvorum quorum describe|add-voter|remove-voter`.
import type { ChangeVotersResponse, DescribeQuorumResponse, QuorumReplica } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import type { AddVoterOptions, Asking, RemoveVoterOptions } from '../command-options.ts';
import { UsageError } from '../failure.ts';
import { print, table } from '../output.ts';
import { withAdmin } from '../server-option.ts';

const { describeQuorum: describe, addVoter: add, removeVoter: remove } = AdminServiceDefinition.methods;

export async function describeQuorum(options: Asking): Promise<void> {
  const answer = await withAdmin(options, ({ call }) => call(describe, { forwarded: false }));
  print(options.json, answer, () => `${heading(answer)}\n\n${replicaTable(answer)}`);
  if (answer.fromLeader) return;
  console.error(`kvorum: no leader describes the quorum: ${answer.noLeaderReason}`);
  process.exitCode = 1;
}

function heading(answer: DescribeQuorumResponse): string {
  const { leaderId, leaderEpoch, highWatermark, logStartOffset, logEndOffset } = answer;
  const snapshot =
    answer.latestSnapshotEndOffset < 0
      ? 'no snapshot'
      : `newest snapshot ${answer.latestSnapshotEndOffset}-${answer.latestSnapshotEpoch}`;
  const log = `log ${logStartOffset} to ${logEndOffset}, ${snapshot}`;
  if (answer.fromLeader) {
    return `leader ${leaderId}, epoch ${leaderEpoch}, high watermark ${highWatermark}\nleader's ${log}`;
  }
  const leader = leaderId < 0 ? 'no leader known' : `last known leader ${leaderId}`;
  const committed = highWatermark < 0 ? 'not known' : String(highWatermark);
  return `NO LEADER ANSWERS. What node ${answer.answeredBy} itself knows:
${leader}, epoch ${leaderEpoch}, high watermark ${committed}
its ${log}`;
}

function replicaTable(answer: DescribeQuorumResponse): string {
  const row = (kind: string) => (replica: QuorumReplica) => {
    const leads = answer.fromLeader && replica.nodeId === answer.leaderId;
    return [
      leads ? 'leader' : kind,
      replica.nodeId,
      replica.directoryId === '' ? '?' : replica.directoryId,
      replica.endpoint === '' ? '-' : replica.endpoint,
      replica.logEndOffset < 0 ? '?' : replica.logEndOffset,
      replica.lag < 0 ? '?' : replica.lag,
      leads ? '-' : age(answer, replica.lastFetchAgeMs),
      leads ? '-' : age(answer, replica.lastCaughtUpAgeMs),
    ];
  };
  const rows = [...answer.voters.map(row('voter')), ...answer.observers.map(row('observer'))];
  const header = ['ROLE', 'ID', 'DIRECTORY', 'ENDPOINT', 'LOG END', 'LAG', 'LAST FETCH', 'LAST CAUGHT UP'];
  return table(header, rows);
}

/** Only a leader sees fetches. */
function age({ fromLeader }: DescribeQuorumResponse, ms: number): string {
  if (ms < 0) return fromLeader ? 'never' : '?';
  return ms < 10_000 ? `${Math.round(ms)} ms ago` : `${Math.round(ms / 1000)} s ago`;
}

export async function addVoter(options: AddVoterOptions): Promise<void> {
  const { controller } = options;
  const answer = await withAdmin(options, ({ call }) => call(add, { controller, forwarded: false }));
  report(options, answer, (who) => `${who} is a voter now`);
}

export async function removeVoter(options: RemoveVoterOptions): Promise<void> {
  const match = /^(\d{1,10})(?:@([A-Za-z0-9_-]{22}))?$/.exec(options.voter);
  if (match === null) {
    throw new UsageError(
      `--voter takes id or id@directoryId, as 'kvorum quorum describe' shows them, not '${options.voter}'`,
    );
  }
  const request = { nodeId: Number(match[1]), directoryId: match[2] ?? '', forwarded: false };
  const answer = await withAdmin(options, ({ call }) => call(remove, request));
  report(options, answer, (who) => `${who} is no voter any more`);
}

function report(options: Asking, answer: ChangeVotersResponse, done: (who: string) => string): void {
  const { failure, voter, voters } = answer;
  if (failure !== undefined) {
    if (options.json === true) console.log(JSON.stringify(answer));
    console.error(`kvorum: ${failure.message}`);
    process.exitCode = 1;
    return;
  }
  print(options.json, answer, () => {
    const who = voter === undefined ? 'the node' : `node ${voter.nodeId} (directory ${voter.directoryId})`;
    const all = voters.map(({ nodeId, endpoint }) => `${nodeId}@${endpoint}`).join(' ');
    return `${done(who)}\nvoters: ${all}`;
  });
}
