// A network of namespaces: one for each node, with an address of its own, on one bridge that this machine's clients are on too. Needs
// root and `ip`. A cut gives the sender a wrong hardware address of the receiver: its packets vanish on the bridge, one way.
import { execFileSync, spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import type { End, NodeNetwork } from './network.ts';

/** Of bridges, namespaces and interfaces, with the process that made them: at most 15 characters are left for a name. */
const PREFIX = 'kve';
const NOBODY = '02:00:5e:00:53:01';

/** What is there of this process. */
const made = new Set<string>();

process.once('exit', removeAll);
process.once('disconnect', removeAll);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, removeAll);

function removeAll(): void {
  for (const name of made) spawnSync('ip', name.split(' '), { stdio: 'ignore' });
  made.clear();
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Why there can be no such network; undefined where there can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (spawnSync('ip', ['-V']).status !== 0) return 'network namespaces need the ip command';
  const probe = `${PREFIX}${process.pid}p`;
  const added = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  spawnSync('ip', ['netns', 'del', probe]);
  return added.status === 0 ? undefined : `there are no network namespaces: ${added.stderr.trim()}`;
}

export class NamespaceNetwork implements NodeNetwork {
  readonly canCut = true;
  readonly hasOwnPorts = true;
  readonly #name = `${PREFIX}${process.pid}`;
  readonly #subnet: string;
  readonly #undo: string[] = [];

  private constructor(nodeIds: readonly number[]) {
    removeLeftOvers();
    this.#subnet = freeSubnet();
    this.#make(`link del ${this.#name}`, 'link', 'add', this.#name, 'type', 'bridge');
    ip('addr', 'add', `${this.#subnet}.254/24`, 'dev', this.#name);
    ip('link', 'set', this.#name, 'up');
    for (const id of nodeIds) this.#addNode(id);
  }

  static create(nodeIds: readonly number[]): NamespaceNetwork {
    return new NamespaceNetwork(nodeIds);
  }

  hostOf(nodeId: number): string {
    return `${this.#subnet}.${nodeId}`;
  }

  commandAt(nodeId: number, command: readonly string[]): readonly string[] {
    return ['ip', 'netns', 'exec', this.#namespaceOf(nodeId), ...command];
  }

  frontOf(_: number, port: number): Promise<number> {
    return Promise.resolve(port);
  }

  started(): void {}

  cut(from: End, to: End): void {
    ip(...this.#neighbour(from, 'replace', to), 'lladdr', NOBODY, ...this.#device(from), 'nud', 'permanent');
  }

  mend(from: End, to: End): void {
    ip(...this.#neighbour(from, 'del', to), ...this.#device(from));
  }

  remove(): void {
    for (const name of this.#undo.splice(0).reverse()) {
      spawnSync('ip', name.split(' '), { stdio: 'ignore' });
      made.delete(name);
    }
  }

  #addNode(id: number): void {
    const namespace = this.#namespaceOf(id);
    const cable = `${this.#name}c${id}`;
    this.#make(`netns del ${namespace}`, 'netns', 'add', namespace);
    this.#make(
      `link del ${cable}`,
      ...['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace],
    );
    ip('link', 'set', cable, 'master', this.#name, 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    ip('-n', namespace, 'addr', 'add', `${this.hostOf(id)}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  }

  #make(undo: string, ...args: string[]): void {
    made.add(undo);
    this.#undo.push(undo);
    ip(...args);
  }

  #namespaceOf(id: number): string {
    return `${this.#name}n${id}`;
  }

  /** `ip neigh …` of what `from` believes of `to`. */
  #neighbour(from: End, what: 'replace' | 'del', to: End): string[] {
    const address = to === 'clients' ? `${this.#subnet}.254` : this.hostOf(to);
    return [...(from === 'clients' ? [] : ['-n', this.#namespaceOf(from)]), 'neigh', what, address];
  }

  #device(of: End): string[] {
    return ['dev', of === 'clients' ? this.#name : 'eth0'];
  }
}

/** What a process left behind that was killed. */
function removeLeftOvers(): void {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  const { stdout: links } = spawnSync('ip', ['-o', 'link', 'show', 'type', 'bridge'], { encoding: 'utf8' });
  for (const [, name, owner] of `${stdout}\n${links}`.matchAll(new RegExp(`\\b(${PREFIX}(\\d+)(?:n\\d+)?)\\b`, 'g'))) {
    if (name === undefined || owner === undefined || isRunning(Number(owner))) continue;
    const kind = /n\d+$/.test(name) ? 'netns' : 'link';
    spawnSync('ip', [kind, 'del', name], { stdio: 'ignore' });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The first three numbers of addresses that nobody on this machine uses. */
function freeSubnet(): string {
  const used = new Set(
    Object.values(networkInterfaces()).flatMap((addresses) =>
      (addresses ?? []).map(({ address }) => address.split('.').slice(0, 3).join('.')),
    ),
  );
  for (;;) {
    const subnet = `10.77.${1 + Math.floor(Math.random() * 250)}`;
    if (!used.has(subnet)) return subnet;
  }
}
