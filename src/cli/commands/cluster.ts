// `kvorum cluster describe`, `kvorum quorum describe`.
import type { BrokerDescription, QuorumReplica } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import type { Asking } from '../command-options.ts';
import { print, table } from '../output.ts';
import { withAdmin } from '../server-option.ts';

const { describeCluster: cluster, describeQuorum: quorum } = AdminServiceDefinition.methods;

function stateOf(broker: BrokerDescription): string {
  return broker.inControlledShutdown ? 'leaving' : broker.fenced ? 'fenced' : 'active';
}

export async function describeCluster(options: Asking): Promise<void> {
  const answer = await withAdmin(options, ({ call }) => call(cluster, {}));
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
}

export async function describeQuorum(options: Asking): Promise<void> {
  const answer = await withAdmin(options, ({ call }) => call(quorum, { forwarded: false }));
  const row = (kind: string) => (replica: QuorumReplica) => [
    replica.nodeId,
    replica.nodeId === answer.leaderId ? 'leader' : kind,
    replica.logEndOffset < 0 ? '?' : replica.logEndOffset,
    replica.logEndOffset < 0 ? '?' : Math.max(0, answer.highWatermark - replica.logEndOffset),
    age(replica.lastFetchAgeMs),
    age(replica.lastCaughtUpAgeMs),
    replica.directoryId,
  ];
  print(options.json, answer, () => {
    const rows = [...answer.voters.map(row('voter')), ...answer.observers.map(row('observer'))];
    return `leader ${answer.leaderId}, epoch ${answer.leaderEpoch}, high watermark ${answer.highWatermark}

${table(['NODE', 'ROLE', 'LOG END', 'LAG', 'LAST FETCH', 'LAST CAUGHT UP', 'DIRECTORY'], rows)}`;
  });
}

function age(ms: number): string {
  return ms < 0 ? 'never' : `${Math.round(ms)} ms ago`;
}
