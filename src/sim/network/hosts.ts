// Who listens where. Every process is a host of its own name; `localhost`, `127.0.0.1`, `::1` and wildcards mean the
// process itself. A listener belongs to an incarnation and dies with it.
import { EnvError } from '../../env/error.ts';
import type { Address, ByteStream, RpcService, StreamHandler } from '../../env/network.ts';
import type { Incarnation } from '../world/incarnation.ts';

/** The first of the ports given for port 0, and to the calling side of connections. */
const FIRST_EPHEMERAL_PORT = 32_768;
const LAST_PORT = 65_535;

const OWN_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1', '0.0.0.0', '::', '']);

export interface Binding {
  readonly incarnation: Incarnation;
  readonly accept: ((stream: ByteStream) => StreamHandler) | undefined;
  readonly services: ReadonlyMap<string, RpcService> | undefined;
}

export class Host {
  readonly name: string;
  /** False after a power cut, until the next start: nothing answers, not even with a refusal. */
  isPowered = true;
  /** Its process while it lives, running or paused. */
  incarnation: Incarnation | undefined;
  readonly #bindings = new Map<number, Binding>();
  #nextEphemeral = FIRST_EPHEMERAL_PORT;

  constructor(name: string) {
    this.name = name;
  }

  bind(at: Address, binding: Binding): Address {
    if (at.host !== this.name && !OWN_NAMES.has(at.host)) {
      throw new EnvError('ADDRESS_UNAVAILABLE', `${at.host} is not an address of ${this.name}`);
    }
    const port = at.port === 0 ? this.ephemeralPort() : at.port;
    if (this.#bindings.has(port)) throw new EnvError('ADDRESS_IN_USE', `${at.host}:${port} is taken`);
    this.#bindings.set(port, binding);
    return { host: at.host, port };
  }

  unbind(port: number, binding: Binding): void {
    if (this.#bindings.get(port) === binding) this.#bindings.delete(port);
  }

  binding(port: number): Binding | undefined {
    return this.#bindings.get(port);
  }

  /** How many ports are bound. */
  get boundPorts(): number {
    return this.#bindings.size;
  }

  /** A port that nobody listens on. */
  ephemeralPort(): number {
    for (;;) {
      const port = this.#nextEphemeral;
      this.#nextEphemeral = port === LAST_PORT ? FIRST_EPHEMERAL_PORT : port + 1;
      if (!this.#bindings.has(port)) return port;
    }
  }

  /** The process ended. */
  clear(): void {
    this.incarnation = undefined;
    this.#bindings.clear();
  }
}

/** The host that `name` means to the process on `from`. */
export function hostNamed(name: string, from: string): string {
  return OWN_NAMES.has(name) ? from : name;
}
