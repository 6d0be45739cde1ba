// How a replica of a partition stands: whether its broker may lead it, and whether it has every acknowledged record (C-5.1, C-5.2).
import type { NodeId } from '../base/ids.ts';
import { LOST_DIRECTORY, ZERO_UUID } from '../base/uuid.ts';
import { brokerStateText } from './fields.ts';
import type { MetadataImage, PartitionState, TopicImage } from './image.ts';
import { ELR_LEVEL } from './level.ts';

/** A partition and what it is explained from. */
export interface Subject {
  readonly image: MetadataImage;
  readonly topic: TopicImage;
  readonly partition: number;
  readonly state: PartitionState;
}

const ACTIVE = 'active';

/** `active`, or why the broker may neither lead the partition nor be in its ISR. */
export function availabilityText({ image, state }: Subject, brokerId: NodeId): string {
  const broker = image.brokers.get(brokerId);
  if (broker === undefined) return 'not registered';
  const text = brokerStateText(broker);
  if (text !== ACTIVE) return text;
  const directory = state.directories[state.replicas.indexOf(brokerId)] ?? ZERO_UUID;
  if (directory === LOST_DIRECTORY) return 'its log is damaged, or lacks committed records';
  return directory === ZERO_UUID || broker.logDirs.includes(directory) ? ACTIVE : `its log dir ${directory} is offline`;
}

/** The same after "broker 4 is". */
export function availabilityClause(subject: Subject, brokerId: NodeId): string {
  const text = availabilityText(subject, brokerId);
  return text.startsWith('its') ? `there, but ${text}` : text;
}

/** C-5.1. */
export function isAvailable(subject: Subject, brokerId: NodeId): boolean {
  return availabilityText(subject, brokerId) === ACTIVE;
}

/** C-5.2: whether it could lead now without loss. */
export function isEligible(subject: Subject, brokerId: NodeId): boolean {
  const { isr, elr } = subject.state;
  const holdsAll = isr.includes(brokerId) || (isr.length === 0 && elr.includes(brokerId));
  return holdsAll && isAvailable(subject, brokerId);
}

/** Whether it has every acknowledged record. */
export function membershipText({ image, state }: Subject, brokerId: NodeId): string {
  const { replicas, isr, elr, leader, recovering } = state;
  if (isr.includes(brokerId)) {
    // An only replica has whatever there is.
    return recovering && leader === brokerId && replicas.length > 1
      ? 'alone in the ISR: it was elected uncleanly and recovers'
      : 'in the ISR';
  }
  if (elr.includes(brokerId)) {
    if (replicas.length === 1) return 'in the ELR: it is the only replica';
    const unless = isr.length === 0 ? '' : ', but may lead only when the ISR is empty';
    return `in the ELR: it has every acknowledged record${unless}`;
  }
  const where = image.level < ELR_LEVEL ? 'not in the ISR' : 'in neither ISR nor ELR';
  const joins = state.adding.includes(brokerId) ? ', and is being added' : '';
  return `${where}: it may lack acknowledged records${joins}`;
}
