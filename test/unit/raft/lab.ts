// A bench for readable scenarios: several cores, a clock that the test advances, disks that lose what was not flushed, and a
// network whose messages can be cut or held back. Flushing and delivery happen in `run` and `advance`, in a fixed order.
import { batchEndOffset } from '../../../src/raft/log.ts';
import { createRaft } from '../../../src/raft/state.ts';
import { step } from '../../../src/raft/step.ts';
import type {
  DurableState,
  RaftConfig,
  RaftEffect,
  RaftEvent,
  RaftRequest,
  RaftResponse,
  SnapshotId,
  VoterChange,
} from '../../../src/raft/types.ts';
import type { Envelope, Files, LabNode, Outgoing } from './lab-node.ts';
import {
  applyCatalogue,
  dataOf,
  finishSnapshot,
  loadSnapshot,
  readPiece,
  receivePiece,
  takeSnapshot,
} from './lab-snapshots.ts';
import { CLUSTER, endpointOf, keyOf, show } from './notation.ts';

const TIMING = {
  electionTimeoutMs: 1000,
  fetchTimeoutMs: 2000,
  requestTimeoutMs: 2000,
  retryBackoffMs: 20,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 1 << 20,
  endpoints: new Map(Array.from({ length: 20 }, (_, id) => [id, endpointOf(id)] as const)),
  snapshotChunkBytes: 64,
};

export class Lab {
  now = 0;
  readonly nodes = new Map<number, LabNode>();
  /** Directed links that lose everything: `1>2`. */
  readonly cuts = new Set<string>();
  /** Messages kept back: those for which `hold` is true. */
  held: Envelope[] = [];
  hold: (envelope: Envelope) => boolean = () => false;
  /** Every message that left a node. */
  readonly sent: Envelope[] = [];
  #queue: Envelope[] = [];
  #inbound: { node: LabNode; envelope: Envelope }[] = [];
  #pending: { node: number; incarnation: number; call: number; deadline: number }[] = [];

  /** Adds a node that is not started. `disk`: what its disk holds; `files`: the snapshots of its catalogue, by name. */
  add(
    id: number,
    voterIds: readonly number[],
    options: { generation?: number; disk?: DurableState & Partial<Files>; config?: Partial<RaftConfig> } = {},
  ): LabNode {
    const key = keyOf(id, options.generation);
    const config: RaftConfig = { clusterId: CLUSTER, replica: key, voterIds, ...TIMING, ...options.config };
    const node: LabNode = {
      key,
      config,
      state: createRaft(config, { below: () => 0 }),
      up: false,
      incarnation: (this.nodes.get(id)?.incarnation ?? 0) + 1,
      disk: {
        quorumState: options.disk?.quorumState,
        snapshots: [...(options.disk?.snapshots ?? [])],
        batches: [...(options.disk?.batches ?? [])],
      },
      unflushed: [],
      waiting: [],
      timers: new Map(),
      diskHangs: false,
      applyHangs: false,
      committedEnd: 0,
      committed: [],
      machine: [],
      files: new Map(options.disk?.files),
      partial: undefined,
      checkHangs: false,
      damaged: false,
      owed: [],
      voters: [],
      told: [],
    };
    this.nodes.set(id, node);
    return node;
  }

  node(id: number): LabNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  role(id: number): string {
    const { state } = this.node(id);
    return `${state.role.name} ${state.epoch}`;
  }

  /** The log in memory, from its start on. */
  log(id: number): string {
    const { log } = this.node(id).state;
    return show(log.slice(log.startOffset, log.endOffset));
  }

  /** The node that leads, if exactly one does. */
  leader(): number | undefined {
    const leaders = [...this.nodes.values()].filter((node) => node.up && node.state.role.name === 'leader');
    return leaders.length === 1 ? leaders[0]?.key.id : undefined;
  }

  start(...ids: number[]): void {
    for (const id of ids) {
      const node = this.node(id);
      // Differing first timeouts keep elections apart: node n waits 1000 + 100 n ms.
      node.state = createRaft(node.config, { below: (_key, bound) => (id * 100) % bound });
      node.up = true;
      node.committed = [];
      node.committedEnd = 0;
      node.machine = [];
      node.partial = undefined;
      const { quorumState, snapshots, batches } = node.disk;
      this.#step(node, {
        type: 'start',
        now: this.now,
        durable: { quorumState, snapshots: [...snapshots], batches: [...batches] },
      });
    }
  }

  /** Loses what is not durable, and everything in memory. */
  crash(id: number): void {
    const node = this.node(id);
    node.up = false;
    node.incarnation++;
    node.unflushed = [];
    node.waiting = [];
    node.owed = [];
    node.timers.clear();
  }

  cut(a: number, b: number): void {
    this.cuts.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  isolate(id: number): void {
    for (const other of this.nodes.keys()) if (other !== id) this.cut(id, other);
  }

  heal(): void {
    this.cuts.clear();
  }

  propose(id: number, ...records: string[]): void {
    const node = this.node(id);
    this.#step(node, {
      type: 'propose',
      now: this.now,
      token: 1,
      claimEpoch: node.state.epoch,
      records: records.map((record) => Buffer.from(record)),
    });
  }

  /** The state machine takes a snapshot of all that it has applied. */
  snapshot(id: number): SnapshotId {
    const snapshot = takeSnapshot(this.node(id));
    this.#step(this.node(id), { type: 'snapshotTaken', now: this.now, snapshot });
    this.run();
    return snapshot.id;
  }

  changeVoters(id: number, change: VoterChange): void {
    this.#step(this.node(id), { type: 'changeVoters', now: this.now, token: 1, change });
    this.run();
  }

  /** Lets what was received be checked. */
  resumeChecks(id: number): void {
    this.node(id).checkHangs = false;
    this.run();
  }

  /** An event of one's own making. */
  event(id: number, event: RaftEvent): void {
    this.#step(this.node(id), event);
  }

  /** A request from outside; the answer if the node gives one now. */
  ask(id: number, message: RaftRequest): RaftResponse | undefined {
    const from = 999;
    this.#deliver({ from, to: id, call: 0, incarnation: 0, message, kind: 'request' });
    this.run();
    return this.sent.findLast((sent) => sent.to === from)?.message as RaftResponse | undefined;
  }

  /** Lets the state machine catch up. */
  resumeApply(id: number): void {
    const node = this.node(id);
    node.applyHangs = false;
    this.#applied(node);
  }

  /** Delivers held messages. */
  release(which: (envelope: Envelope) => boolean = () => true): void {
    const released = this.held.filter(which);
    this.held = this.held.filter((envelope) => !which(envelope));
    this.hold = () => false;
    this.#queue.push(...released);
    this.run();
  }

  /** Flushes and delivers until nothing is left to do at this instant. */
  run(): void {
    for (let turn = 0; turn < 20_000; turn++) {
      let idle = true;
      for (const node of this.nodes.values()) if (this.#flush(node) || this.#pay(node)) idle = false;
      const envelope = this.#queue.shift();
      if (envelope !== undefined) {
        this.#deliver(envelope);
        idle = false;
      }
      if (idle) return;
    }
    throw new Error('the nodes do not come to rest');
  }

  /** Runs the clock, timer by timer. */
  advance(ms: number): void {
    const end = this.now + ms;
    this.run();
    for (;;) {
      const next = Math.min(this.#nextTimer(), ...this.#pending.map((call) => call.deadline));
      if (next > end) break;
      this.now = Math.max(this.now, next);
      this.#fire();
      this.run();
    }
    this.now = end;
  }

  /** Advances until `condition`, at most `ms`. */
  until(condition: () => boolean, ms = 20_000): void {
    const end = this.now + ms;
    this.run();
    while (!condition()) {
      if (this.now >= end)
        throw new Error(`not reached in ${ms} ms: ${[...this.nodes.keys()].map((id) => this.role(id))}`);
      this.advance(1);
    }
  }

  #nextTimer(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const node of this.nodes.values()) for (const timer of node.timers.values()) next = Math.min(next, timer.at);
    return next;
  }

  #fire(): void {
    for (const node of this.nodes.values()) {
      for (const [id, { generation, at }] of node.timers) {
        if (at > this.now) continue;
        node.timers.delete(id);
        this.#step(node, { type: 'timer', now: this.now, id, generation });
        return;
      }
    }
    const late = this.#pending.findIndex((call) => call.deadline <= this.now);
    const [call] = this.#pending.splice(late, 1);
    if (call === undefined) return;
    const node = this.node(call.node);
    if (node.up && node.incarnation === call.incarnation) {
      this.#step(node, { type: 'callFailed', now: this.now, call: call.call, failure: 'timeout' });
    }
  }

  #flush(node: LabNode): boolean {
    if (node.unflushed.length === 0 || node.diskHangs || !node.up) return false;
    let op = 0;
    for (const effect of node.unflushed) {
      const { disk } = node;
      if (effect.type === 'writeQuorumState') disk.quorumState = effect.state;
      else if (effect.type === 'append') disk.batches.push(...effect.batches);
      else if (effect.type === 'truncate')
        disk.batches = disk.batches.filter((batch) => batchEndOffset(batch) <= effect.endOffset);
      else if (effect.type === 'catalogue') applyCatalogue(node, effect);
      if ('op' in effect) op = effect.op;
    }
    node.unflushed = [];
    const ready = node.waiting.filter((effect) => (effect.after ?? 0) <= op);
    node.waiting = node.waiting.filter((effect) => (effect.after ?? 0) > op);
    for (const effect of ready) this.#send(node, effect);
    this.#step(node, { type: 'diskDone', now: this.now, op });
    return true;
  }

  /** What the driver has finished beside the core. */
  #pay(node: LabNode): boolean {
    const event = node.checkHangs || !node.up ? undefined : node.owed.shift();
    if (event === undefined) return false;
    this.#step(node, { ...event, now: this.now });
    return true;
  }

  #send(node: LabNode, effect: Outgoing): void {
    if (effect.type === 'call') {
      const { id } = node.key;
      const { incarnation } = node;
      this.#pending.push({ node: id, incarnation, call: effect.call, deadline: this.now + effect.timeoutMs });
      this.#post({ from: id, to: effect.to, call: effect.call, incarnation, message: effect.message, kind: 'request' });
      return;
    }
    const inbound = this.#inbound[effect.call];
    if (inbound?.node !== node) throw new Error(`reply to unknown call ${effect.call}`);
    const { from: to, call, incarnation } = inbound.envelope;
    const message = effect.type === 'reply' ? effect.message : readPiece(node, effect);
    this.#post({ from: node.key.id, to, call, incarnation, message, kind: 'response' });
  }

  #post(envelope: Envelope): void {
    this.sent.push(envelope);
    if (this.hold(envelope)) this.held.push(envelope);
    else this.#queue.push(envelope);
  }

  #deliver(envelope: Envelope): void {
    if (this.cuts.has(`${envelope.from}>${envelope.to}`)) return;
    const node = this.nodes.get(envelope.to);
    if (envelope.kind === 'request') {
      if (node?.up !== true) return this.#fail(envelope);
      const call = this.#inbound.push({ node, envelope }) - 1;
      this.#step(node, { type: 'request', now: this.now, call, message: envelope.message as RaftRequest });
    } else if (node?.up === true && node.incarnation === envelope.incarnation) {
      this.#settle(envelope.to, envelope.call);
      this.#step(node, {
        type: 'response',
        now: this.now,
        call: envelope.call,
        message: envelope.message as RaftResponse,
      });
    }
  }

  /** Nobody listens there. */
  #fail({ from, call, incarnation }: Envelope): void {
    const caller = this.nodes.get(from);
    this.#settle(from, call);
    if (caller?.up === true && caller.incarnation === incarnation) {
      this.#step(caller, { type: 'callFailed', now: this.now, call, failure: 'refused' });
    }
  }

  #settle(node: number, call: number): void {
    this.#pending = this.#pending.filter((pending) => pending.node !== node || pending.call !== call);
  }

  #applied(node: LabNode): void {
    if (node.applyHangs || !node.up) return;
    this.#step(node, { type: 'applied', now: this.now, endOffset: node.committedEnd });
  }

  #step(node: LabNode, event: RaftEvent): void {
    if (!node.up) throw new Error(`node ${node.key.id} is down`);
    const effects: RaftEffect[] = [];
    step(node.state, event, effects);
    for (const effect of effects) this.#carryOut(node, effect);
  }

  #carryOut(node: LabNode, effect: RaftEffect): void {
    switch (effect.type) {
      case 'receiveSnapshot':
        receivePiece(node, effect);
        return;
      case 'finishSnapshot':
        finishSnapshot(node, effect);
        return;
      case 'loadSnapshot':
        loadSnapshot(node, effect.snapshot);
        return;
      case 'voters':
        node.voters = effect.voters.map(({ id }) => id);
        return;
      case 'voterChange':
        node.told.push(
          effect.result.type === 'appended'
            ? `voter change at ${effect.result.offset}`
            : `voter change refused ${effect.result.error}`,
        );
        return;
      case 'writeQuorumState':
      case 'append':
      case 'truncate':
      case 'catalogue':
        node.unflushed.push(effect);
        return;
      case 'call':
      case 'reply':
      case 'serveSnapshot':
        if (effect.after === undefined) this.#send(node, effect);
        else node.waiting.push(effect);
        return;
      case 'setTimer':
        node.timers.set(effect.id, { generation: effect.generation, at: effect.at });
        return;
      case 'cancelTimer':
        node.timers.delete(effect.id);
        return;
      case 'commit':
        node.committed.push(...effect.batches);
        node.machine.push(...dataOf(effect.batches));
        node.committedEnd = effect.highWatermark;
        this.#applied(node);
        return;
      case 'role':
        node.told.push(`${effect.role} ${effect.epoch}`);
        return;
      case 'claim':
      case 'renounce':
        node.told.push(`${effect.type} ${effect.epoch}`);
        return;
      case 'proposed':
        node.told.push(`proposed ${effect.baseOffset}-${effect.lastOffset}`);
        return;
      case 'refused':
        node.told.push(`refused ${effect.leaderId}`);
        return;
      case 'notice':
        node.told.push(`notice ${effect.event}`);
        return;
      case 'fatal':
        node.told.push(`fatal ${effect.reason}`);
        return;
    }
  }
}

/** A lab of voters 1..count, all on empty disks, none started. */
export function newCluster(count: number, config: Partial<RaftConfig> = {}): Lab {
  const lab = new Lab();
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  for (const id of ids) lab.add(id, ids, { config });
  return lab;
}
