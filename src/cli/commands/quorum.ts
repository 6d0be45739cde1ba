// `kvorum quorum describe`.
import type { DescribeQuorumResponse, QuorumReplica } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import type { ListOptions } from '../options.ts';
import { print, table } from '../output.ts';

export async function describeQuorum(options: ListOptions): Promise<void> {
  const { describeQuorum: describe } = AdminServiceDefinition.methods;
  const answer = await withAdmin(options, (admin) => admin.read(describe, { forwarded: false }));
  await print(options.format, answer, () => `${heading(answer)}\n\n${replicaTable(answer)}`);
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
