// Readable schedules: says step by step what happens to a simulated quorum, over the same world, checkers and core as the random
// runs. After the first election nobody campaigns by itself: who does is said by `campaign`.
import type { RaftResponse, VoterChange } from '../../../src/raft/types.ts';
import type { CheckerName } from '../../../src/sim/raft/checks/all.ts';
import type { RaftCore } from '../../../src/sim/raft/core.ts';
import { feed, localNow } from '../../../src/sim/raft/driver.ts';
import type { SimEvent } from '../../../src/sim/raft/event-queue.ts';
import { currentLeader } from '../../../src/sim/raft/faults.ts';
import type { NodeView } from '../../../src/sim/raft/ghost.ts';
import { endOffsetOf } from '../../../src/sim/raft/log-entry.ts';
import { crashProcess, startProcess } from '../../../src/sim/raft/process.ts';
import { endpointOf } from '../../../src/sim/raft/replica-key.ts';
import type { SimConfig } from '../../../src/sim/raft/scenario.ts';
import { CALM_CONFIG, CALM_WORKLOAD } from '../../../src/sim/raft/scenario.ts';
import { happen, openRun } from '../../../src/sim/raft/simulate.ts';
import { Violation } from '../../../src/sim/raft/violation.ts';
import { askForChange } from '../../../src/sim/raft/voter-workload.ts';
import { propose } from '../../../src/sim/raft/workload.ts';
import type { SimNode, World } from '../../../src/sim/raft/world.ts';

export interface ScriptOptions {
  readonly core?: RaftCore | undefined;
  readonly without?: readonly CheckerName[] | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

const FAR_US = 1e15;

export class Script {
  readonly world: World;
  /** Whether timers make nodes campaign. */
  #free = true;
  readonly #held: { readonly to: number; readonly message: RaftResponse; readonly call: number }[] = [];
  #holds: ((from: number, to: number) => boolean) | undefined;

  /** A quorum whose leader is node 0, with everybody caught up. */
  constructor(config: Partial<SimConfig> = {}, { core, without = [], trace }: ScriptOptions = {}) {
    const scenario = {
      schemaVersion: 1,
      seed: 1,
      config: { ...CALM_CONFIG, bootstrapMs: 0, faultPhaseMs: 1e9, ...config },
      faults: [],
      triggers: [],
      workload: { ...CALM_WORKLOAD, intervalMs: 0, maxRecords: 1 },
    } as const;
    this.world = openRun(scenario, {
      without,
      ...(core === undefined ? {} : { core }),
      ...(trace === undefined ? {} : { trace }),
    });
    this.until('everybody follows a leader', () => this.nodes.every(({ highWatermark }) => highWatermark >= 2));
    this.#free = false;
    if (this.leader !== 0) this.kill(this.leader).restart(this.leader).campaign(0);
    this.until('node 0 leads', () => this.view(0).claimEpoch > 0);
    this.until('everybody has its log', () => this.nodes.every((view) => this.end(view.id) === this.end(0)));
  }

  get nodes(): readonly NodeView[] {
    return this.world.observer.ghost.nodes;
  }

  /** The living one of the highest epoch, -1 if there is none. */
  get leader(): number {
    return currentLeader(this.world) ?? -1;
  }

  view(id: number): NodeView {
    return this.#node(id).view;
  }

  /** Log end as written, and as synced. */
  end(id: number): number {
    return endOffsetOf(this.view(id).disk.written);
  }

  synced(id: number): number {
    return endOffsetOf(this.view(id).disk.synced);
  }

  // ---- time ----

  /** Lets things happen until that is so; fails if it does not come within ten seconds. */
  until(what: string, holds: () => boolean): this {
    const limit = this.world.now + 10_000_000;
    while (!holds()) {
      if (this.world.now > limit || !this.#step(limit + 1)) throw new Error(`never: ${what}`);
    }
    return this;
  }

  after(ms: number): this {
    const until = this.world.now + ms * 1000;
    while (this.#step(until));
    return this;
  }

  /** From now on everybody campaigns by itself again. */
  letGo(): this {
    this.#free = true;
    for (const { view } of this.world.nodes) this.fire(view.id);
    return this;
  }

  /** Everybody is up and can talk, but for those that stay dead: the run ends as any other (L-R1). */
  recover(...dead: number[]): this {
    this.#holds = undefined;
    for (const link of this.world.links) link.cuts = 0;
    for (const node of this.world.nodes) {
      node.stalledUntil = 0;
      node.isGone = dead.includes(node.view.id);
      startProcess(this.world, node);
    }
    this.letGo();
    this.world.queue.push(this.world.now, { kind: 'phase', name: 'heal' });
    while (this.world.phase !== 'over') if (!this.#step(FAR_US)) break;
    return this;
  }

  #step(untilUs: number): boolean {
    const next = this.world.queue.pop();
    if (next === undefined) return false;
    if (next.at > untilUs) {
      this.world.queue.push(next.at, next.event);
      this.world.now = untilUs;
      return false;
    }
    if (!this.#isHeldBack(next.event)) happen(this.world, next.at, next.event);
    return true;
  }

  #isHeldBack(event: SimEvent): boolean {
    if (event.kind === 'timer') return !this.#free && (event.id === 'election' || event.id === 'fetch');
    if (event.kind !== 'response' || this.#holds === undefined) return false;
    if (!this.#holds(event.message.leaderId, event.node)) return false;
    this.#held.push({ to: event.node, message: event.message, call: event.call });
    return true;
  }

  // ---- what happens to nodes ----

  /** Its election or fetch timeout comes now. */
  fire(id: number): this {
    const node = this.#node(id);
    for (const timer of ['fetch', 'election'] as const) {
      const armed = node.timers.get(timer);
      if (armed === undefined || node.raft === undefined) continue;
      node.timers.delete(timer);
      feed(this.world, node, {
        type: 'timer',
        now: localNow(this.world, node),
        id: timer,
        generation: armed.generation,
      });
      return this;
    }
    return this;
  }

  /** They have not heard of their leader for a fetch timeout, and will not refuse others a pre-vote. */
  loseLeader(...ids: number[]): this {
    const links = this.world.links.map(({ cuts }) => cuts);
    for (const id of ids) {
      // What they ask for themselves is lost.
      this.isolate(id);
      if (this.view(id).role === 'follower') this.fire(id);
    }
    links.forEach((cuts, i) => Object.assign(this.world.links[i] as object, { cuts }));
    return this;
  }

  /** Asks for votes until it leads, not an instant longer; `voters` have lost the leader before, as it has. */
  campaign(id: number, ...voters: number[]): this {
    this.loseLeader(...voters);
    const { view } = this.#node(id);
    for (let tries = 0; tries < 12; tries++) {
      this.fire(id);
      const until = this.world.now + 200_000;
      while (view.role !== 'leader' && this.#step(until));
      if (view.role === 'leader') return this;
    }
    throw new Error(`node ${id} is not elected`);
  }

  /** One record, if the node leads; its offset. */
  propose(id: number): number {
    const node = this.#node(id);
    const offset = this.end(id);
    propose(this.world, node, node.view.epoch);
    if (this.end(id) === offset) throw new Error(`node ${id} refuses`);
    return offset;
  }

  proposeMany(id: number, count: number): this {
    for (let left = count; left > 0; left--) {
      this.propose(id);
      this.after(2);
    }
    return this;
  }

  /** Asks the node for a voter change; whether it appended it. */
  change(id: number, change: VoterChange): boolean {
    const accepted = this.world.accepted.length;
    askForChange(this.world, this.#node(id), change);
    return this.world.accepted.length > accepted;
  }

  add(id: number, added: number): boolean {
    const voter = { ...this.view(added).disk.replica, endpoint: endpointOf(added) };
    return this.change(id, { type: 'add', voter });
  }

  remove(id: number, removed: number): boolean {
    return this.change(id, { type: 'remove', replica: this.view(removed).disk.replica });
  }

  resign(id: number): this {
    const node = this.#node(id);
    feed(this.world, node, { type: 'resign', now: localNow(this.world, node), epoch: node.view.epoch });
    return this;
  }

  /** The process dies, what it wrote stays; its peers notice. */
  kill(id: number): this {
    crashProcess(this.world, this.#node(id), 'kill', FAR_US);
    return this.after(60);
  }

  /** The machine dies; what is not synced is lost. */
  power(id: number): this {
    crashProcess(this.world, this.#node(id), 'power', FAR_US, 0);
    return this;
  }

  /** A stopped node's disk has lost batches from there on that it had said were durable. */
  loseTail(id: number, endOffset: number): this {
    const { disk } = this.view(id);
    for (const log of [disk.written, disk.synced]) {
      while (endOffsetOf(log) > endOffset) log.entries.pop();
    }
    return this;
  }

  restart(id: number): this {
    startProcess(this.world, this.#node(id));
    return this;
  }

  stallDisk(id: number): this {
    this.#node(id).stalledUntil = FAR_US;
    return this;
  }

  // ---- the network ----

  /** Nothing passes from any of `from` to any of `to`, nor back. */
  cut(from: readonly number[], to: readonly number[]): this {
    for (const a of from) for (const b of to) this.cutOneWay(a, b).cutOneWay(b, a);
    return this;
  }

  cutOneWay(from: number, to: number): this {
    const link = this.world.links[from * this.nodes.length + to];
    if (link !== undefined) link.cuts = 1;
    return this;
  }

  isolate(id: number): this {
    return this.cut([id], this.#others([id]));
  }

  mendAll(): this {
    for (const link of this.world.links) link.cuts = 0;
    return this;
  }

  /** Answers that arrive at `to` are kept back, until `deliver`. */
  holdAnswersTo(to: number): this {
    this.#holds = (_leader, at) => at === to;
    return this;
  }

  letAnswersPass(): this {
    this.#holds = undefined;
    return this;
  }

  /** What was kept back arrives, however late. */
  deliver(): this {
    for (const { to, call, message } of this.#held.splice(0)) {
      const node = this.#node(to);
      feed(this.world, node, { type: 'response', now: localNow(this.world, node), call, message });
    }
    return this;
  }

  #others(ids: readonly number[]): number[] {
    return this.nodes.map(({ id }) => id).filter((id) => !ids.includes(id));
  }

  #node(id: number): SimNode {
    return this.world.nodes[id] as SimNode;
  }
}

/** The property that the schedule breaks; undefined if none. */
export function violationOf(play: () => unknown): string | undefined {
  try {
    play();
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.property;
    throw error;
  }
}
