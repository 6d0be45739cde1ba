// `kvorum partition explain`.
import type { ExplainPartitionResponse, RecordReference, ReplicaExplanation } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { UsageError, wholeNumber } from '../failure.ts';
import { sayFailures } from '../items.ts';
import type { ExplainOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, isoTime, list, print } from '../output.ts';
import { readingsOf } from '../partition-name.ts';

export async function explainPartition(
  topic: string,
  partition: string | undefined,
  options: ExplainOptions,
): Promise<void> {
  const request = requestOf(topic, partition);
  const { explainPartition: explain } = AdminServiceDefinition.methods;
  const answer = await withAdmin(options, (admin) => admin.read(explain, request));
  const name = `${request.topic}-${request.partition}`;
  await print(options.format, answer, (wide) => (answer.error === undefined ? explanation(name, answer, wide) : ''));
  sayFailures(options.format, [{ name, error: answer.error }]);
}

function requestOf(topic: string, partition: string | undefined): { topic: string; partition: number } {
  if (partition !== undefined) return { topic, partition: wholeNumber('PARTITION', 0)(partition) };
  const { asPartition } = readingsOf(topic);
  if (asPartition === undefined) {
    throw new UsageError(`say which partition of ${topic}: kvorum partition explain ${topic} 0`);
  }
  return asPartition;
}

export function explanation(name: string, answer: ExplainPartitionResponse, wide: boolean): string {
  const { state, topicId, verdict, decidedBy, replicas, whatWouldChange } = answer;
  const lines = [`${name}${wide ? ` (topic id ${topicId})` : ''}: ${verdict}`];
  if (decidedBy !== undefined) {
    const isSaid = verdict.includes(decidedBy.cause);
    lines.push(`decided by ${recordText(isSaid ? { ...decidedBy, cause: '' } : decidedBy)}`);
  }
  if (state !== undefined) {
    const more = [
      `partition epoch ${state.partitionEpoch}`,
      `ISR ${list(state.isr)}`,
      `ELR ${list(state.elr)}`,
      ...(state.lastKnownLeader < 0 ? [] : [`led last by ${state.lastKnownLeader}`]),
      ...(state.recovering ? ['recovering from an unclean election'] : []),
      ...(state.adding.length + state.removing.length === 0
        ? []
        : [`adding ${list(state.adding)}, removing ${list(state.removing)}`]),
    ];
    lines.push(
      `leader ${state.leader < 0 ? 'none' : state.leader}, leader epoch ${state.leaderEpoch}, ${more.join(', ')}`,
    );
  }
  lines.push('', columns(wide, COLUMNS, replicas));
  if (whatWouldChange.length > 0) lines.push('', 'What would change it:', ...whatWouldChange.map((it) => `  - ${it}`));
  return lines.join('\n');
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

const COLUMNS: readonly Column<ReplicaExplanation>[] = [
  { head: 'BROKER', cell: ({ brokerId }) => brokerId },
  { head: 'IN ISR', cell: ({ inIsr }) => yesNo(inIsr) },
  { head: 'IN ELR', cell: ({ inElr }) => yesNo(inElr) },
  { head: 'CAN LEAD', cell: ({ eligible }) => yesNo(eligible) },
  { head: 'WHY', cell: ({ reason }) => reason },
  {
    head: 'STATE OF ITS BROKER',
    cell: ({ brokerState }) => (brokerState === undefined ? '-' : recordText(brokerState)),
    wide: true,
  },
];

/** `record 120 of epoch 3 at 2026-01-31T12:00:00.000Z: broker 4 fenced`, as far as that is known. */
export function recordText({ offset, epoch, timestampMs, cause }: RecordReference): string {
  const parts = [
    offset < 0 ? 'a record whose offset is not known' : `record ${offset}`,
    ...(epoch < 0 ? [] : [`of epoch ${epoch}`]),
    ...(timestampMs < 0 ? [] : [`at ${isoTime(timestampMs)}`]),
  ];
  return `${parts.join(' ')}${cause === '' ? '' : `: ${cause}`}`;
}
