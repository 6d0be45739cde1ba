// `kvorum broker unregister`: one call per broker (C-2.6).
import type { BrokerDescription, ItemError } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { brokerState } from '../broker-text.ts';
import { confirm } from '../confirm.ts';
import { wholeNumber } from '../failure.ts';
import { reportItems } from '../items.ts';
import type { UnregisterOptions } from '../options.ts';
import { print } from '../output.ts';

const { unregisterBroker: unregister, describeCluster: describe } = AdminServiceDefinition.methods;

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
      const answer = await admin.change(unregister, { brokerId, forwarded: false });
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

/** The server decides when it is done; this tells what it would find. */
async function tellOnly(ids: readonly number[], options: UnregisterOptions): Promise<void> {
  const { brokers } = await withAdmin(options, (admin) => admin.read(describe, {}));
  const verdicts = ids.map((brokerId) =>
    verdictOn(
      brokerId,
      brokers.find((it) => it.brokerId === brokerId),
    ),
  );
  await print(options.format, { brokers: verdicts }, () =>
    verdicts.map(({ brokerId, verdict }) => `broker ${brokerId}: ${verdict}`).join('\n'),
  );
  if (verdicts.some(({ possible }) => !possible)) process.exitCode = 1;
}

function verdictOn(brokerId: number, broker: BrokerDescription | undefined) {
  if (broker === undefined) return { brokerId, possible: false, verdict: 'is not registered' };
  const { replicaCount, leaderCount } = broker;
  const state = brokerState(broker);
  if (!broker.fenced) return { brokerId, possible: false, verdict: `is ${state}: stop it first` };
  const verdict = `would be forgotten; it is ${state}, leads ${leaderCount} partitions and is in the replica lists of ${replicaCount}`;
  return { brokerId, possible: true, verdict };
}
