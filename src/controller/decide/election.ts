// Who leads a partition (C-5.2, C-5.3, C-5.6): one rule for every number of replicas and every kind of election.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import type { Acceptable, Placed } from './acceptable.ts';

/**
 * online: keep a valid leader, else find one. preferred: the first replica, if it is valid, even where another leads. unclean: as
 * online, and where nobody is valid any replica that is acceptable.
 */
export type ElectionKind = 'online' | 'preferred' | 'unclean';

/** What the election goes by: the ISR and ELR that result from the operation (C-5.5). */
export type Candidates = Placed & Pick<PartitionState, 'isr' | 'elr'>;

export interface ElectionRules {
  readonly acceptable: Acceptable;
  readonly election: ElectionKind;
  /** What allows an unclean election (C-5.7), for people; undefined: nothing does. */
  readonly uncleanCause: string | undefined;
}

export interface Elected {
  /** -1: nobody. */
  readonly leader: NodeId;
  /** It may lack acknowledged records. */
  readonly unclean: boolean;
}

export function elect(
  present: Pick<PartitionState, 'leader' | 'lastKnownLeader'>,
  candidates: Candidates,
  { acceptable, election, uncleanCause }: ElectionRules,
): Elected {
  const { replicas, isr, elr } = candidates;
  const eligible = isr.length > 0 ? isr : elr;
  const valid = (id: NodeId): boolean => eligible.includes(id) && acceptable(id, candidates);
  const [first = NO_NODE] = replicas;
  if (election === 'preferred' && valid(first)) return { leader: first, unclean: false };
  const leader = valid(present.leader) ? present.leader : replicas.find(valid);
  if (leader !== undefined) return { leader, unclean: false };
  if (uncleanCause === undefined || election === 'preferred') return { leader: NO_NODE, unclean: false };
  const last = present.lastKnownLeader;
  const isKnown = eligible.length === 0 && last !== NO_NODE;
  if (isKnown && acceptable(last, candidates)) return { leader: last, unclean: true }; // C-5.6
  const any = election === 'unclean' ? replicas.find((id) => acceptable(id, candidates)) : undefined;
  return any === undefined ? { leader: NO_NODE, unclean: false } : { leader: any, unclean: true };
}

/** Whether the broker leads any partition. */
export function hasLeaderships(image: MetadataImage, brokerId: NodeId): boolean {
  return (image.loads.get(brokerId)?.leaders ?? 0) > 0;
}
