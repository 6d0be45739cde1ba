// What lies between the processes of a test, and can be cut: a namespace for each node where the machine allows it, else a proxy in front
// of each.
import { NamespaceNetwork, whyNoNamespaces } from './namespaces.ts';
import { ProxyNetwork, whyNoProxies } from './proxies.ts';

/** A node, or everybody who is none: clients, and this process. */
export type End = number | 'clients';

export interface NodeNetwork {
  /** Whether {@link NodeNetwork.cut} does anything. */
  readonly canCut: boolean;
  /** Whether each node has an address of its own, so that all may listen on the same ports. */
  readonly hasOwnPorts: boolean;
  /** Where the node listens. */
  hostOf(nodeId: number): string;
  /** The command that runs `command` where the node is. */
  commandAt(nodeId: number, command: readonly string[]): readonly string[];
  /** The port by which other nodes come to this one of the node; mostly the same. */
  frontOf(nodeId: number, port: number): Promise<number>;
  /** The node's process is this one now. */
  started(nodeId: number, pid: number): void;
  /** From now on nothing that `from` sends comes to `to`; neither is told. What `to` sends still arrives. */
  cut(from: End, to: End): void;
  /** Ends the cut from the one to the other. */
  mend(from: End, to: End): void;
  remove(): void;
}

/** All nodes on this machine's own address: nothing can be cut. */
const LOOPBACK: NodeNetwork = {
  canCut: false,
  hasOwnPorts: false,
  hostOf: () => '127.0.0.1',
  commandAt: (_, command) => command,
  frontOf: (_, port) => Promise.resolve(port),
  started: () => {},
  cut: () => {},
  mend: () => {},
  remove: () => {},
};

const WAYS = ['namespaces', 'proxies', 'loopback'] as const;
const whyNot = { namespaces: whyNoNamespaces(), proxies: whyNoProxies(), loopback: undefined };
/** KVORUM_NETWORK picks one of them. */
const wanted = process.env['KVORUM_NETWORK'];
const way = WAYS.find((it) => it === wanted) ?? WAYS.find((it) => whyNot[it] === undefined) ?? 'loopback';

if (way !== 'namespaces') {
  const meanwhile = way === 'proxies' ? 'proxies between nodes are stalled' : 'the network of nodes is not cut';
  process.stderr.write(`${whyNot.namespaces ?? `KVORUM_NETWORK=${way}`}: ${meanwhile}\n`);
}

/** The best that this machine can do. */
export function createNetwork(nodeIds: readonly number[]): NodeNetwork {
  if (way === 'namespaces') return NamespaceNetwork.create(nodeIds);
  return way === 'proxies' ? new ProxyNetwork() : LOOPBACK;
}
