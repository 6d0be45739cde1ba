// `kvorum partition elect`: preferred or unclean, of partitions, of whole topics, or wherever it changes something. An unclean election
// asks first, since it may lose acknowledged records (C-5.7).
import type { ElectedLeader, ElectLeadersResponse, PartitionSelector } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition, ElectionType } from '../../gen/kvorum/v1/admin.ts';
import { StartError } from '../../server/start-error.ts';
import type { AdminClient } from '../admin-client.ts';
import { changeFields, withAdmin } from '../admin-client.ts';
import type { Sent } from '../batches.ts';
import { inBatches } from '../batches.ts';
import { confirm } from '../confirm.ts';
import { UsageError } from '../failure.ts';
import { reportItems } from '../items.ts';
import type { ElectOptions } from '../options.ts';
import type { Readings } from '../partition-name.ts';
import { meaningOf, namesOf, readingsOf, topicsToLookUp } from '../partition-name.ts';

const { electLeaders: elect, describeTopics: describe } = AdminServiceDefinition.methods;

/** What is asked for. */
interface Wanted {
  readonly partitions: readonly PartitionSelector[];
  /** Of those, the ones of topics named as a whole: that they need no election is no news. */
  readonly ofTopics: ReadonlySet<string>;
}

export async function electLeaders(names: string[], options: ElectOptions): Promise<void> {
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
    const wanted = options.all === true ? NOTHING_NAMED : await lookUp(admin, readings);
    if (asksFirst) {
      const tried = await send(admin, wanted, { ...options, dryRun: true });
      const needed = tried.answers.flatMap(({ partitions }) => partitions).filter(({ error }) => error === undefined);
      if (needed.length === 0) return report(options, wanted, tried);
      await confirm(options, question(needed), 'no leader was elected');
    }
    await report(options, wanted, await send(admin, wanted, options));
  });
}

const NOTHING_NAMED: Wanted = { partitions: [], ofTopics: new Set() };

/** The partitions that the names stand for. StartError for one that is not there. */
async function lookUp(admin: AdminClient, readings: readonly Readings[]): Promise<Wanted> {
  const topics = topicsToLookUp(readings).map((name) => ({ name, topicId: '' }));
  const described = await admin.read(describe, { topics });
  const known = namesOf(described.topics);
  const partitions = new Map<string, PartitionSelector>();
  const ofTopics = new Set<string>();
  for (const reading of readings) {
    const { topic, partition } = meaningOf(reading, known);
    const found = described.topics.find(({ name }) => name === topic);
    if (partition !== undefined) {
      partitions.set(`${topic}-${partition}`, { topic, partition });
      continue;
    }
    if (found === undefined || found.error !== undefined) {
      throw new StartError(`there is no topic '${topic}': kvorum topic list shows all; no leader was elected`);
    }
    for (const { partition: number } of found.partitions) {
      partitions.set(`${topic}-${number}`, { topic, partition: number });
      ofTopics.add(`${topic}-${number}`);
    }
  }
  return { partitions: [...partitions.values()], ofTopics };
}

async function send(
  admin: AdminClient,
  { partitions }: Wanted,
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
  const some = needed.slice(0, 10).map((it) => `${nameOf(it)} (broker ${it.leader})`);
  const more = needed.length > some.length ? ` and ${needed.length - some.length} more` : '';
  return `Leaders would be: ${some.join(', ')}${more}.
Whatever acknowledged records these brokers do not have is lost for good. Elect them uncleanly?`;
}

function nameOf({ topic, partition }: PartitionSelector): string {
  return `${topic}-${partition}`;
}

async function report(
  options: ElectOptions,
  { ofTopics }: Wanted,
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
        text: outcome(it, options.dryRun === true),
      })),
    );
    if (partitions.length === 0 && failure === undefined) console.error('no partition needs an election');
  }
  if (failure !== undefined) throw failure;
}

/** The wanted leader leads: no failure. */
function isUnneeded({ error }: ElectedLeader): boolean {
  return error?.name === 'ELECTION_NOT_NEEDED';
}

function outcome(it: ElectedLeader, isDry: boolean): string {
  if (isUnneeded(it)) return `no election needed${it.leader < 0 ? '' : `, ${it.leader} leads`}`;
  return isDry ? `broker ${it.leader} would lead` : `broker ${it.leader} leads`;
}
