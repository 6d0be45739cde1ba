// `kvorum broker list|describe`.
import type { BrokerDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { brokerState, endpointText } from '../broker-text.ts';
import { wholeNumber } from '../failure.ts';
import type { ListOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, isoTime, list, print } from '../output.ts';
import { recordText } from './partition-explain.ts';

const { describeCluster: describe } = AdminServiceDefinition.methods;

export async function listBrokers(options: ListOptions): Promise<void> {
  const { brokers, metadataEndOffset } = await withAdmin(options, (admin) => admin.read(describe, {}));
  await print(options.format, { brokers, metadataEndOffset }, (wide) => columns(wide, COLUMNS, brokers));
}

const COLUMNS: readonly Column<BrokerDescription>[] = [
  { head: 'BROKER', cell: ({ brokerId }) => brokerId },
  { head: 'STATE', cell: brokerState },
  { head: 'SINCE', cell: ({ state }) => isoTime(state?.timestampMs ?? -1) },
  { head: 'LEADS', cell: ({ leaderCount }) => leaderCount },
  { head: 'REPLICAS', cell: ({ replicaCount }) => replicaCount },
  { head: 'IN ISR', cell: ({ isrCount }) => isrCount },
  { head: 'ENDPOINTS', cell: ({ endpoints }) => endpoints.map(endpointText).join(' ') },
  { head: 'WHY', cell: ({ state }) => state?.cause || '-', wide: true },
  { head: 'EPOCH', cell: ({ brokerEpoch }) => brokerEpoch, wide: true },
  { head: 'RACK', cell: ({ rack }) => rack || '-', wide: true },
  { head: 'STARTS', cell: ({ bootCounter }) => bootCounter, wide: true },
  { head: 'LEVELS', cell: levels, wide: true },
  { head: 'LOG DIRS', cell: ({ logDirs }) => list(logDirs), wide: true },
  { head: 'INCARNATION', cell: ({ incarnationId }) => incarnationId, wide: true },
];

export async function describeBrokers(ids: string[], options: ListOptions): Promise<void> {
  const wanted = ids.map(wholeNumber('the id of a broker', 0));
  const { brokers, metadataEndOffset } = await withAdmin(options, (admin) => admin.read(describe, {}));
  const found = wanted.length === 0 ? brokers : brokers.filter(({ brokerId }) => wanted.includes(brokerId));
  await print(options.format, { brokers: found, metadataEndOffset }, (wide) =>
    found.map((broker) => description(broker, wide)).join('\n\n'),
  );
  const known = brokers.map(({ brokerId }) => brokerId);
  const missing = wanted.filter((id) => !known.includes(id));
  for (const id of missing) {
    console.error(`broker ${id}: not registered; registered are ${known.length === 0 ? 'none' : known.join(', ')}`);
  }
  if (missing.length > 0) process.exitCode = 1;
}

function description(broker: BrokerDescription, wide: boolean): string {
  const { state } = broker;
  const facts: [string, string | number][] = [
    ['endpoints', broker.endpoints.map(endpointText).join(' ')],
    ['leads', `${broker.leaderCount} of its ${broker.replicaCount} partitions; in the ISR of ${broker.isrCount}`],
    ['broker epoch', broker.brokerEpoch],
    ['rack', broker.rack || '-'],
    ['log dirs', list(broker.logDirs)],
    ['starts', broker.bootCounter],
    ['metadata levels', levels(broker)],
    ...(wide ? [['incarnation', broker.incarnationId] as [string, string]] : []),
  ];
  const head = `broker ${broker.brokerId}: ${brokerState(broker)}${state === undefined ? '' : `, by ${recordText(state)}`}`;
  return [head, ...facts.map(([name, value]) => `  ${name.padEnd(16)} ${value}`)].join('\n');
}

function levels({ minMetadataLevel, maxMetadataLevel }: BrokerDescription): string {
  return `${minMetadataLevel} to ${maxMetadataLevel}`;
}
