// `kvorum quorum recover`: the last resort, told in full before anything is done.
import { createEnv } from '../../node/env.ts';
import type { RecoveryFinding, RecoveryFolder } from '../../quorum/recover.ts';
import type { Voter } from '../../raft/types.ts';
import { sameReplica } from '../../raft/vote-grant.ts';
import { openRecovery } from '../../server/recovery.ts';
import type { RecoverOptions } from '../options.ts';
import { readConfig } from '../read-config.ts';

export async function recover(options: RecoverOptions): Promise<void> {
  const { config } = await readConfig(options.config);
  const { folder, recovery } = await openRecovery(createEnv({ level: 'warn' }), config);
  const { finding } = recovery;
  try {
    console.log(found(folder, finding));
    if (finding.recovery === 'pointless') {
      console.log('\nThis node is the only voter already, and lost nothing: there is nothing to recover. Start it.');
      return;
    }
    if (finding.recovery === 'done') {
      await recovery.carryOut();
      console.log(`\nThe recovery was carried out before. Nothing was changed. ${whatNext(folder, finding)}`);
      return;
    }
    console.log(`\n${consequences(folder, finding)}`);
    if (options.yes !== true) {
      console.log(`\nNothing was changed. Stop all other controllers, then add --yes to do it.`);
      return;
    }
    const epoch = await recovery.carryOut();
    console.log(
      `\nDone: node ${folder.survivor.id} is the only voter from offset ${finding.logEndOffset} on, epoch ${epoch}; the log says so. ${whatNext(folder, finding)}`,
    );
  } finally {
    await recovery.close();
  }
}

function found({ directory, clusterId, survivor }: RecoveryFolder, finding: RecoveryFinding): string {
  const { logStartOffset, logEndOffset, lastEpoch, leaderEpoch, voters, committedEndOffset, lost } = finding;
  const lines = [
    `node ${survivor.id}, directory ${survivor.directoryId}, cluster ${clusterId}, ${directory}`,
    `  log               offsets ${logStartOffset} to ${logEndOffset - 1}, last epoch ${lastEpoch}, quorum state of epoch ${leaderEpoch}`,
    `  voters in force   ${voters.map((voter) => nameOf(voter, survivor)).join(', ')}`,
    `  surely committed  ${committedEndOffset === 0 ? 'not known: there is no snapshot' : `below offset ${committedEndOffset}, the end of the newest snapshot`}`,
  ];
  if (lost !== undefined) lines.push(`  lost              ${lost}`);
  return lines.join('\n');
}

function nameOf(voter: Voter, survivor: Voter): string {
  const at = voter.endpoint === '' ? '' : ` at ${voter.endpoint}`;
  return `${voter.id} (${voter.directoryId}${at}${sameReplica(voter, survivor) ? ', this one' : ''})`;
}

function consequences({ survivor }: RecoveryFolder, finding: RecoveryFinding): string {
  const { logEndOffset, lastEpoch, voters, committedEndOffset, lost } = finding;
  const others = voters.filter((voter) => !sameReplica(voter, survivor)).map(({ id }) => id);
  const majority = Math.floor(voters.length / 2) + 1;
  const points = [
    `This node becomes the only voter, in a new epoch, and its log the truth.`,
    committedEndOffset < logEndOffset
      ? `Its records from offset ${committedEndOffset} to ${logEndOffset - 1} become committed, whether or not a majority had them; others at the same offsets may have been committed in their place.`
      : `All its records were committed.`,
    `What the others committed at offset ${logEndOffset} and above is lost. How much that is cannot be known from here: topics, configurations, leader elections and registrations that were answered may be missing.`,
  ];
  if (lost !== undefined) points.push(`This disk itself had more than it has now: that is lost too (see above).`);
  if (!voters.some((voter) => sameReplica(voter, survivor))) {
    points.push(`This replica is no voter: it may lag behind by any number of committed records. Prefer a voter.`);
  }
  const steps = [
    ...(others.length > 0
      ? [
          `Only if ${majority} of these ${voters.length} voters can never run again with their disks: else start them instead, and nothing is lost.`,
          `With more than one survivor run this on each, without --yes, and take the one with the highest last epoch, then log end (here ${lastEpoch}, ${logEndOffset}).`,
          `Never start the voters ${others.join(', ')} with their old folders again: they would go on as another cluster. Empty the folders and format them anew.`,
        ]
      : []),
    `A broker that had applied more than this log has will stop and say that it 'diverges below the high watermark': remove metadata, snapshots, durable-end and meta.properties from its metadata.log.dir and format it again; partition data stays.`,
  ];
  return `What recovery means:\n${list(points)}\nBefore and after:\n${list(steps)}`;
}

function whatNext({ survivor }: RecoveryFolder, { voters }: RecoveryFinding): string {
  const others = voters.filter((voter) => !sameReplica(voter, survivor)).map(({ id }) => id);
  const never = others.length === 0 ? '' : ` Never start ${others.join(', ')} with their old folders again.`;
  return `Start this node; it leads alone.${never} Then add voters with newly formatted folders, one at a time: kvorum quorum add-voter.`;
}

function list(points: readonly string[]): string {
  return points.map((point) => `  - ${point}`).join('\n');
}
