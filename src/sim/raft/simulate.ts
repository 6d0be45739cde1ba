// Runs one scenario: takes the next event, hands it to its node, and passes through the phases of safety.md 8.8:
// bootstrap → faults → heal → liveness → end. The same scenario gives the same event hash (S-X1).
import { unreachable } from '../../base/assert.ts';
import type { ReplicaKey } from '../../raft/types.ts';
import type { RaftChecker } from './checker.ts';
import type { CheckerName } from './checks/all.ts';
import { safetyCheckers } from './checks/all.ts';
import { readClock, whenShows } from './clock.ts';
import type { RaftCore } from './core.ts';
import { RAFT_CORE } from './core.ts';
import type { Coverage } from './coverage.ts';
import { finishSync } from './disk-events.ts';
import { describeEffect, feed, localNow } from './driver.ts';
import type { SimEvent, Us } from './event-queue.ts';
import { changeSpeed, heal, injectFault, mend, targetOf } from './faults.ts';
import { includesReplica, isVoter } from './ghost.ts';
import { foldNumber, foldText } from './hash.ts';
import { checkDeposed, checkStable, endBootstrap, endRun, HEAL_US, PROBE_US, startProbe } from './liveness.ts';
import { wholeOf } from './log-entry.ts';
import { sendFailure, takeOutbound } from './network.ts';
import { reportDiskDone, resumeProcess, startProcess } from './process.ts';
import type { RaftScenario } from './scenario.ts';
import { considerSnapshot, finishFile } from './snapshot-events.ts';
import { check, Violation } from './violation.ts';
import { operatorTick, scheduleOperator } from './voter-workload.ts';
import { clientTick, scheduleClient } from './workload.ts';
import type { Phase, SimNode, World } from './world.ts';
import { aliveProcess, newWorld } from './world.ts';

export interface RaftRunOptions {
  /** Called with one line for each thing that happens. */
  readonly trace?: (line: string) => void;
  /** A core in a broken driver, to see that it is found out. */
  readonly core?: RaftCore;
  /** Checkers to leave out, to see what the others find. */
  readonly without?: readonly CheckerName[];
  /** Further checkers. */
  readonly checkers?: readonly RaftChecker[];
  /** Ends the run, as ok, at this virtual time: for shrinking what failed earlier. */
  readonly stopAtMs?: number;
}

export interface Verdict {
  readonly ok: boolean;
  /** The id in safety.md of what does not hold. */
  readonly property?: string;
  readonly detail?: string;
  /** Virtual time of the end. */
  readonly atMs: number;
  /** Over all events and effects, in order. */
  readonly hash: number;
  readonly coverage: Coverage;
  readonly events: number;
  /** Distinct abstract states that it went through, by hash (safety.md 8.10). */
  readonly states: ReadonlySet<number>;
}

/** How often what a core says of itself is compared with what its effects said. */
const DESCRIBE_EVERY = 64;

export function runRaftScenario(scenario: RaftScenario, options: RaftRunOptions = {}): Verdict {
  const world = openRun(scenario, options);
  try {
    play(world, options.stopAtMs ?? Number.POSITIVE_INFINITY);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    options.trace?.(`${(world.now / 1000).toFixed(3)} ${error.message}`);
    return { ok: false, property: error.property, detail: error.detail, ...outcome(world) };
  }
  return { ok: true, ...outcome(world) };
}

function outcome(world: World): Omit<Verdict, 'ok'> {
  const { coverage, events } = world;
  return { atMs: world.now / 1000, hash: world.hash >>> 0, coverage, events, states: world.states.seen };
}

/** A world of which nothing has happened yet. */
export function openRun(scenario: RaftScenario, options: RaftRunOptions = {}): World {
  const checkers = [...safetyCheckers(options.without), ...(options.checkers ?? [])];
  const world = newWorld(scenario, options.core ?? RAFT_CORE, checkers, options.trace);
  for (const node of world.nodes) {
    // Processes do not start at the same instant.
    const at = node.draws.boot.below(100_000);
    world.queue.push(at, { kind: 'start', node: node.view.id, incarnation: 0 });
  }
  scheduleClient(world, scenario.workload.burst);
  scheduleOperator(world);
  world.queue.push(scenario.config.bootstrapMs * 1000, { kind: 'phase', name: 'faults' });
  return world;
}

function play(world: World, stopAtMs: number): void {
  const stable = world.scenario.config.liveness === 'stable';
  for (let next = world.queue.pop(); next !== undefined && world.phase !== 'over'; next = world.queue.pop()) {
    if (next.at > stopAtMs * 1000) return;
    happen(world, next.at, next.event);
    if (stable && world.phase !== 'bootstrap') checkStable(world);
    if (world.events % DESCRIBE_EVERY === 0)
      compareDescription(world, (world.events / DESCRIBE_EVERY) % world.nodes.length);
  }
}

/** The event takes place, at its time. */
export function happen(world: World, at: Us, event: SimEvent): void {
  world.now = at;
  world.events++;
  world.hash = foldNumber(foldText(world.hash, event.kind), at);
  if ('node' in event) world.hash = foldNumber(world.hash, event.node);
  handle(world, event);
}

function handle(world: World, event: SimEvent): void {
  switch (event.kind) {
    case 'request':
      return deliverRequest(world, event);
    case 'response': {
      const node = world.nodes[event.node] as SimNode;
      if (!takeOutbound(world, node, event.incarnation, event.call, true)) return;
      const { call, message } = event;
      if (message.epoch < node.view.epoch) world.coverage.staleResponses++;
      return deliver(world, node, { type: 'response', now: localNow(world, node), call, message });
    }
    case 'callFailed': {
      const node = world.nodes[event.node] as SimNode;
      if (!takeOutbound(world, node, event.incarnation, event.call, false)) return;
      if (event.failure === 'timeout') world.coverage.timedOutCalls++;
      const { call, failure } = event;
      return deliver(world, node, { type: 'callFailed', now: localNow(world, node), call, failure });
    }
    case 'timer':
      return fireTimer(world, event);
    case 'sync':
      return finishSync(world, world.nodes[event.node] as SimNode, event.incarnation, event.op);
    case 'diskDone': {
      const node = world.nodes[event.node] as SimNode;
      if (aliveProcess(node, event.incarnation)) reportDiskDone(world, node, event.op);
      return;
    }
    case 'applied': {
      const node = world.nodes[event.node] as SimNode;
      if (!aliveProcess(node, event.incarnation)) return;
      node.view.appliedEndOffset = Math.max(node.view.appliedEndOffset, event.endOffset);
      feed(world, node, { type: 'applied', now: localNow(world, node), endOffset: event.endOffset });
      if (!node.paused) considerSnapshot(world, node);
      return;
    }
    case 'snapshotFile': {
      const node = world.nodes[event.node] as SimNode;
      if (aliveProcess(node, event.incarnation)) finishFile(world, node, event.what, event.setting);
      return;
    }
    case 'start': {
      const node = world.nodes[event.node] as SimNode;
      if (node.view.incarnation === event.incarnation) startProcess(world, node);
      return;
    }
    case 'resume': {
      const node = world.nodes[event.node] as SimNode;
      if (aliveProcess(node, event.incarnation) && world.now >= node.resumeAt) resumeProcess(world, node);
      return;
    }
    case 'propose':
      return clientTick(world, event.count);
    case 'changeVoters':
      return operatorTick(world);
    case 'fault':
      return injectFault(world, event.action, event.node);
    case 'timedFault':
      return timedFault(world, event.index);
    case 'mend':
      if (event.phase === world.phaseNumber) mend(world, event.links);
      return;
    case 'phase':
      return enterPhase(world, event.name);
    default:
      unreachable(event, 'event');
  }
}

function deliver(world: World, node: SimNode, event: Parameters<typeof feed>[2]): void {
  if (world.trace !== undefined) {
    world.trace(`${(world.now / 1000).toFixed(3)} ${node.view.id} <- ${describeEffect(event)}`);
  }
  feed(world, node, event);
}

function deliverRequest(world: World, event: Extract<SimEvent, { kind: 'request' }>): void {
  const node = world.nodes[event.to] as SimNode;
  const { from, incarnation, call, message } = event;
  const inbound = { from, incarnation, call, message };
  if (!node.view.alive) {
    if (node.silent) return;
    world.coverage.refusedCalls++;
    return sendFailure(world, event.to, inbound, 'refused');
  }
  const id = node.nextInbound++;
  node.inbound.set(id, inbound);
  deliver(world, node, { type: 'request', now: localNow(world, node), call: id, message });
}

function fireTimer(world: World, event: Extract<SimEvent, { kind: 'timer' }>): void {
  const node = world.nodes[event.node] as SimNode;
  if (!aliveProcess(node, event.incarnation)) return;
  const timer = node.timers.get(event.id);
  if (timer === undefined || timer.setting !== event.setting) return;
  if (readClock(node.clock, world.now) < timer.atMs) {
    // The clock has become slower since.
    world.queue.push(whenShows(node.clock, timer.atMs, world.now), event);
    return;
  }
  node.timers.delete(event.id);
  const { id } = event;
  deliver(world, node, { type: 'timer', now: localNow(world, node), id, generation: timer.generation });
}

function timedFault(world: World, index: number): void {
  const fault = world.scenario.faults[index];
  if (fault === undefined || world.phase !== 'faults') return;
  injectFault(world, fault, targetOf(world, fault));
  scheduleFault(world, index + 1);
}

function scheduleFault(world: World, index: number): void {
  const fault = world.scenario.faults[index];
  if (fault !== undefined) {
    world.queue.push(world.now + Math.round(fault.afterMs * 1000), { kind: 'timedFault', index });
  }
}

function setPhase(world: World, phase: Phase): void {
  world.phase = phase;
  world.phaseNumber++;
}

function enterPhase(world: World, name: Extract<SimEvent, { kind: 'phase' }>['name']): void {
  const { config } = world.scenario;
  world.trace?.(`${(world.now / 1000).toFixed(3)} phase ${name}`);
  switch (name) {
    case 'faults':
      endBootstrap(world);
      setPhase(world, 'faults');
      for (const node of world.nodes) changeSpeed(world, node, config.clockPercent[node.view.id] ?? 100);
      scheduleFault(world, 0);
      world.queue.push(world.now + config.faultPhaseMs * 1000, { kind: 'phase', name: 'heal' });
      return;
    case 'heal':
      if (config.liveness === 'deposed') checkDeposed(world);
      setPhase(world, config.liveness === 'none' ? 'over' : 'heal');
      heal(world);
      world.queue.push(world.now + HEAL_US, { kind: 'phase', name: 'probe' });
      return;
    case 'probe':
      setPhase(world, 'probe');
      startProbe(world);
      world.queue.push(world.now + PROBE_US, { kind: 'phase', name: 'end' });
      return;
    case 'end':
      endRun(world);
      setPhase(world, 'over');
      return;
    default:
      unreachable(name, 'phase');
  }
}

/** S-X2: what `quorum describe` shows is what the effects have said. */
function compareDescription(world: World, index: number): void {
  const { view, raft, paused } = world.nodes[index] as SimNode;
  if (raft === undefined || paused || !view.alive) return;
  const description = world.core.describeQuorum(raft);
  const { written, writtenCatalogue } = view.disk;
  const latest = writtenCatalogue[writtenCatalogue.length - 1]?.snapshot.id;
  const { voters } = wholeOf(written);
  const described = description.voters.map(({ replica }) => replica);
  check(
    'S-X2',
    description.role === view.role &&
      description.epoch === view.epoch &&
      description.leaderId === view.leaderId &&
      description.highWatermark === view.highWatermark &&
      description.logEndOffset === wholeOf(written).endOffset &&
      description.logStartOffset === written.start.endOffset &&
      description.latestSnapshot?.endOffset === latest?.endOffset &&
      description.isVoter === isVoter(view) &&
      (voters === undefined || isSameSet(voters, described)),
    () => `node ${view.id} describes itself as ${JSON.stringify({ ...description, voters: 0, observers: 0 })}`,
  );
}

function isSameSet(a: readonly ReplicaKey[], b: readonly ReplicaKey[]): boolean {
  return a.length === b.length && a.every((key) => includesReplica(b, key));
}
