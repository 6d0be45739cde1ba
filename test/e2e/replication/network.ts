// What lies between the processes of a test, and can be cut: a namespace for each node where the machine allows it, loopback else.
import { NamespaceNetwork, whyNoNamespaces } from './namespaces.ts';

/** A node, or everybody who is none: clients, and this process. */
export type End = number | 'clients';

export interface NodeNetwork {
  /** Whether {@link NodeNetwork.cut} does anything. */
  readonly canCut: boolean;
  /** Where the node listens. */
  hostOf(nodeId: number): string;
  /** The command that runs `command` where the node is. */
  commandAt(nodeId: number, command: readonly string[]): readonly string[];
  /** From now on nothing that `from` sends comes to `to`; neither is told. What `to` sends still arrives. */
  cut(from: End, to: End): void;
  /** Ends the cut from the one to the other. */
  mend(from: End, to: End): void;
  remove(): void;
}

/** All nodes on this machine's own address: nothing can be cut. */
const LOOPBACK: NodeNetwork = {
  canCut: false,
  hostOf: () => '127.0.0.1',
  commandAt: (_, command) => command,
  cut: () => {},
  mend: () => {},
  remove: () => {},
};

const whyNot = whyNoNamespaces();
if (whyNot !== undefined) process.stderr.write(`${whyNot}: nodes are killed and paused, their network is not cut\n`);

/** The best that this machine can do. */
export function createNetwork(nodeIds: readonly number[]): NodeNetwork {
  return whyNot === undefined ? NamespaceNetwork.create(nodeIds) : LOOPBACK;
}
