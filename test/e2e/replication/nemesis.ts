// What befalls the processes of a run: a schedule drawn from a seed, nothing else. Who is meant by "leader" is found out when it happens, so
// the same schedule need not do the same twice; what did happen is noted.
import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import type { SixProcesses } from './cluster.ts';
import { BROKERS, NODES } from './cluster.ts';
import type { End } from './network.ts';

/** `leader`: of a partition that is drawn; `controller`: the active one; `follower`: a replica of that partition that does not lead. */
export type Target = 'leader' | 'follower' | 'controller' | { readonly node: number };

export interface Fault {
  readonly atMs: number;
  readonly durationMs: number;
  /** `cut`: one way between two nodes. `isolate`: both ways from all other nodes, not from clients. `stop`: in good order. */
  readonly kind: 'kill' | 'stop' | 'pause' | 'cut' | 'isolate' | 'kill brokers';
  readonly target: Target;
  /** Of a cut, the other end. */
  readonly other: Target;
}

/** Kinds with their weights, and the longest that each lasts. */
const KINDS: readonly (readonly [Fault['kind'], number, number])[] = [
  ['kill', 8, 6000],
  ['stop', 2, 4000],
  ['pause', 6, 20_000],
  ['cut', 5, 12_000],
  ['isolate', 4, 12_000],
  ['kill brokers', 1, 2000],
];
const LONGEST_CALM_MS = 3500;
/** Beginning before the one before has ended: more at a time, and nothing is decided any more. */
const MOST_AT_A_TIME = 2;

/** Where nobody knows who leads. */
const ANYONE = 4;

export function drawSchedule(seed: number, durationMs: number): Fault[] {
  const random = new KeyedRandom(seed);
  const total = KINDS.reduce((sum, [, weight]) => sum + weight, 0);
  const faults: Fault[] = [];
  for (let atMs = 500; atMs < durationMs; atMs += 300 + random.below('calm', LONGEST_CALM_MS)) {
    let drawn = random.below('kind', total);
    const [kind, , longestMs] = KINDS.find(([, weight]) => (drawn -= weight) < 0) as (typeof KINDS)[number];
    const lastsMs = 100 + random.below('duration', longestMs);
    const underWay = faults.filter((fault) => fault.atMs + fault.durationMs > atMs);
    // The long ones would leave no time for others.
    const durationMs = random.chance('short', 0.6) ? Math.ceil(lastsMs / 4) : lastsMs;
    const fault = { atMs, durationMs, kind, target: drawTarget(random, 'target'), other: drawTarget(random, 'other') };
    if (underWay.length < MOST_AT_A_TIME) faults.push(fault);
  }
  return faults;
}

function drawTarget(random: KeyedRandom, key: string): Target {
  const roles = ['leader', 'leader', 'follower', 'controller'] as const;
  const role = roles[random.below(key, roles.length + 2)];
  return role ?? { node: NODES[random.below(`${key}.node`, NODES.length)] as number };
}

export class Nemesis {
  readonly #cluster: SixProcesses;
  readonly #leaders: () => Promise<readonly number[]>;
  readonly #activeController: () => Promise<number>;
  /** Cuts under way, each as often as it was made. */
  readonly #cuts = new Map<string, { readonly from: End; readonly to: End; count: number }>();
  readonly #paused = new Set<number>();
  /** What happened, a line each. */
  readonly notes: string[] = [];
  readonly counts = new Map<string, number>();

  /** `leaders`: of some partitions, at any time. */
  constructor(
    cluster: SixProcesses,
    leaders: () => Promise<readonly number[]>,
    activeController: () => Promise<number>,
  ) {
    this.#cluster = cluster;
    this.#leaders = leaders;
    this.#activeController = activeController;
  }

  /** Carries the schedule out, and makes everything well again at its end. */
  async play(schedule: readonly Fault[], durationMs: number): Promise<void> {
    const begunAt = performance.now();
    const nowMs = (): number => Math.round(performance.now() - begunAt);
    const running = schedule.map(async (fault) => {
      await sleep(fault.atMs);
      await this.#carryOut(fault, nowMs);
    });
    try {
      await Promise.all([...running, sleep(durationMs)]);
    } finally {
      await this.heal();
    }
  }

  /** No cuts, nobody paused, everybody runs. */
  async heal(): Promise<void> {
    for (const { from, to } of this.#cuts.values()) this.#cluster.network.mend(from, to);
    this.#cuts.clear();
    for (const id of this.#paused) await this.#cluster.signal(id, 'SIGCONT');
    this.#paused.clear();
    for (const id of NODES) this.#cluster.begin(id);
  }

  async #carryOut(fault: Fault, nowMs: () => number): Promise<void> {
    const { kind, durationMs } = fault;
    const target = await this.#nodeOf(fault.target);
    const what = `${nowMs()} ms: ${kind} ${kind === 'kill brokers' ? '' : `${target} `}for ${durationMs} ms`;
    if (kind === 'cut' || kind === 'isolate') {
      if (!this.#cluster.network.canCut) return;
      const other = await this.#nodeOf(fault.other);
      const others = kind === 'cut' ? [other] : NODES;
      const links = others.filter((id) => id !== target).map((id) => ({ from: target, to: id }));
      const all =
        kind === 'cut'
          ? links
          : links.flatMap(({ from, to }) => [
              { from, to },
              { from: to, to: from },
            ]);
      this.#note(kind, `${what}${kind === 'cut' ? ` towards ${other}` : ''}`);
      for (const link of all) this.#cut(link);
      await sleep(durationMs);
      for (const link of all) this.#mend(link);
    } else if (kind === 'pause') {
      if (!this.#cluster.isRunning(target) || this.#paused.has(target)) return;
      this.#note(kind, what);
      this.#paused.add(target);
      await this.#cluster.signal(target, 'SIGSTOP');
      await sleep(durationMs);
      await this.#cluster.signal(target, 'SIGCONT');
      this.#paused.delete(target);
    } else {
      const victims = kind === 'kill brokers' ? BROKERS : [target];
      const fallen = victims.filter((id) => this.#cluster.isRunning(id));
      // Who is paused does not hear that it is to stop.
      const signal = kind === 'stop' && !fallen.some((id) => this.#paused.has(id)) ? 'SIGTERM' : 'SIGKILL';
      if (fallen.length === 0) return;
      this.#note(kind, what);
      await Promise.all(fallen.map((id) => this.#cluster.signal(id, signal)));
      await sleep(durationMs);
      for (const id of fallen) this.#cluster.begin(id);
    }
  }

  #note(kind: string, what: string): void {
    this.notes.push(what);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  #cut(link: { from: End; to: End }): void {
    const key = `${link.from}>${link.to}`;
    const cut = this.#cuts.get(key) ?? { ...link, count: 0 };
    cut.count++;
    this.#cuts.set(key, cut);
    this.#cluster.network.cut(link.from, link.to);
  }

  #mend({ from, to }: { from: End; to: End }): void {
    const key = `${from}>${to}`;
    const cut = this.#cuts.get(key);
    if (cut === undefined || --cut.count > 0) return;
    this.#cuts.delete(key);
    this.#cluster.network.mend(from, to);
  }

  async #nodeOf(target: Target): Promise<number> {
    if (typeof target === 'object') return target.node;
    if (target === 'controller') {
      const active = await this.#activeController();
      return active < 0 ? ANYONE : active;
    }
    const leaders = (await this.#leaders()).filter((id) => id >= 0);
    const leader = leaders[this.notes.length % Math.max(1, leaders.length)] ?? ANYONE;
    if (target === 'leader') return leader;
    const followers = BROKERS.filter((id) => id !== leader);
    return followers[this.notes.length % followers.length] as number;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
