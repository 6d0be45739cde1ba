// `kvorum broker unregister`: one call per broker (C-2.6).
import type { BrokerDescription, ItemError, TopicDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { brokerState } from '../broker-text.ts';
import { confirm } from '../confirm.ts';
import { wholeNumber } from '../failure.ts';
import { reportItems } from '../items.ts';
import type { UnregisterOptions } from '../options.ts';
import { print } from '../output.ts';

export async function unregisterBrokers(texts: string[], options: UnregisterOptions): Promise<void> {
  const ids = [...new Set(texts.map(wholeNumber('the id of a broker', 0)))];
  if (options.dryRun === true) {
    await tellOnly(ids, options);
    return;
  }
  await confirm(options, `Forget ${ids.map((id) => `broker ${id}`).join(', ')} for good?`, 'no broker was forgotten');
  const brokers: { brokerId: number; error: ItemError | undefined }[] = [];
  let metadataEndOffset = -1;
  let failure: Error | undefined;
  await withAdmin(options, async (admin) => {
    for (const brokerId of ids) {
      const answer = await admin.change(Admin.methods.unregisterBroker, { brokerId, forwarded: false });
      brokers.push({ brokerId, error: answer.error });
      metadataEndOffset = answer.metadataEndOffset;
    }
  }).catch((error: unknown) => {
    if (!(error instanceof Error)) throw error;
    failure = error;
  });
  if (brokers.length > 0) {
    const items = brokers.map(({ brokerId, error }) => ({ name: `broker ${brokerId}`, error, text: 'forgotten' }));
    await reportItems(options.format, { brokers, metadataEndOffset }, items);
  }
  if (failure !== undefined) throw failure;
}

/** The controller decides when it is done; this tells what it would find. */
async function tellOnly(ids: readonly number[], options: UnregisterOptions): Promise<void> {
  const { brokers, topics } = await withAdmin(options, async ({ read }) => ({
    brokers: (await read(Admin.methods.describeCluster, {})).brokers,
    topics: (await read(Admin.methods.describeTopics, { topics: [] })).topics,
  }));
  const verdicts = ids.map((brokerId) => verdictOn(brokerId, brokers, topics));
  await print(options.format, { brokers: verdicts }, () =>
    verdicts.map(({ brokerId, verdict }) => `broker ${brokerId}: ${verdict}`).join('\n'),
  );
  if (verdicts.some(({ possible }) => !possible)) process.exitCode = 1;
}

interface Verdict {
  readonly brokerId: number;
  readonly possible: boolean;
  readonly verdict: string;
}

function verdictOn(
  brokerId: number,
  brokers: readonly BrokerDescription[],
  topics: readonly TopicDescription[],
): Verdict {
  const broker = brokers.find((it) => it.brokerId === brokerId);
  if (broker === undefined) return { brokerId, possible: false, verdict: 'is not registered' };
  const state = brokerState(broker);
  if (!broker.fenced) return { brokerId, possible: false, verdict: `is ${state}: stop it first` };
  const needed = topics.flatMap((topic) => neededFrom(brokerId, topic));
  if (needed.length > 0) {
    const them = needed.length === 1 ? needed[0] : `${needed.length} partitions, e.g. ${needed[0]}`;
    return { brokerId, possible: false, verdict: `is ${state}, but has the last complete replica of ${them}` };
  }
  const verdict = `would be forgotten; it is ${state}, and in the replica lists of ${broker.replicaCount} partitions`;
  return { brokerId, possible: true, verdict };
}

/** Partitions of which nobody else has every acknowledged record. */
function neededFrom(brokerId: number, { name, partitions }: TopicDescription): string[] {
  return partitions
    .filter(({ isr, elr }) => isr.length + elr.length === 1 && [...isr, ...elr][0] === brokerId)
    .map(({ partition }) => `${name}-${partition}`);
}
