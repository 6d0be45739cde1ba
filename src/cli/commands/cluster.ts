// `kvorum cluster describe`.
import type { BrokerDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import type { Asking } from '../command-options.ts';
import { print, table } from '../output.ts';
import { withAdmin } from '../server-option.ts';

function stateOf(broker: BrokerDescription): string {
  return broker.inControlledShutdown ? 'leaving' : broker.fenced ? 'fenced' : 'active';
}

export async function describeCluster(options: Asking): Promise<void> {
  const { describeCluster: describe } = AdminServiceDefinition.methods;
  const answer = await withAdmin(options, ({ call }) => call(describe, {}));
  print(options.json, answer, () => {
    const brokers = answer.brokers.map((broker) => [
      broker.brokerId,
      stateOf(broker),
      broker.brokerEpoch,
      broker.leaderCount,
      broker.replicaCount,
      broker.endpoints.map(({ listener, host, port }) => `${listener}://${host}:${port}`).join(' '),
    ]);
    const controllers = answer.controllers.map(({ listener, host, port }) => `${listener}@${host}:${port}`);
    return `cluster ${answer.clusterId}, metadata level ${answer.metadataLevel}, metadata end offset ${answer.metadataEndOffset}
active controller ${answer.controllerId < 0 ? 'none' : answer.controllerId} of ${controllers.join(' ')}

${table(['BROKER', 'STATE', 'EPOCH', 'LEADS', 'REPLICAS', 'ENDPOINTS'], brokers)}`;
  });
  if (answer.controllerId >= 0) return;
  console.error(
    `kvorum: ${options.server} knows no active controller, so the cluster may have changed since: see that a majority of the controllers runs; kvorum quorum describe tells more`,
  );
  process.exitCode = 1;
}
