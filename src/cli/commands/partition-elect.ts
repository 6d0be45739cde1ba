// `kvorum partition elect`: preferred or unclean, of partitions, of whole topics, or wherever it changes something. An unclean election
// asks first, since it may lose acknowledged records (C-5.7).
import type { ElectedLeader, ElectLeadersResponse, PartitionSelector } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition, ElectionType } from '../../gen/kvorum/v1/admin.ts';
import type { AdminClient } from '../admin-client.ts';
import { changeFields, withAdmin } from '../admin-client.ts';
import type { Sent } from '../batches.ts';
import { inBatches } from '../batches.ts';
import { confirm } from '../confirm.ts';
import { UsageError } from '../failure.ts';
import { reportItems } from '../items.ts';
import type { ElectOptions } from '../options.ts';
import { readingsOf } from '../partition-name.ts';
import type { Selection } from '../partition-selection.ts';
import { NOTHING_NAMED, nameOf, selectPartitions } from '../partition-selection.ts';
import { possibleLossText } from '../possible-loss-text.ts';

const { electLeaders: elect } = AdminServiceDefinition.methods;

export async function electLeaders(names: string[], given: ElectOptions): Promise<void> {
  const options: ElectOptions = given.unclean === true ? { ...given, type: 'unclean' } : given;
  if (names.length === 0 && options.all !== true) {
    throw new UsageError('say which partitions: TOPIC-PARTITION, TOPIC, or --all for all where it changes something');
  }
  if (names.length > 0 && options.all === true) throw new UsageError('name partitions or give --all, not both');
  const readings = names.map(readingsOf);
  const isDry = options.dryRun === true;
  const asksFirst = options.type === 'unclean' && !isDry && options.yes !== true;
  // Where nobody can be asked, nothing is asked of the server either.
  if (asksFirst && !process.stdin.isTTY) await confirm(options, '', 'no leader was elected');
  await withAdmin(options, async (admin) => {
    const wanted =
      options.all === true ? NOTHING_NAMED : await selectPartitions(admin, readings, 'no leader was elected');
    if (asksFirst) {
      const tried = await send(admin, wanted, { ...options, dryRun: true });
      const needed = tried.answers.flatMap(({ partitions }) => partitions).filter(({ error }) => error === undefined);
      if (needed.length === 0) return report(options, wanted, tried);
      await confirm(options, question(needed), 'no leader was elected');
    }
    await report(options, wanted, await send(admin, wanted, options));
  });
}

async function send(
  admin: AdminClient,
  { partitions }: Selection,
  options: ElectOptions,
): Promise<Sent<ElectLeadersResponse>> {
  const type = options.type === 'unclean' ? ElectionType.UNCLEAN : ElectionType.PREFERRED;
  const call = (some: PartitionSelector[]): Promise<ElectLeadersResponse> => {
    const request = { type, partitions: some, ...changeFields(options) };
    return request.validateOnly ? admin.read(elect, request) : admin.change(elect, request);
  };
  // No partition at all stands for all of them.
  if (partitions.length === 0) return { answers: [await call([])] };
  return inBatches(partitions, call);
}

function question(needed: readonly ElectedLeader[]): string {
  const some = needed.slice(0, 10).map((it) => `${nameOf(it)}: ${dryOutcome(it, 'unclean')}`);
  const more = needed.length > some.length ? [`and ${needed.length - some.length} more`] : [];
  return `${[...some, ...more].join('\n')}
What goes is lost for good. Elect them uncleanly?`;
}

async function report(
  options: ElectOptions,
  { ofTopics }: Selection,
  { answers, failure }: Sent<ElectLeadersResponse>,
): Promise<void> {
  const partitions = answers
    .flatMap((answer) => answer.partitions)
    .filter((it) => !(isUnneeded(it) && ofTopics.has(nameOf(it))));
  const metadataEndOffset = answers.at(-1)?.metadataEndOffset ?? -1;
  if (answers.length > 0) {
    await reportItems(
      options.format,
      { partitions, metadataEndOffset },
      partitions.map((it) => ({
        name: nameOf(it),
        error: isUnneeded(it) ? undefined : it.error,
        text: outcome(it, options),
      })),
    );
    if (partitions.length === 0 && failure === undefined) console.error('no partition needs an election');
    pointToLosses(options, partitions);
  }
  if (failure !== undefined) throw failure;
}

/** The wanted leader leads: no failure. */
function isUnneeded({ error }: ElectedLeader): boolean {
  return error?.name === 'ELECTION_NOT_NEEDED';
}

function outcome(it: ElectedLeader, { dryRun, type }: ElectOptions): string {
  if (isUnneeded(it)) return `no election needed${it.leader < 0 ? '' : `, ${it.leader} leads`}`;
  return dryRun === true ? dryOutcome(it, type) : `broker ${it.leader} leads`;
}

function dryOutcome(it: ElectedLeader, type: ElectOptions['type']): string {
  const cost = type === 'unclean' ? `; ${possibleLossText(it)}` : '';
  return `broker ${it.leader} would lead${cost}`;
}

/** Whoever elects uncleanly wants to know what it has cost. */
function pointToLosses({ dryRun, type, format }: ElectOptions, partitions: readonly ElectedLeader[]): void {
  const isText = format === 'text' || format === 'wide';
  const topics = [...new Set(partitions.flatMap(({ topic, error }) => (error === undefined ? [topic] : [])))];
  if (type !== 'unclean' || dryRun === true || !isText || topics.length === 0) return;
  console.error(`What was lost, as the other replicas come back: kvorum partition losses ${topics.join(' ')}`);
}
