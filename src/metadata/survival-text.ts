// What a topic survives, in one sentence: the partitions without a leader, the guarantee of the others, why it is no better, and then the
// partitions that are worse off.
import type { NodeId } from '../base/ids.ts';
import { listText } from './fields.ts';
import type { PartitionState } from './image.ts';
import type { PartitionFacts, SurvivalNumbers } from './partition-survival.ts';

export interface SentenceFacts {
  readonly topic: string;
  readonly partitions: readonly PartitionState[];
  /** Of the partitions, same order. */
  readonly facts: readonly PartitionFacts[];
  /** Of the partitions that have a leader, together; undefined: none has. */
  readonly ofLed: SurvivalNumbers | undefined;
  /** The smallest in force. */
  readonly minIsr: number;
  readonly uncleanCause: string | undefined;
}

/** e.g. `kill and power loss of all brokers; loss of 1 disk of 3`. */
export function survivalSentence(of: SentenceFacts): string {
  const { ofLed } = of;
  const [leaderless, ...others] = troubles(of);
  if (ofLed === undefined) return ['nothing is sure', ...leaderless, ...others].join('; ');
  const guarantee = guaranteeText(ofLed, of);
  // What cannot be used now comes first.
  return [...leaderless, leaderless.length === 0 ? guarantee : `the others: ${guarantee}`, ...others].join('; ');
}

function guaranteeText(numbers: SurvivalNumbers, of: SentenceFacts): string {
  const { allProcesses, allPowers, powers, disks, anyRack, replicas } = numbers;
  const rack = anyRack ? ['loss of any one rack'] : [];
  if (!allProcesses) {
    const cause = `${of.uncleanCause ?? ''} lets a replica lead that lacks acknowledged records`;
    if (disks === 0) return `no kill, power loss or loss of a disk: ${weakness(of)}, and ${cause}`;
    return [
      `kill, power loss or loss of the disk of any ${disks} of ${replicas}, not of ${disks + 1}: ${cause}`,
      ...rack,
    ].join('; ');
  }
  const lost =
    disks === 0
      ? `no loss of a disk: ${weakness(of)}`
      : `loss of ${disks} disk${disks === 1 ? '' : 's'} of ${replicas}`;
  if (allPowers) return ['kill and power loss of all brokers', lost, ...rack].join('; ');
  const power = powers === 0 ? 'no power loss' : `power loss of any ${powers} of ${replicas}, not of ${powers + 1}`;
  return ['kill of all processes', `${power}${besideAsync(of)}`, lost, ...rack].join('; ');
}

/** Brokers whose other partitions are why a power cut at them counts. */
function besideAsync({ facts }: SentenceFacts): string {
  const brokers = new Set<NodeId>();
  for (const { replicas } of facts) {
    for (const { brokerId, isSynced, isPowerSafe } of replicas) if (isSynced && !isPowerSafe) brokers.add(brokerId);
  }
  if (brokers.size === 0) return '';
  const some = listText([...brokers].toSorted((a, b) => a - b));
  return `, as brokers ${some} have partitions of other topics with log.flush.mode=async`;
}

/** Why one disk is all that a record may be on. */
function weakness({ facts, minIsr }: SentenceFacts): string {
  if (facts.some(({ replicas }) => replicas.length === 1)) return 'there is one replica';
  if (minIsr === 1) return 'min.insync.replicas is 1';
  return 'one replica alone is known to have all';
}

/** Partitions that are worse off, and what that means: those without a leader, then others. */
function troubles({ topic, partitions, facts }: SentenceFacts): [leaderless: string[], ...others: string[]] {
  const where = (test: (state: PartitionState, facts: PartitionFacts) => boolean): number[] =>
    partitions.flatMap((state, i) => {
      const its = facts[i];
      return its !== undefined && test(state, its) ? [i] : [];
    });
  const leaderless = where((_, { isLed }) => !isLed);
  const recovering = where(({ recovering: is, replicas }) => is && replicas.length > 1);
  const short = where(({ isr }, { isLed, minIsr }) => isLed && isr.length < minIsr);
  return [
    leaderless.length === 0 ? [] : [leaderlessText(leaderless, partitions)],
    ...(short.length === 0 ? [] : [`${named(short)} under min ISR: acks=all is refused there`]),
    ...(recovering.length === 0
      ? []
      : [`${named(recovering)} after an unclean election: kvorum partition losses ${topic} tells what was lost`]),
  ];
}

function leaderlessText(leaderless: readonly number[], partitions: readonly PartitionState[]): string {
  const holders = leaderless.map((i) => [...(partitions[i]?.isr ?? []), ...(partitions[i]?.elr ?? [])]);
  const [first] = leaderless;
  const only = leaderless.length === 1 && first !== undefined ? holders[0] : undefined;
  const lost = holders.filter((ids) => ids.length === 0).length;
  const fate =
    only === undefined
      ? lost === 0
        ? 'what was acknowledged is with brokers that are down'
        : `no replica is known to have all that was acknowledged in ${lost} of them`
      : fateOf(only);
  return `no leader in ${named(leaderless)}: ${fate}`;
}

function fateOf(holders: readonly NodeId[]): string {
  if (holders.length === 0) return 'no replica is known to have all that was acknowledged';
  const [first] = holders;
  return holders.length === 1
    ? `what was acknowledged is with broker ${first}, which is down`
    : `what was acknowledged is with brokers ${holders.join(' and ')}, which are down`;
}

const MOST_NAMED = 5;

function named(partitions: readonly number[]): string {
  const some = partitions.slice(0, MOST_NAMED).join(', ');
  const more = partitions.length > MOST_NAMED ? ` and ${partitions.length - MOST_NAMED} more` : '';
  return `partition${partitions.length === 1 ? '' : 's'} ${some}${more}`;
}
