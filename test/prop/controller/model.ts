// The controller as simply as it can be said: versions of a small state, of which the first ones are committed. No offsets but those of
// registrations, no placement (that is the controller's to choose), min.insync.replicas 1. Whatever the real one appends is one version.
import type { NodeId } from '../../../src/base/ids.ts';

export interface ModelPartition {
  readonly replicas: readonly NodeId[];
  isr: readonly NodeId[];
  elr: readonly NodeId[];
  leader: NodeId;
  leaderEpoch: number;
  partitionEpoch: number;
}

export interface ModelBroker {
  epoch: number;
  boot: number;
  isActive: boolean;
}

export interface ModelState {
  brokers: Record<NodeId, ModelBroker>;
  /** `born`: which topic of this name it is. */
  topics: Record<string, { born: number; configs: Record<string, string>; partitions: ModelPartition[] }>;
  /** What the newest command of each client was answered. */
  answers: Record<string, { sequence: number; answer: string }>;
}

interface Version {
  readonly state: ModelState;
  /** Of the log with it. */
  readonly endOffset: number;
}

export class Model {
  #versions: Version[] = [{ state: { brokers: {}, topics: {}, answers: {} }, endOffset: 0 }];
  /** Of the newest one that is committed. */
  #committed = 0;
  isActive = false;

  /** What commands are decided on. */
  get working(): ModelState {
    return (this.#versions.at(-1) as Version).state;
  }

  get committed(): ModelState {
    return (this.#versions[this.#committed] as Version).state;
  }

  /** How many versions wait to be committed. */
  get waiting(): number {
    return this.#versions.length - 1 - this.#committed;
  }

  /** The log up to here makes what the working state says. */
  get endOffset(): number {
    return (this.#versions.at(-1) as Version).endOffset;
  }

  /** C-0.1: a change becomes the working state at once. `endOffset`: of the log after its batch. */
  change(endOffset: number, apply: (state: ModelState) => void): void {
    const state = structuredClone(this.working);
    apply(state);
    this.#versions.push({ state, endOffset });
  }

  /** The next `count` versions are committed; returns the end of the log with them. */
  commit(count: number): number {
    this.#committed = Math.min(this.#committed + count, this.#versions.length - 1);
    return (this.#versions[this.#committed] as Version).endOffset;
  }

  /** C-0.3: what was not committed is gone. */
  depose(): void {
    this.isActive = false;
    this.#versions.length = this.#committed + 1;
  }
}

function partitionsOf(state: ModelState): ModelPartition[] {
  return Object.values(state.topics).flatMap(({ partitions }) => partitions);
}

/** C-5 with min.insync.replicas 1: who leaves a large enough ISR is forgotten, the last one is the ELR. */
export function leave(state: ModelState, id: NodeId, isUnclean = false): void {
  const broker = state.brokers[id];
  for (const partition of partitionsOf(state)) {
    const { isr, elr, replicas, leader } = partition;
    // Of a single replica nobody could have more.
    const isLost = isUnclean && replicas.length > 1;
    if (!isr.includes(id) && !(isUnclean && elr.includes(id) && isLost)) continue;
    const rest = isr.filter((member) => member !== id);
    const eligible = [...isr, ...elr].filter((member) => !(isLost && member === id));
    partition.isr = rest;
    partition.elr = rest.length > 0 ? [] : eligible;
    partition.partitionEpoch++;
    if (leader !== id) continue;
    partition.leader = replicas.find((member) => rest.includes(member)) ?? -1;
    partition.leaderEpoch++;
  }
  if (broker !== undefined) broker.isActive = false;
}

/** C-3.6. */
export function comeBack(state: ModelState, id: NodeId): void {
  const broker = state.brokers[id];
  if (broker !== undefined) broker.isActive = true;
  for (const partition of partitionsOf(state)) {
    if (partition.leader !== -1 || !partition.elr.includes(id)) continue;
    Object.assign(partition, { leader: id, isr: [id], elr: [] });
    partition.leaderEpoch++;
    partition.partitionEpoch++;
  }
}

/** What C-6 says to a change of an ISR that is asked for with these epochs; 'done' for none of its errors. */
export function judgeAlteration(
  state: ModelState,
  partition: ModelPartition,
  asked: { readonly leaderEpoch: number; readonly partitionEpoch: number; readonly isr: readonly NodeId[] },
  knows: (id: NodeId) => number,
): string {
  const { leaderEpoch, partitionEpoch } = asked;
  if (leaderEpoch > partition.leaderEpoch || partitionEpoch > partition.partitionEpoch) return 'NOT_CONTROLLER';
  if (leaderEpoch < partition.leaderEpoch) return 'FENCED_LEADER_EPOCH';
  if (partitionEpoch < partition.partitionEpoch) return 'INVALID_UPDATE_VERSION';
  const isEligible = (id: NodeId): boolean =>
    state.brokers[id]?.isActive === true && state.brokers[id].epoch === knows(id);
  return asked.isr.every(isEligible) ? 'done' : 'INELIGIBLE_REPLICA';
}
