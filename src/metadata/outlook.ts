// What would give a partition another leader, or one at all, a sentence each: found out by asking what the controller would do.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { listText } from './fields.ts';
import type { PartitionState } from './image.ts';
import { ELR_LEVEL } from './level.ts';
import type { Subject } from './standing.ts';
import { availabilityClause, isAvailable } from './standing.ts';

/** What the controller would make of the partition: its state afterwards, the present one where nothing would happen. */
export interface Outlook {
  /**
   * That broker, which is registered, is active again with all its log dirs. `crashed`: it was restarted and cannot tell that its
   * logs are whole (C-2.4).
   */
  readonly returns: (brokerId: NodeId, crashed: boolean) => PartitionState;
  /** That broker is fenced. */
  readonly leaves: (brokerId: NodeId) => PartitionState;
  /** An administrator asks for that election. */
  readonly elect: (type: 'preferred' | 'unclean') => PartitionState;
  /** What allows an unclean election without asking; undefined: nothing does. */
  readonly uncleanCause: string | undefined;
}

export function whatWouldChange(subject: Subject, outlook: Outlook): string[] {
  const { leader } = subject.state;
  const sentences = leader === NO_NODE ? withoutLeader(subject, outlook) : withLeader(subject, outlook);
  return [...sentences, ...reassignmentSentences(subject)];
}

function withLeader(subject: Subject, outlook: Outlook): string[] {
  const { leader, replicas } = subject.state;
  const [preferred = NO_NODE] = replicas;
  const first =
    leader === preferred
      ? `nothing while broker ${leader} is active: it leads and is preferred`
      : preferredSentence(subject, preferred, outlook);
  return [first, leavingSentence(subject, outlook)];
}

function preferredSentence(subject: Subject, preferred: NodeId, outlook: Outlook): string {
  const { topic, partition, state } = subject;
  const elected = `a preferred election would make broker ${preferred} leader`;
  if (outlook.elect('preferred').leader === preferred) {
    const command = `kvorum partition elect ${topic.name}-${partition}`;
    return `${elected}, which is first of the replicas and in the ISR: ${command}, or by itself where auto.leader.rebalance.enable is on`;
  }
  const returns = isAvailable(subject, preferred)
    ? ''
    : `comes back (it is ${availabilityClause(subject, preferred)}), `;
  const joins = state.isr.includes(preferred) ? '' : 'catches up and is taken into the ISR, ';
  return `broker ${preferred} ${returns}${joins}then ${elected}`;
}

function leavingSentence({ state }: Subject, outlook: Outlook): string {
  const { leader, replicas } = state;
  const after = outlook.leaves(leader);
  const gone = `if broker ${leader} is fenced`;
  if (replicas.length === 1) return `${gone}, nobody leads until it comes back: it is the only replica`;
  if (after.leader === NO_NODE) {
    return `${gone}, nobody would lead: no other broker is active and has every acknowledged record`;
  }
  if (after.recovering) {
    return `${gone}, broker ${after.leader} would lead, elected uncleanly${because(outlook)}: ${LOSS}`;
  }
  return `${gone}, broker ${after.leader} would lead`;
}

const LOSS = 'acknowledged records may be lost';

function because({ uncleanCause }: Outlook): string {
  return uncleanCause === undefined ? '' : ` (${uncleanCause})`;
}

function withoutLeader(subject: Subject, outlook: Outlook): string[] {
  const { image, topic, partition, state } = subject;
  const sentences = state.replicas.flatMap((id) => returnSentence(subject, id, outlook) ?? []);
  const forced = outlook.elect('unclean');
  if (forced.leader !== NO_NODE) {
    const command = `kvorum partition elect --type unclean ${topic.name}-${partition}`;
    const flag = `unclean.leader.election.enable=true for topic ${topic.name}`;
    sentences.push(`${flag}, or ${command}: would make broker ${forced.leader} leader, and ${LOSS}`);
  } else if (image.level < ELR_LEVEL && state.replicas.some((id) => isAvailable(subject, id))) {
    sentences.push(
      `unclean elections need metadata level ${ELR_LEVEL}, and it is ${image.level}: kvorum cluster upgrade`,
    );
  }
  if (sentences.length > 0) return sentences;
  const { replicas } = state;
  return [
    `one of the replicas ${listText(replicas)} comes back, and then an unclean election is allowed or asked for: ${LOSS}`,
  ];
}

/** Undefined where the return of the broker alone gives no leader. */
function returnSentence(subject: Subject, brokerId: NodeId, outlook: Outlook): string | undefined {
  const { isr, elr, replicas } = subject.state;
  if (isAvailable(subject, brokerId)) return undefined;
  const after = outlook.returns(brokerId, false);
  if (after.leader === NO_NODE) return undefined;
  const crashed = outlook.returns(brokerId, true);
  const returns = `broker ${brokerId} comes back`;
  if (replicas.length === 1 && crashed.leader === brokerId) return `${returns}: it is the only replica and would lead`;
  if (after.recovering) return `${returns}: it would lead, elected uncleanly${because(outlook)}, and ${LOSS}`;
  const standing = isr.includes(brokerId) ? 'is in the ISR' : elr.includes(brokerId) ? 'is in the ELR' : 'is a replica';
  const leads = after.leader === brokerId ? `it ${standing} and would lead` : `broker ${after.leader} would lead`;
  if (crashed.leader === after.leader && !crashed.recovering) return `${returns}: ${leads}`;
  const otherwise = crashed.leader === NO_NODE ? 'nobody would' : `it would be elected uncleanly, and ${LOSS}`;
  return `${returns}: ${leads}, unless a power cut or a lost disk may have cost it records; then ${otherwise}`;
}

function reassignmentSentences({ state }: Subject): string[] {
  const { replicas, adding, removing } = state;
  if (adding.length + removing.length === 0) return [];
  const target = replicas.filter((id) => !removing.includes(id));
  const when = adding.length === 0 ? 'when the others are in the ISR' : `when ${listText(adding)} are in the ISR`;
  return [`the reassignment is complete ${when}: its replicas are ${listText(target)} then, of which one leads`];
}
