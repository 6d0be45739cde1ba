// All of a core-level run as one plain value. The functions that change it: driver.ts (effects of the core), network.ts,
// messages.ts, process.ts (start, crash), sync.ts, snapshots.ts, faults.ts, workload.ts, voter-workload.ts; simulate.ts takes
// events from the queue.
import { KeyedRandom } from '../../base/keyed-random.ts';
import type { RaftState } from '../../raft/state.ts';
import type {
  CallId,
  RaftEffect,
  RaftEvent,
  RaftRequest,
  RaftResponse,
  SnapshotId,
  TimerId,
  Voter,
  VoterChange,
} from '../../raft/types.ts';
import { AbstractStates } from './abstract-states.ts';
import type { RaftChecker } from './checker.ts';
import type { NodeClock } from './clock.ts';
import { newClock } from './clock.ts';
import type { RaftCore } from './core.ts';
import type { Coverage } from './coverage.ts';
import { newCoverage } from './coverage.ts';
import { DrawStream } from './draws.ts';
import type { Us } from './event-queue.ts';
import { EventQueue } from './event-queue.ts';
import type { NodeView } from './ghost.ts';
import { newGhost } from './ghost.ts';
import { FNV_START } from './hash.ts';
import type { LogEntry, LogPrefix } from './log-entry.ts';
import type { Observer } from './observe.ts';
import { newObserver } from './observe.ts';
import { replicaKey } from './replica-key.ts';
import type { RaftScenario } from './scenario.ts';

export interface InboundCall {
  readonly from: number;
  readonly incarnation: number;
  readonly call: CallId;
  readonly message: RaftRequest;
}

/** Effects that wait for a disk operation (M-5). */
export type HeldEffect = Extract<RaftEffect, { type: 'call' | 'reply' }>;
export type RaftMessage = RaftRequest | RaftResponse;

/** What a process does with snapshots, lost with it. `setting` tells what a finished write belongs to. */
export interface SnapshotWork {
  /** An own one that is being written. */
  taking: { readonly content: LogPrefix; readonly voters: readonly Voter[]; readonly setting: number } | undefined;
  /** Pieces so far of the one that is being fetched. */
  download: { readonly id: SnapshotId; readonly pieces: Uint8Array[]; length: number } | undefined;
  /** Complete, being verified and synced. */
  finishing: { readonly id: SnapshotId; readonly bytes: Uint8Array; readonly setting: number } | undefined;
  /** The state machine is busy until then: it applies nothing before. */
  loadedAt: Us;
}

/** A voter change that a leader has appended (L-R4). */
export interface AcceptedChange {
  readonly change: VoterChange;
  readonly entry: LogEntry;
}

export interface SimNode {
  readonly view: NodeView;
  readonly random: KeyedRandom;
  raft: RaftState | undefined;
  clock: NodeClock;
  /** A dead machine does not even refuse calls. */
  silent: boolean;
  /** While paused, input waits here. */
  paused: boolean;
  waiting: RaftEvent[];
  resumeAt: Us;
  timers: Map<TimerId, { generation: number; atMs: number; setting: number }>;
  held: HeldEffect[];
  outbound: Map<CallId, { readonly to: number }>;
  inbound: Map<CallId, InboundCall>;
  nextInbound: CallId;
  syncing: boolean;
  /** It stays dead for good (safety.md 8.8, core mode). */
  isGone: boolean;
  stalledUntil: Us;
  /** the next sync fails. Until `fullUntil` every one does. */
  failsNextSync: boolean;
  fullUntil: Us;
  snapshots: SnapshotWork;
  /** Formats of its disk so far. */
  formats: number;
  /** Hashes of the records of proposals that the core has not answered. */
  proposing: Map<number, number>;
  /** Consecutive diverging answers, for coverage. */
  divergences: number;
  /** Voter changes that the core has not answered. */
  changing: Map<number, VoterChange>;
  draws: {
    readonly disk: DrawStream;
    readonly crash: DrawStream;
    readonly boot: DrawStream;
    readonly snapshots: DrawStream;
  };
}

export interface Link {
  /** How many cuts are in force. */
  cuts: number;
  readonly draws: DrawStream;
}

export type Phase = 'bootstrap' | 'faults' | 'heal' | 'probe' | 'over';

export interface World {
  readonly scenario: RaftScenario;
  readonly core: RaftCore;
  readonly observer: Observer;
  readonly coverage: Coverage;
  readonly queue: EventQueue;
  readonly nodes: readonly SimNode[];
  /** By from * nodes + to. */
  readonly links: readonly Link[];
  readonly client: DrawStream;
  readonly operator: DrawStream;
  readonly states: AbstractStates;
  readonly trace: ((line: string) => void) | undefined;
  now: Us;
  phase: Phase;
  /** Counts phases: what an earlier one scheduled to end is void. */
  phaseNumber: number;
  hash: number;
  events: number;
  nextSetting: number;
  nextToken: number;
  /** Occurrences of trigger events, and how often each trigger has fired. */
  readonly occurrences: Map<string, number>;
  readonly fired: number[];
  /** Node numbers of voters whose disk was lost: at most a minority (M-8). */
  readonly wiped: Set<number>;
  readonly accepted: AcceptedChange[];
  /** Leader and epoch at the end of the bootstrap, for L-R3. */
  steady: { readonly leader: number; readonly epoch: number } | undefined;
  /** L-R1: the append of the liveness phase. */
  probe: { readonly node: number; readonly lastOffset: number } | undefined;
  /** Whether majorities could not write when the faults ended (L-R5). */
  hadNoRoom: boolean;
  effects: RaftEffect[];
}

export function newWorld(
  scenario: RaftScenario,
  core: RaftCore,
  checkers: readonly RaftChecker[],
  trace: ((line: string) => void) | undefined,
): World {
  const { seed, config } = scenario;
  const ghost = newGhost(config, (id) => replicaKey(seed, id, 0), core.votersOf);
  const count = ghost.nodes.length;
  const links: Link[] = [];
  for (let from = 0; from < count; from++) {
    for (let to = 0; to < count; to++) links.push({ cuts: 0, draws: new DrawStream(seed, `link ${from} ${to}`) });
  }
  return {
    scenario,
    core,
    observer: newObserver(ghost, checkers),
    coverage: newCoverage(),
    queue: new EventQueue(),
    nodes: ghost.nodes.map((view) => newNode(seed, view)),
    links,
    client: new DrawStream(seed, 'client'),
    operator: new DrawStream(seed, 'operator'),
    states: new AbstractStates(),
    trace,
    now: 0,
    phase: 'bootstrap',
    phaseNumber: 0,
    hash: FNV_START,
    events: 0,
    nextSetting: 0,
    nextToken: 0,
    occurrences: new Map(),
    fired: scenario.triggers.map(() => 0),
    wiped: new Set(),
    accepted: [],
    steady: undefined,
    probe: undefined,
    hadNoRoom: false,
    effects: [],
  };
}

function newNode(seed: number, view: NodeView): SimNode {
  return {
    view,
    random: new KeyedRandom((seed ^ Math.imul(view.id + 1, 0x9e3779b1)) >>> 0),
    raft: undefined,
    clock: newClock(0, 0, 100),
    silent: false,
    paused: false,
    waiting: [],
    resumeAt: 0,
    timers: new Map(),
    held: [],
    outbound: new Map(),
    inbound: new Map(),
    nextInbound: 0,
    syncing: false,
    isGone: false,
    stalledUntil: 0,
    failsNextSync: false,
    fullUntil: 0,
    snapshots: newSnapshotWork(),
    formats: 0,
    proposing: new Map(),
    changing: new Map(),
    divergences: 0,
    draws: {
      disk: new DrawStream(seed, `disk ${view.id}`),
      crash: new DrawStream(seed, `crash ${view.id}`),
      boot: new DrawStream(seed, `boot ${view.id}`),
      snapshots: new DrawStream(seed, `snapshots ${view.id}`),
    },
  };
}

export function newSnapshotWork(): SnapshotWork {
  return { taking: undefined, download: undefined, finishing: undefined, loadedAt: 0 };
}

/** Whether the faults of the scenario's configuration are in force. */
export function isFaulty(world: World): boolean {
  return world.phase === 'faults';
}

export function aliveProcess(node: SimNode, incarnation: number): boolean {
  return node.view.alive && node.view.incarnation === incarnation;
}
