// `kvorum cluster describe`.
import { NO_NODE } from '../../base/ids.ts';
import type { BrokerDescription, DescribeClusterResponse } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import type { AdminClient } from '../admin-client.ts';
import { withAdmin } from '../admin-client.ts';
import { brokerState, endpointText } from '../broker-text.ts';
import type { ListOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, isoTime, print } from '../output.ts';

export async function describeCluster(options: ListOptions): Promise<void> {
  const answer = await withAdmin(options, askCluster);
  await print(options.format, answer, (wide) => `${heading(answer)}\n\n${columns(wide, COLUMNS, answer.brokers)}`);
  if (answer.controllerId >= 0) return;
  console.error(
    `kvorum: ${options.server} reaches no active controller, so the cluster may have changed since: see that a majority of the controllers runs; kvorum quorum describe tells more`,
  );
  process.exitCode = 1;
}

/** A node names the active controller that it heard of last, dead or alive: whether it is there, only itself can say. */
async function askCluster(admin: AdminClient): Promise<DescribeClusterResponse> {
  const { describeCluster: cluster, describeQuorum: quorum } = AdminServiceDefinition.methods;
  const answer = await admin.read(cluster, {});
  if (answer.controllerId < 0) return answer;
  const { fromLeader, leaderId } = await admin.read(quorum, { forwarded: false });
  return { ...answer, controllerId: fromLeader ? leaderId : NO_NODE };
}

function heading({ clusterId, metadataLevel, metadataEndOffset, ...answer }: DescribeClusterResponse): string {
  const controllers = answer.controllers.map(({ listener, host, port }) => `${listener}@${host}:${port}`);
  return `cluster ${clusterId}, metadata level ${metadataLevel}, metadata end offset ${metadataEndOffset}
active controller ${answer.controllerId < 0 ? 'none' : answer.controllerId} of ${controllers.join(' ')}`;
}

const COLUMNS: readonly Column<BrokerDescription>[] = [
  { head: 'BROKER', cell: ({ brokerId }) => brokerId },
  { head: 'STATE', cell: brokerState },
  { head: 'EPOCH', cell: ({ brokerEpoch }) => brokerEpoch },
  { head: 'LEADS', cell: ({ leaderCount }) => leaderCount },
  { head: 'REPLICAS', cell: ({ replicaCount }) => replicaCount },
  { head: 'ENDPOINTS', cell: ({ endpoints }) => endpoints.map(endpointText).join(' ') },
  { head: 'SINCE', cell: ({ state }) => isoTime(state?.timestampMs ?? -1), wide: true },
  { head: 'WHY', cell: ({ state }) => state?.cause || '-', wide: true },
];
