// Carries out the faults of a scenario, mends them when their time is over, and heals everything at the end.
import { unreachable } from '../../base/assert.ts';
import type { DiskFaultKind } from '../disk/faults.ts';
import type { SimProcess } from '../process/process.ts';
import type { SimCluster } from './cluster.ts';
import { fillDisk, freeDisk, loseBrokerDisk, loseDisk, replaceDisk, rotFile } from './disk-faults.ts';
import type { SimNode } from './node.ts';
import { cutPower, killLife, startLife, stopLife } from './node.ts';
import type { FaultAction, Trigger } from './scenario.ts';
import { DISK_FAILURES } from './scenario.ts';
import { ViolatedError } from './violated.ts';

/** A graceful stop takes no longer. */
const STOP_LIMIT_MS = 20_000;

export class Nemesis {
  /** How often each kind was injected. */
  readonly injected = new Map<string, number>();
  readonly #cluster: SimCluster;
  /** How many cuts a directed link has now. */
  readonly #cuts = new Map<string, number>();
  #isHealed = false;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Makes links and disks as the scenario has them, and begins with its faults. */
  begin(): void {
    const { world, scenario, nodes } = this.#cluster;
    const { links, syncLatencyMs, clockPercent, diskRoomKib } = scenario.config;
    const { latencyMs, tailMs, lossPermille, duplicatePermille, latePermille, lateMs } = links;
    const late = latePermille / 1000;
    Object.assign(world.network.defaults, { latencyMs, tailMs, loss: lossPermille / 1000, late, lateMs });
    world.network.duplicateRequests(duplicatePermille / 1000, lateMs || 500);
    for (const [index, node] of nodes.entries()) {
      node.process.disk.settings.syncLatencyUs = [100, 1000 * syncLatencyMs];
      node.process.setClockRate((clockPercent[index] ?? 100) / 100);
      if (diskRoomKib > 0) fillDisk(node, diskRoomKib);
    }
    this.#next(0);
    for (const trigger of scenario.triggers) this.#arm(trigger);
  }

  #arm(trigger: Trigger): void {
    const { ghost, world } = this.#cluster;
    const others = ghost.onMoment;
    let count = 0;
    ghost.onMoment = (nodeId, moment) => {
      others(nodeId, moment);
      if (moment !== trigger.on || this.#isHealed) return;
      count++;
      if (count % trigger.nth !== 0 || count > trigger.nth * trigger.times) return;
      const fault = { ...trigger, i: nodeId - 1 + trigger.i };
      // In an event of its own: what happens to the node does not happen in the middle of its step.
      world.after(trigger.delayMs, () => {
        if (!this.#isHealed) this.inject(fault);
      });
    };
  }

  #next(index: number): void {
    const fault = this.#cluster.scenario.faults[index];
    if (fault === undefined) return;
    this.#cluster.world.after(fault.dt, () => {
      if (this.#isHealed) return;
      this.inject(fault);
      this.#next(index + 1);
    });
  }

  inject(fault: FaultAction): void {
    const { nodes, clients, controllers, brokers, world } = this.#cluster;
    const { network } = world;
    const { kind, i, j, durationMs } = fault;
    const hosts = [...nodes.map(({ process }) => process), ...clients];
    const node = nodes[i % nodes.length] as SimNode;
    const host = hosts[i % hosts.length] as SimProcess;
    const other = hosts[j % hosts.length] as SimProcess;
    const restart = (): void => world.after(durationMs, () => startLife(node));
    this.injected.set(kind, (this.injected.get(kind) ?? 0) + 1);
    switch (kind) {
      case 'kill':
        killLife(node);
        return restart();
      case 'power':
        cutPower(node);
        return restart();
      case 'stop':
        return this.#stop(node, restart);
      case 'pause':
        host.pause();
        return world.after(durationMs, () => host.resume());
      case 'cut':
        return this.#cut(durationMs, [host.name, other.name], [other.name, host.name]);
      case 'cutOneWay':
        return this.#cut(durationMs, [host.name, other.name]);
      case 'isolate':
        return this.#cut(durationMs, ...hosts.flatMap(({ name }) => bothWays(host.name, name)));
      case 'cutFromControllers':
        return this.#cut(durationMs, ...controllers.flatMap(({ process }) => bothWays(host.name, process.name)));
      case 'reset':
        return network.resetConnections(host.name, other.name);
      case 'stallDisk':
        return node.process.disk.stall(durationMs);
      case 'failDisk':
        return this.#failDisk(node, DISK_FAILURES[j % DISK_FAILURES.length] as DiskFaultKind, durationMs);
      case 'fullDisk':
        if (node.process.disk.settings.capacityBytes < Number.POSITIVE_INFINITY) return;
        fillDisk(node, j);
        return world.after(durationMs, () => freeDisk(node));
      case 'powerBrokers': {
        const chosen = brokers.filter((_, bit) => (j >> bit) % 2 === 1);
        const hit = chosen.length === 0 ? brokers : chosen;
        for (const each of hit) cutPower(each);
        return world.after(durationMs, () => {
          for (const each of hit) startLife(each);
        });
      }
      case 'loseBrokerDisk':
        return loseBrokerDisk(brokers[i % brokers.length] as SimNode, durationMs);
      case 'loseDisk':
        return loseDisk(controllers[i % controllers.length] as SimNode, j % 2 === 1, durationMs);
      case 'rot':
        return rotFile(this.#cluster, brokers[i % brokers.length] as SimNode, j);
      case 'jumpClock':
        return host.jumpWallClock((j % 2 === 0 ? -1000 : 1000) * j);
      default:
        unreachable(kind, 'fault');
    }
  }

  #stop(node: SimNode, restart: () => void): void {
    const { world } = this.#cluster;
    const life = node.process.lives;
    const isOver = (): boolean => !node.process.isAlive || node.process.lives !== life;
    if (isOver()) return;
    stopLife(node).then(restart, (error: unknown) => world.fail(`stop of ${node.process.name}`, error));
    world.after(STOP_LIMIT_MS, () => {
      if (isOver() || node.process.isPaused || this.#isHealed) return;
      const detail = `${node.process.name} did not stop within ${STOP_LIMIT_MS} ms`;
      world.fail('S-X2', new ViolatedError({ property: 'S-X2', detail }));
    });
  }

  /** What failed may end the node or take a partition offline; its supervisor starts it again (R-14.2, D-10.5). */
  #failDisk(node: SimNode, kind: DiskFaultKind, durationMs: number): void {
    if (!node.process.isAlive) return;
    node.isExcused = true;
    if (node.config.isBroker) this.#cluster.ghost.replicas.shaken(node.id);
    node.process.disk.failNext(kind);
    this.#cluster.world.after(durationMs, () => {
      if (!node.isExcused) return;
      killLife(node);
      startLife(node);
    });
  }

  #cut(durationMs: number, ...links: (readonly [from: string, to: string])[]): void {
    const { world } = this.#cluster;
    const between = links.filter(([from, to]) => from !== to);
    for (const [from, to] of between) {
      const key = `${from}>${to}`;
      this.#cuts.set(key, (this.#cuts.get(key) ?? 0) + 1);
      world.network.cut(from, to);
    }
    world.after(durationMs, () => {
      if (this.#isHealed) return;
      for (const [from, to] of between) {
        const left = (this.#cuts.get(`${from}>${to}`) ?? 1) - 1;
        this.#cuts.set(`${from}>${to}`, left);
        if (left === 0) world.network.setLink(from, to, { up: true });
      }
    });
  }

  /** Everything works again: links, disks, clocks, processes. */
  heal(): void {
    const { world, nodes, clients } = this.#cluster;
    this.#isHealed = true;
    Object.assign(world.network.defaults, { latencyMs: 0.2, tailMs: 0.2, loss: 0, late: 0 });
    world.network.duplicateRequests(0);
    world.network.resetLinks();
    for (const process of [...nodes.map((node) => node.process), ...clients]) process.resume();
    for (const node of nodes) {
      node.process.setClockRate(1);
      node.process.disk.settings.syncLatencyUs = [100, 1000];
      freeDisk(node);
      if (node.diskState === 'damaged') replaceDisk(node);
      // A node whose disk failed is started again, which is what the operator was told to do.
      if (node.isExcused) killLife(node);
      startLife(node);
    }
  }
}

function bothWays(a: string, b: string): [string, string][] {
  return [
    [a, b],
    [b, a],
  ];
}
