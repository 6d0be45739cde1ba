// `kvorum quorum add-voter|remove-voter`.
import type { ChangeVotersResponse, DescribeQuorumResponse, QuorumReplica } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition, voterChangeErrorToJSON } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import type { Asking } from '../common-options.ts';
import { UsageError } from '../failure.ts';
import type { AddVoterOptions, RemoveVoterOptions } from '../options.ts';
import { print } from '../output.ts';

const { describeQuorum: describe, addVoter: add, removeVoter: remove } = AdminServiceDefinition.methods;

export async function addVoter(options: AddVoterOptions): Promise<void> {
  const { controller } = options;
  if (options.dryRun === true) {
    await tellOnly(options, (quorum) => forecastOfAdding(quorum, controller));
    return;
  }
  const answer = await withAdmin(options, (admin) => admin.change(add, { controller, forwarded: false }));
  await report(options, answer, (who) => `${who} is a voter now`);
}

export async function removeVoter(options: RemoveVoterOptions): Promise<void> {
  const match = /^(\d{1,10})(?:@([A-Za-z0-9_-]{22}))?$/.exec(options.voter);
  if (match === null) {
    throw new UsageError(
      `--voter takes id or id@directoryId, as 'kvorum quorum describe' shows them, not '${options.voter}'`,
    );
  }
  const request = { nodeId: Number(match[1]), directoryId: match[2] ?? '', forwarded: false };
  if (options.dryRun === true) {
    await tellOnly(options, (quorum) => forecastOfRemoving(quorum, request));
    return;
  }
  const answer = await withAdmin(options, (admin) => admin.change(remove, request));
  await report(options, answer, (who) => `${who} is no voter any more`);
}

async function report(options: Asking, answer: ChangeVotersResponse, done: (who: string) => string): Promise<void> {
  const { failure, voter, voters } = answer;
  const error = failure && voterChangeErrorToJSON(failure.error).replace('VOTER_CHANGE_ERROR_', '');
  await print(options.format, { ...answer, failure: failure && { ...failure, error } }, () => {
    if (failure !== undefined) return '';
    const who = voter === undefined ? 'the node' : `node ${voter.nodeId} (directory ${voter.directoryId})`;
    const all = voters.map(({ nodeId, endpoint }) => `${nodeId}@${endpoint}`).join(' ');
    return `${done(who)}\nvoters: ${all}`;
  });
  if (failure === undefined) return;
  console.error(`kvorum: ${failure.message}`);
  process.exitCode = 1;
}

/** What a change would find, as far as the quorum's description tells. */
interface Forecast {
  readonly possible: boolean;
  readonly sentence: string;
}

/** The leader decides when it is asked to; this tells what it would find. */
async function tellOnly(options: Asking, forecast: (quorum: DescribeQuorumResponse) => Forecast): Promise<void> {
  const quorum = await withAdmin(options, (admin) => admin.read(describe, { forwarded: false }));
  const told = quorum.fromLeader
    ? forecast(quorum)
    : { possible: false, sentence: `no leader answers, so no voter can be changed: ${quorum.noLeaderReason}` };
  await print(options.format, told, () => told.sentence);
  if (!told.possible) process.exitCode = 1;
}

function forecastOfAdding({ voters, observers }: DescribeQuorumResponse, controller: string): Forecast {
  const voter = voters.find(({ endpoint }) => endpoint === controller);
  if (voter !== undefined) return { possible: false, sentence: `${nameOf(voter)} at ${controller} is a voter already` };
  const observer = observers.find(({ endpoint }) => endpoint === controller);
  const after = `there would be ${voters.length + 1} voters, ${majority(voters.length + 1)} of them a majority`;
  const sentence =
    observer === undefined
      ? `the leader would call ${controller}, which is the endpoint of no observer it knows, and add it if it has caught up; ${after}`
      : `${nameOf(observer)} would become a voter; its lag is ${observer.lag < 0 ? 'not known' : observer.lag}; ${after}`;
  return { possible: true, sentence };
}

function forecastOfRemoving(
  { voters }: DescribeQuorumResponse,
  wanted: { readonly nodeId: number; readonly directoryId: string },
): Forecast {
  const voter = voters.find(
    ({ nodeId, directoryId }) =>
      nodeId === wanted.nodeId && (wanted.directoryId === '' || directoryId === wanted.directoryId),
  );
  const all = voters.map(nameOf).join(', ');
  if (voter === undefined) return { possible: false, sentence: `there is no such voter; the voters are ${all}` };
  if (voters.length === 1) return { possible: false, sentence: `${nameOf(voter)} is the only voter` };
  const left = voters.length - 1;
  const sentence = `${nameOf(voter)} would be no voter any more; ${left} would be left, ${majority(left)} of them a majority`;
  return { possible: true, sentence };
}

function nameOf({ nodeId, directoryId }: QuorumReplica): string {
  return `${nodeId}@${directoryId}`;
}

function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}
