// One step of one partition: S-M2, and S-M4 with the rules of ELRs and unclean elections that it stands on (C-5.5, C-5.7, C-5.8).
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { SeenUncleanElection } from './metadata-records.ts';
import type { MetadataState, PartitionFacts, PartitionStep } from './metadata-state.ts';
import { nameOf } from './metadata-state.ts';
import type { Violation } from './violation.ts';
import { violation } from './violation.ts';

/** From this metadata level on there are ELRs. */
export const ELR_LEVEL = 2;

/** From this metadata level on there is the loss ledger. */
export const LEDGER_LEVEL = 3;

/** S-M2. `where`: for the message. */
export function checkShape(state: PartitionFacts, level: number, where: string): Violation | undefined {
  const { replicas, isr, elr, leader, lastKnownLeader, recovering } = state;
  const wrong = (what: string): Violation => violation('S-M2', `${where}: ${what} (${show(state)})`);
  if (leader !== NO_NODE && !isr.includes(leader)) return wrong(`the leader is not in the ISR`);
  if (!isSubset(isr, replicas)) return wrong('the ISR is not a set of replicas');
  if (!isSubset(elr, replicas)) return wrong('the ELR is not a set of replicas');
  if (!isSubset(replicas, replicas)) return wrong('a replica is there twice');
  if (elr.some((id) => isr.includes(id))) return wrong('a member of the ELR is in the ISR');
  if (recovering && isr.length > 1) return wrong('it recovers, and its ISR has more than one member');
  if (lastKnownLeader !== NO_NODE && leader !== NO_NODE) return wrong('it has a leader and a last known one');
  if (level >= ELR_LEVEL) return undefined;
  if (isr.length === 0) return wrong('its ISR is empty at metadata level 1');
  return elr.length > 0 || recovering ? wrong('it has what metadata level 1 does not know') : undefined;
}

function isSubset(ids: readonly NodeId[], all: readonly NodeId[]): boolean {
  return ids.every((id, i) => all.includes(id) && ids.indexOf(id) === i);
}

/** S-M4. `unclean`: the record of this batch that explains the step; `isAllowed`: a config or an administrator allows it. */
export function checkElection(
  step: PartitionStep,
  unclean: SeenUncleanElection | undefined,
  isAllowed: boolean,
): Violation | undefined {
  const { at, before, after, setsLeader } = step;
  const wrong = (what: string): Violation => {
    const was = before === undefined ? '' : `${show(before)} → `;
    return violation('S-M4', `${nameOf(at)}: ${what} (${was}${show(after)})`);
  };
  if (before === undefined) return after.recovering ? wrong('a new partition recovers') : undefined;
  if (unclean !== undefined) {
    if (!setsLeader || after.leader === NO_NODE) return wrong('an unclean election is recorded, and elects nobody');
    return checkUnclean(before, after, unclean, isAllowed, wrong);
  }
  if (after.recovering && !before.recovering) return wrong('it recovers without an unclean election');
  if (!after.recovering && before.recovering && (after.leader === NO_NODE || setsLeader)) {
    return wrong('it has recovered without its leader');
  }
  if (!setsLeader || after.leader === NO_NODE || before.isr.includes(after.leader)) return undefined;
  if (!before.elr.includes(after.leader)) return wrong(`broker ${after.leader} was in no ISR and no ELR`);
  if (after.isr.length !== 1) return wrong(`broker ${after.leader} was elected from the ELR beside an ISR`);
  return undefined;
}

/** C-5.7. */
function checkUnclean(
  before: PartitionFacts,
  after: PartitionFacts,
  record: SeenUncleanElection,
  isAllowed: boolean,
  wrong: (what: string) => Violation,
): Violation | undefined {
  const { leader, oldLeaderEpoch, newLeaderEpoch, oldIsr, oldElr, cause } = record;
  if (!isAllowed) return wrong(`an unclean election (${cause}) that nobody allowed`);
  if (cause === '') return wrong('an unclean election without a cause');
  const isTrue =
    leader === after.leader &&
    oldLeaderEpoch === before.leaderEpoch &&
    newLeaderEpoch === after.leaderEpoch &&
    oldIsr.join() === before.isr.join() &&
    oldElr.join() === before.elr.join();
  if (!isTrue) return wrong('the record of an unclean election does not say what happened');
  const isWhole = after.recovering && after.isr.length === 1 && after.elr.length === 0;
  return isWhole ? undefined : wrong('after an unclean election the leader does not begin alone, recovering');
}

/** C-5.5. `state`: as of the step. */
export function checkElr({ at, before, after }: PartitionStep, state: MetadataState): Violation | undefined {
  if (before === undefined) {
    return after.elr.length === 0 ? undefined : violation('S-M4', `${nameOf(at)} is created with an ELR`);
  }
  const stranger = after.elr.find((id) => !before.elr.includes(id) && !before.isr.includes(id));
  if (stranger !== undefined) {
    const detail = `${nameOf(at)}: broker ${stranger} came into the ELR from nowhere (${show(before)} → ${show(after)})`;
    return violation('S-M4', detail);
  }
  const minIsr = state.minIsrOf(at);
  if (after.elr.length === 0 || after.isr.length < minIsr) return undefined;
  const detail = `${nameOf(at)} has an ELR beside an ISR of ${after.isr.length}, ${minIsr} are enough (${show(after)})`;
  return violation('S-M4', detail);
}

export function show({ isr, elr, leader, leaderEpoch, partitionEpoch, recovering }: PartitionFacts): string {
  const rest = `${elr.length > 0 ? ` ELR [${elr.join()}]` : ''}${recovering ? ' recovering' : ''}`;
  return `leader ${leader} epoch ${leaderEpoch}/${partitionEpoch} ISR [${isr.join()}]${rest}`;
}
