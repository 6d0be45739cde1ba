// Listeners: `listeners`, `advertised.listeners` and `listener.security.protocol.map`, in Kafka's syntax.
import type { NodeId } from '../base/ids.ts';

/** Where to bind or connect. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** kafka: Kafka's wire protocol. controller: gRPC among controllers and brokers. grpc: gRPC for people. http: probes. */
export type ListenerKind = 'kafka' | 'controller' | 'grpc' | 'http';

export interface ListenerConfig {
  readonly name: string;
  readonly kind: ListenerKind;
  /** Port 0: any free one. */
  readonly bind: HostPort;
  /** What others are told; the bound port where the advertised one is 0. */
  readonly advertised: HostPort;
}

/** Collects what is wrong, so that an operator sees everything at once. */
export interface Problems {
  readonly errors: string[];
  readonly warnings: string[];
}

/** Splits a comma list, dropping blanks. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** `host:port`, with IPv6 in brackets; undefined if it is not. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: match[1] ?? match[2] ?? '', port };
}

interface Named {
  readonly name: string;
  readonly at: HostPort;
}

function parseNamed(key: string, text: string, problems: Problems): Named[] {
  const found: Named[] = [];
  for (const part of listOf(text)) {
    const match = /^([A-Za-z0-9_.-]+):\/\/(.*)$/.exec(part);
    const at = match === null ? undefined : parseHostPort(match[2] as string);
    if (match === null || at === undefined) {
      problems.errors.push(`${key}: '${part}' is not NAME://host:port, for example PLAINTEXT://127.0.0.1:9092`);
    } else if (found.some((other) => other.name === (match[1] as string).toUpperCase())) {
      problems.errors.push(`${key}: the name ${match[1]} stands twice`);
    } else {
      found.push({ name: (match[1] as string).toUpperCase(), at });
    }
  }
  return found;
}

function parseProtocolMap(text: string, problems: Problems): Map<string, string> {
  const protocols = new Map<string, string>();
  for (const part of listOf(text)) {
    const [name, protocol, more] = part.split(':');
    if (name === undefined || protocol === undefined || more !== undefined) {
      problems.errors.push(`listener.security.protocol.map: '${part}' is not NAME:PROTOCOL`);
      continue;
    }
    protocols.set(name.trim().toUpperCase(), protocol.trim().toUpperCase());
  }
  return protocols;
}

function kindOf(name: string, protocol: string | undefined, isController: boolean, problems: Problems): ListenerKind {
  const speaks = protocol ?? (name === 'GRPC' || name === 'HTTP' ? name : isController ? 'PLAINTEXT' : name);
  if (speaks === 'PLAINTEXT') return isController ? 'controller' : 'kafka';
  if (speaks === 'GRPC' && !isController) return 'grpc';
  if (speaks === 'HTTP' && !isController) return 'http';
  problems.errors.push(
    protocol === undefined
      ? `listener ${name} has no protocol: add ${name}:PLAINTEXT (or GRPC, HTTP) to listener.security.protocol.map`
      : `listener ${name} asks for ${speaks}, which this version does not have: it serves PLAINTEXT, GRPC and HTTP without encryption`,
  );
  return 'kafka';
}

const EVERY_INTERFACE = new Set(['0.0.0.0', '::']);

/** The listeners of a node. */
export function parseListeners(
  keys: {
    readonly listeners: string;
    readonly advertised: string;
    readonly protocolMap: string;
    readonly controllerNames: string;
  },
  problems: Problems,
): ListenerConfig[] {
  const protocols = parseProtocolMap(keys.protocolMap, problems);
  const controllerNames = new Set(listOf(keys.controllerNames).map((name) => name.toUpperCase()));
  const advertised = new Map(
    parseNamed('advertised.listeners', keys.advertised, problems).map((it) => [it.name, it.at]),
  );
  const bound = parseNamed('listeners', keys.listeners, problems);
  for (const name of advertised.keys()) {
    if (!bound.some((it) => it.name === name)) {
      problems.errors.push(`advertised.listeners: ${name} is not among the listeners`);
    }
  }
  return bound.map(({ name, at }) => {
    const kind = kindOf(name, protocols.get(name), controllerNames.has(name), problems);
    const bind = at.host === '' ? { host: '127.0.0.1', port: at.port } : at;
    const told = advertised.get(name) ?? bind;
    if (at.host === '') {
      problems.warnings.push(
        `listener ${name} names no host and is bound to 127.0.0.1; write 0.0.0.0 for every interface`,
      );
    }
    if (told.host === '' || EVERY_INTERFACE.has(told.host)) {
      problems.errors.push(
        `listener ${name} needs an address that others can reach: set advertised.listeners=${name}://host:port`,
      );
    }
    return { name, kind, bind, advertised: told };
  });
}

/** `controller.quorum.voters`: id@host:port, comma separated. */
export function parseVoters(text: string, problems: Problems): { id: NodeId; address: HostPort }[] {
  const voters: { id: NodeId; address: HostPort }[] = [];
  for (const part of listOf(text)) {
    const match = /^(\d+)@(.+)$/.exec(part);
    const address = match === null ? undefined : parseHostPort(match[2] as string);
    if (match === null || address === undefined || address.host === '') {
      problems.errors.push(`controller.quorum.voters: '${part}' is not id@host:port, for example 1@127.0.0.1:9093`);
    } else if (voters.some((voter) => voter.id === Number(match[1]))) {
      problems.errors.push(`controller.quorum.voters: id ${match[1]} stands twice`);
    } else {
      voters.push({ id: Number(match[1]), address });
    }
  }
  return voters;
}
