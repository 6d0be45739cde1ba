// Where there are no namespaces: a proxy in front of each node, through which the other nodes come to it, not clients. Who has connected is
// found in /proc, so each way between two nodes can be cut by itself: what is on its way stands still, and every other time that a cut
// ends, the connections that stood still are reset.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { End, NodeNetwork } from './network.ts';

/** One connection through a proxy. */
interface Connection {
  readonly from: End;
  readonly to: number;
  readonly caller: Socket;
  readonly callee: Socket;
}

const HOST = '127.0.0.1';

/** Why there can be no such proxies; undefined where there can. */
export function whyNoProxies(): string | undefined {
  return process.platform === 'linux' ? undefined : 'cutting connections between nodes needs Linux';
}

export class ProxyNetwork implements NodeNetwork {
  readonly canCut = true;
  readonly hasOwnPorts = false;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Connection>();
  readonly #pids = new Map<number, number>();
  readonly #cuts = new Set<string>();
  #mended = 0;

  hostOf(): string {
    return HOST;
  }

  commandAt(_: number, command: readonly string[]): readonly string[] {
    return command;
  }

  /** Another port that leads to this one. */
  async frontOf(nodeId: number, port: number): Promise<number> {
    const server = createServer((caller) => this.#accept(nodeId, port, caller));
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, HOST, resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  started(nodeId: number, pid: number): void {
    this.#pids.set(nodeId, pid);
  }

  cut(from: End, to: End): void {
    this.#cuts.add(`${from}>${to}`);
    for (const connection of this.#connections) this.#let(connection);
  }

  mend(from: End, to: End): void {
    this.#cuts.delete(`${from}>${to}`);
    const resets = this.#mended++ % 2 === 1;
    for (const connection of [...this.#connections]) {
      const isBetween = [connection.from, connection.to].every((end) => end === from || end === to);
      if (isBetween && resets) connection.caller.resetAndDestroy();
      else this.#let(connection);
    }
  }

  remove(): void {
    for (const { caller, callee } of this.#connections) for (const socket of [caller, callee]) socket.destroy();
    for (const server of this.#servers.splice(0)) server.close();
  }

  #accept(to: number, port: number, caller: Socket): void {
    const from = this.#callerOf(caller);
    const callee = connect({ host: HOST, port, noDelay: true });
    caller.setNoDelay(true);
    const connection = { from, to, caller, callee };
    this.#connections.add(connection);
    caller.pipe(callee).pipe(caller);
    this.#let(connection);
    for (const socket of [caller, callee]) {
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#connections.delete(connection);
        // As the one end goes, so does the other.
        for (const end of [caller, callee]) if (!end.destroyed) end.resetAndDestroy();
      });
    }
  }

  /** Lets bytes through each way, or not. */
  #let({ from, to, caller, callee }: Connection): void {
    this.#letOneWay(caller, callee, this.#cuts.has(`${from}>${to}`));
    this.#letOneWay(callee, caller, this.#cuts.has(`${to}>${from}`));
  }

  #letOneWay(source: Socket, sink: Socket, isCut: boolean): void {
    source.unpipe(sink);
    if (isCut) source.pause();
    else source.pipe(sink);
  }

  /** The node whose process has the other end. */
  #callerOf({ remotePort, localPort }: Socket): End {
    const inode = inodeOf(remotePort ?? 0, localPort ?? 0);
    for (const [nodeId, pid] of this.#pids) if (inode !== undefined && hasSocket(pid, inode)) return nodeId;
    return 'clients';
  }
}

/** Of the socket on this machine with these ports. */
function inodeOf(localPort: number, remotePort: number): string | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/ +/);
    if (fields[1]?.endsWith(`:${hex(localPort)}`) && fields[2]?.endsWith(`:${hex(remotePort)}`)) return fields[9];
  }
  return undefined;
}

function hasSocket(pid: number, inode: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => linkOf(`${folder}/${fd}`) === `socket:[${inode}]`);
  } catch {
    // It has ended.
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return undefined;
  }
}
