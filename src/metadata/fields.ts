// The parts of a partition, a broker and a topic as people read them, one by one: whoever tells what changed compares these.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { LOST_DIRECTORY, ZERO_UUID } from '../base/uuid.ts';
import type { BrokerRegistration, PartitionState, Provenance, TopicImage } from './image.ts';

/** Name and text of one part. Two values of a kind have the same names in the same order. */
export interface Field {
  readonly name: string;
  readonly text: string;
  /** Goes without saying where the whole is told. */
  readonly isPlain?: boolean;
}

function nodeText(id: NodeId): string {
  return id === NO_NODE ? 'none' : String(id);
}

export function listText(ids: readonly NodeId[]): string {
  return `[${ids.join()}]`;
}

export function partitionFields(state: PartitionState): Field[] {
  const { leader, leaderEpoch, partitionEpoch, replicas, isr, elr, adding, removing, lastKnownLeader } = state;
  const list = (name: string, ids: readonly NodeId[]): Field => ({
    name,
    text: listText(ids),
    isPlain: ids.length === 0,
  });
  return [
    { name: 'leader', text: nodeText(leader) },
    { name: 'leader epoch', text: String(leaderEpoch) },
    { name: 'replicas', text: listText(replicas) },
    { name: 'ISR', text: listText(isr) },
    list('ELR', elr),
    { name: 'last known leader', text: nodeText(lastKnownLeader), isPlain: lastKnownLeader === NO_NODE },
    { name: 'recovering', text: state.recovering ? 'yes' : 'no', isPlain: !state.recovering },
    list('adding', adding),
    list('removing', removing),
    { name: 'directories', text: directoriesText(state.directories), isPlain: true },
    { name: 'partition epoch', text: String(partitionEpoch) },
  ];
}

function directoriesText(directories: readonly string[]): string {
  const text = (id: string): string => (id === ZERO_UUID ? 'not known' : id === LOST_DIRECTORY ? 'lost' : id);
  return `[${directories.map(text).join()}]`;
}

/** `active`, or why it is not. */
export function brokerStateText(broker: BrokerRegistration): string {
  const { fenced, inControlledShutdown, state } = broker;
  if (fenced) return `fenced${sinceText(state)}`;
  return inControlledShutdown ? `shutting down${sinceText(state)}` : 'active';
}

/** ` since offset 88: session expired`; empty if that is not known. */
function sinceText({ offset, cause }: Provenance): string {
  return offset < 0 ? '' : ` since offset ${offset}${cause === '' ? '' : `: ${cause}`}`;
}

export function brokerFields(broker: BrokerRegistration): Field[] {
  const endpoints = broker.endpoints.map(({ listener, host, port }) => `${listener}://${host}:${port}`);
  return [
    { name: 'state', text: brokerStateText(broker) },
    { name: 'broker epoch', text: String(broker.brokerEpoch) },
    { name: 'incarnation', text: broker.incarnationId },
    { name: 'boot counter', text: String(broker.bootCounter) },
    { name: 'endpoints', text: `[${endpoints.join()}]` },
    { name: 'rack', text: broker.rack === '' ? 'none' : broker.rack, isPlain: broker.rack === '' },
    { name: 'log dirs online', text: `[${broker.logDirs.join()}]` },
    { name: 'metadata levels', text: `${broker.minMetadataLevel} to ${broker.maxMetadataLevel}` },
  ];
}

export function topicFields({ topicId, partitions }: TopicImage): Field[] {
  return [
    { name: 'id', text: topicId },
    { name: 'partitions', text: String(partitions.size) },
  ];
}

/** All that is worth saying: `leader 4, leader epoch 7, replicas [4,5], ISR [4,5], partition epoch 9`. */
export function wholeText(fields: readonly Field[]): string {
  return textOf(fields.filter(({ isPlain }) => isPlain !== true));
}

export function textOf(fields: readonly Field[]): string {
  return fields.map(({ name, text }) => `${name} ${text}`).join(', ');
}

/** The fields that are not the same, as they were and as they are. */
export function changedFields(
  before: readonly Field[],
  after: readonly Field[],
): { readonly before: Field; readonly after: Field }[] {
  return before.flatMap((old, i) => {
    const now = after[i];
    return now === undefined || now.text === old.text ? [] : [{ before: old, after: now }];
  });
}

/** `leader 4 → 5, leader epoch 6 → 7, ISR [4,5] → [5]`; empty if nothing changed. */
export function changeText(before: readonly Field[], after: readonly Field[]): string {
  const changes = changedFields(before, after);
  return changes.map(({ before: { name, text }, after: { text: now } }) => `${name} ${text} → ${now}`).join(', ');
}

/** `segment.bytes=100`, or that it is not set. */
export function settingText(key: string, value: string | undefined): string {
  return value === undefined ? `${key} not set` : `${key}=${value}`;
}
