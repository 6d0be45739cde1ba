// Drives the raft core over the ports: events in, effects out, in order. Keeps M-5 (what a message asserts is durable before
// it leaves, through DiskQueue), R-9.1 (the state machine sees committed batches only, in order) and R-9.4 (a failing apply stops
// the node). Holds no protocol rule of its own.
import { assert, unreachable } from '../base/assert.ts';
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, RpcService } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { describeQuorum } from '../raft/describe.ts';
import { votersOf } from '../raft/log.ts';
import type { RaftState } from '../raft/state.ts';
import { createRaft } from '../raft/state.ts';
import { step } from '../raft/step.ts';
import type {
  Batch,
  CallId,
  DurableState,
  QuorumDescription,
  RaftConfig,
  RaftEffect,
  RaftEvent,
  RaftRequest,
  RaftResponse,
  Snapshot,
  SnapshotId,
  TimerId,
  VoterChange,
} from '../raft/types.ts';
import type { CommittedRead } from './committed-log.ts';
import { CommittedLog } from './committed-log.ts';
import type { CoreTrace } from './core-trace.ts';
import { tracedRandom } from './core-trace.ts';
import { DiskQueue } from './disk-queue.ts';
import { Peers } from './peers.ts';
import { raftService } from './service.ts';
import type { SnapshotReader } from './snapshot-reader.ts';
import type { StateMachine } from './state-machine.ts';
import { QuorumStorage } from './storage.ts';
import { VoterChanges } from './voter-changes.ts';

export type { CommittedBatch, StateMachine } from './state-machine.ts';

export interface QuorumOptions {
  /** Folder of the database. */
  readonly directory: string;
  readonly raft: Omit<RaftConfig, 'voterIds'>;
  /**
   * Finds the configured voters and where they listen: all of them while the own log is empty, as nothing else says who they are
   * (R-0.3a), else those known now; of the others `setPeer` tells later.
   */
  findVoters(logIsEmpty: boolean): Promise<ReadonlyMap<NodeId, Address>>;
  /** The node must stop: said once. */
  fatal(reason: string, cause?: unknown): void;
  /** Hears what goes into the core and comes out. */
  readonly trace?: CoreTrace | undefined;
}

/** How long a stopping leader lets its EndQuorumEpoch calls take. */
const FAREWELL_MS = 300;

export class Quorum {
  /** RaftService, for the controller listener. */
  readonly service: RpcService;
  readonly #env: Env;
  readonly #logger: Logger;
  readonly #options: QuorumOptions;
  readonly #storage: QuorumStorage;
  readonly #durable: DurableState;
  readonly #raft: RaftState;
  readonly #disk: DiskQueue;
  readonly #peers: Peers;
  readonly #effects: RaftEffect[] = [];
  readonly #timers = new Map<TimerId, Timer>();
  readonly #inbound = new Map<CallId, { resolve(message: RaftResponse): void; reject(error: RpcError): void }>();
  readonly #committed: CommittedLog;
  readonly #voterChanges = new VoterChanges();
  /** EndQuorumEpoch calls under way: a stop lets them arrive. */
  readonly #farewells = new Set<Promise<void>>();
  #nextInbound: CallId = 0;
  #nextToken = 0;
  #draining = false;
  #stateMachine: StateMachine | undefined;
  #stopped = false;
  #closed: Promise<void> | undefined;

  private constructor(
    env: Env,
    options: QuorumOptions,
    storage: QuorumStorage,
    durable: DurableState,
    addresses: ReadonlyMap<NodeId, Address>,
  ) {
    this.#env = env;
    this.#logger = env.logger.child({ component: 'quorum' });
    this.#options = options;
    this.#storage = storage;
    this.#durable = durable;
    const config: RaftConfig = { ...options.raft, voterIds: voterIdsOf(durable.batches, addresses) };
    options.trace?.config(config);
    this.#raft = createRaft(config, tracedRandom(env.random, options.trace));
    this.#committed = new CommittedLog(this.#raft, env.clock, () => this.snapshots.at(-1)?.id);
    this.#peers = new Peers(env.network, addresses);
    this.#disk = new DiskQueue({
      write: (operations) => storage.write(operations),
      done: (op) => this.#dispatch({ type: 'diskDone', now: env.clock.now(), op }),
      failed: (error) => this.#fatal('the metadata log cannot be written', error),
    });
    this.service = raftService((message) => this.#serve(message));
  }

  /** Opens and verifies the log. EnvError LOCKED, CORRUPT, IO. */
  static async open(env: Env, options: QuorumOptions): Promise<Quorum> {
    const storage = new QuorumStorage(await env.openStore(options.directory));
    try {
      const durable = await storage.load();
      const addresses = await options.findVoters(durable.batches.length === 0);
      return new Quorum(env, options, storage, durable, addresses);
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  /** Begins to take part. The state machine gets the committed log from offset 0 on. */
  start(stateMachine: StateMachine): void {
    assert(this.#stateMachine === undefined, 'a quorum is started once');
    this.#stateMachine = stateMachine;
    this.#dispatch({ type: 'start', now: this.#env.clock.now(), durable: this.#durable });
  }

  /**
   * Appends the records as one atomic batch in the claimed epoch; undefined if this node does not lead that epoch (any
   * more). Appended is not committed: that is learned by `apply`, or lost with `renounce`.
   */
  append(claimEpoch: Epoch, records: readonly Uint8Array[]): { baseOffset: Offset; lastOffset: Offset } | undefined {
    const token = this.#nextToken++;
    const from = this.#effects.length;
    const event: RaftEvent = { type: 'propose', now: this.#env.clock.now(), token, claimEpoch, records };
    if (this.#stopped) return undefined;
    this.#step(event);
    const answer = this.#effects
      .slice(from)
      .find((effect) => (effect.type === 'proposed' || effect.type === 'refused') && effect.token === token);
    this.#drain();
    return answer?.type === 'proposed' ? { baseOffset: answer.baseOffset, lastOffset: answer.lastOffset } : undefined;
  }

  /** gives up the leadership of `epoch`, if this node still has it. */
  resign(epoch: Epoch): void {
    this.#dispatch({ type: 'resign', now: this.#env.clock.now(), epoch });
  }

  /** A voter is (now) at this address. */
  setPeer(id: NodeId, address: Address): void {
    if (!this.#stopped) this.#peers.set(id, address);
  }

  describe(): QuorumDescription {
    return describeQuorum(this.#raft);
  }

  /**
   * changes the voter set by one. Resolves when the change is committed, under the new set. Throws VoterChangeRefused (nothing
   * happened: not the leader, not ready, not caught up, ...) or VoterChangeUnknown (appended, then the leadership ended).
   */
  changeVoters(change: VoterChange): Promise<{ offset: Offset }> {
    if (this.#stopped) return Promise.reject(new RpcError('UNAVAILABLE', 'the node is stopping'));
    const token = this.#nextToken++;
    const promise = this.#voterChanges.wait(token);
    this.#dispatch({ type: 'changeVoters', now: this.#env.clock.now(), token, change });
    return promise;
  }

  /**
   * Committed batches, control ones included, from the one that holds `from` on: at least one if there is one, else at most
   * `maxBytes` of records; or where the log begins, if that is above `from`. What is committed need not be applied yet.
   */
  readCommitted(from: Offset, maxBytes: number): CommittedRead {
    return this.#committed.read(from, maxBytes);
  }

  /** True once everything below `endOffset` is committed as far as this node knows; false after `timeoutMs` or at the stop. */
  whenCommitted(endOffset: Offset, timeoutMs: Ms = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.#committed.whenCommitted(endOffset, timeoutMs);
  }

  /** The catalogue, oldest first: at most the two newest snapshots of this node. */
  get snapshots(): readonly Snapshot[] {
    return [];
  }

  /**
   * Opens a snapshot of the catalogue, the newest if `id` is not given; undefined if it is not there (any more). Its file stays until
   * the reader is closed.
   */
  openSnapshot(_id?: SnapshotId): Promise<SnapshotReader | undefined> {
    return Promise.resolve(undefined);
  }

  /** Takes a snapshot of everything applied now, if there is anything new since the last; its id, or undefined if it could not be. */
  takeSnapshot(): Promise<SnapshotId | undefined> {
    return Promise.resolve(undefined);
  }

  /** Resigns, makes everything durable, closes. After a fatal error it only closes. */
  stop(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  async #leave(): Promise<void> {
    if (!this.#stopped && this.#stateMachine !== undefined) {
      const { role, epoch } = this.describe();
      if (role === 'leader') this.resign(epoch);
      await this.#disk.idle();
      await this.#sayFarewell();
    }
    this.#shut();
    await this.#disk.idle();
    await this.#storage.close();
  }

  /** Waits for the EndQuorumEpoch calls, not for ever. */
  async #sayFarewell(): Promise<void> {
    if (this.#farewells.size === 0) return;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#env.clock.schedule(FAREWELL_MS, resolve);
    });
    await Promise.race([Promise.all(this.#farewells), late]);
    timer?.cancel();
  }

  #shut(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    for (const call of this.#inbound.values()) call.reject(new RpcError('UNAVAILABLE', 'the node is stopping'));
    this.#inbound.clear();
    this.#voterChanges.abandon();
    this.#committed.close();
    this.#peers.close();
  }

  #fatal(reason: string, cause?: unknown): void {
    if (this.#stopped) return;
    this.#shut();
    this.#options.fatal(reason, cause);
  }

  #serve(message: RaftRequest): Promise<RaftResponse> {
    if (this.#stopped || this.#stateMachine === undefined) {
      return Promise.reject(new RpcError('UNAVAILABLE', 'the node is not running'));
    }
    return new Promise((resolve, reject) => {
      const call = this.#nextInbound++;
      this.#inbound.set(call, { resolve, reject });
      this.#dispatch({ type: 'request', now: this.#env.clock.now(), call, message });
    });
  }

  #dispatch(event: RaftEvent): void {
    if (this.#stopped) return;
    this.#step(event);
    this.#drain();
  }

  /** A core that throws is a bug, and its state is not to be trusted: the node stops, whoever brought the event. */
  #step(event: RaftEvent): void {
    const { trace } = this.#options;
    const from = this.#effects.length;
    trace?.event(event);
    try {
      step(this.#raft, event, this.#effects);
    } catch (error) {
      this.#fatal('the consensus core failed', error);
    }
    if (trace !== undefined) trace.effects(this.#effects.slice(from));
  }

  /** Carries out effects in order. An effect that leads to another event (apply -> append) adds behind those that wait. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let i = 0; i < this.#effects.length && !this.#stopped; i++) this.#carryOut(this.#effects[i] as RaftEffect);
    } finally {
      this.#effects.length = 0;
      this.#draining = false;
    }
  }

  #carryOut(effect: RaftEffect): void {
    switch (effect.type) {
      case 'writeQuorumState':
        return this.#disk.issue(effect.op, this.#storage.state(effect.state));
      case 'append':
        return this.#disk.issue(effect.op, this.#storage.append(effect.batches));
      case 'truncate':
        return this.#disk.issue(effect.op, this.#storage.truncate(effect.endOffset));
      case 'call':
        return this.#disk.after(effect.after, () => this.#send(effect));
      case 'reply':
        return this.#disk.after(effect.after, () => this.#reply(effect.call, effect.message));
      case 'setTimer':
        return this.#setTimer(effect);
      case 'cancelTimer':
        this.#timers.get(effect.id)?.cancel();
        this.#timers.delete(effect.id);
        return;
      case 'commit':
        this.#commit(effect.batches);
        this.#committed.committed();
        return this.#voterChanges.committed(effect.highWatermark);
      case 'voterChange':
        return this.#voterChanges.answered(effect);
      case 'proposed':
      case 'refused':
        return; // read by append, synchronously
      case 'role':
        if (effect.role !== 'leader') this.#voterChanges.abandon();
        this.#logger.info('quorum-role', { role: effect.role, epoch: effect.epoch, leaderId: effect.leaderId });
        return this.#tell((machine) => machine.leaderChanged(effect.leaderId, effect.epoch));
      case 'claim':
        return this.#tell((machine) => machine.claim(effect.epoch));
      case 'renounce':
        return this.#tell((machine) => machine.renounce(effect.epoch));
      case 'notice':
        return this.#logger[effect.level](effect.event, { ...effect.fields });
      case 'fatal':
        return this.#fatal(effect.reason);
      case 'catalogue':
      case 'serveSnapshot':
      case 'receiveSnapshot':
      case 'finishSnapshot':
      case 'loadSnapshot':
      case 'voters':
        return;
      default:
        unreachable(effect, 'raft effect');
    }
  }

  #tell(what: (machine: StateMachine) => void): void {
    assert(this.#stateMachine !== undefined, 'effects come after start');
    try {
      what(this.#stateMachine);
    } catch (error) {
      this.#fatal('the metadata state machine failed', error);
    }
  }

  #commit(batches: readonly Batch[]): void {
    let endOffset = 0;
    for (const batch of batches) {
      endOffset = batch.baseOffset + batch.records.length;
      const records = batch.control ? [] : batch.records;
      this.#tell((machine) => machine.apply({ baseOffset: batch.baseOffset, endOffset, epoch: batch.epoch, records }));
      if (this.#stopped) return;
    }
    if (batches.length > 0) this.#dispatch({ type: 'applied', now: this.#env.clock.now(), endOffset });
  }

  #setTimer(effect: Extract<RaftEffect, { type: 'setTimer' }>): void {
    const { clock } = this.#env;
    this.#timers.get(effect.id)?.cancel();
    const timer = clock.schedule(Math.max(0, effect.at - clock.now()), () => {
      this.#timers.delete(effect.id);
      this.#dispatch({ type: 'timer', now: clock.now(), id: effect.id, generation: effect.generation });
    });
    this.#timers.set(effect.id, timer);
  }

  #send(effect: Extract<RaftEffect, { type: 'call' }>): void {
    const call = this.#call(effect);
    if (effect.message.type !== 'endQuorumEpoch') return;
    this.#farewells.add(call);
    void call.finally(() => this.#farewells.delete(call));
  }

  async #call(effect: Extract<RaftEffect, { type: 'call' }>): Promise<void> {
    const result = await this.#peers.call(effect.to, effect.message, effect.timeoutMs);
    const now = this.#env.clock.now();
    if ('failure' in result) this.#dispatch({ type: 'callFailed', now, call: effect.call, failure: result.failure });
    else this.#dispatch({ type: 'response', now, call: effect.call, message: result });
  }

  #reply(call: CallId, message: RaftResponse): void {
    this.#inbound.get(call)?.resolve(message);
    this.#inbound.delete(call);
  }
}

/** The voters that the log names, found by now or not (their address may come later), and those that were found. */
function voterIdsOf(batches: readonly Batch[], addresses: ReadonlyMap<NodeId, Address>): NodeId[] {
  const pinned = batches.findLast((batch) => votersOf(batch) !== undefined);
  const named = pinned === undefined ? [] : (votersOf(pinned) ?? []);
  return [...new Set([...named.map(({ id }) => id), ...addresses.keys()])].sort((a, b) => a - b);
}
