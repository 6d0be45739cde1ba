// The Kafka listeners of a broker. They are bound at start, so that a taken port is an error at once, but nothing is read before
// the broker may serve (D-0.7).

import type { ListenerConfig } from '../config/listeners.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Listener } from '../env/network.ts';
import type { BrokerContext } from './context.ts';
import { KafkaConnection } from './kafka-connection.ts';

export interface BoundListener {
  readonly config: ListenerConfig;
  /** The port taken, also where 0 was configured. */
  readonly port: number;
}

export class KafkaServer {
  readonly #env: Env;
  readonly #idleMs: number;
  readonly #fatal: (reason: string, cause: unknown) => void;
  readonly #connections = new Set<KafkaConnection>();
  #listeners: Listener[] = [];
  #serving = false;
  #idleTimer: Timer | undefined;

  constructor(env: Env, config: NodeConfig, fatal: (reason: string, cause: unknown) => void) {
    this.#env = env;
    this.#idleMs = config.values['connections.max.idle.ms'];
    this.#fatal = fatal;
  }

  /** Binds. EnvError ADDRESS_IN_USE and such; then `close` lets go what was bound before. */
  async bind(listeners: readonly ListenerConfig[], context: () => BrokerContext): Promise<BoundListener[]> {
    const bound: BoundListener[] = [];
    for (const config of listeners) {
      const listener = await this.#env.network.listen(config.bind, (stream) => {
        const connection = new KafkaConnection(context(), stream, this.#serving, {
          listener: config.name,
          onClose: (closed) => this.#connections.delete(closed),
          fatal: this.#fatal,
        });
        this.#connections.add(connection);
        return connection;
      });
      this.#listeners.push(listener);
      bound.push({ config, port: listener.address.port });
    }
    this.#watchIdle();
    return bound;
  }

  /** Answers from now on, those too who connected before. */
  serve(): void {
    this.#serving = true;
    for (const connection of this.#connections) connection.serve();
  }

  #watchIdle(): void {
    const { clock } = this.#env;
    this.#idleTimer = clock.schedule(Math.min(this.#idleMs, 10_000), () => {
      const oldest = clock.now() - this.#idleMs;
      for (const connection of this.#connections) {
        if (this.#serving && connection.isIdle && connection.lastActiveMs < oldest) connection.close('flush');
      }
      this.#watchIdle();
    });
  }

  /** Sends what is answered, then closes everything. */
  async close(): Promise<void> {
    this.#idleTimer?.cancel();
    for (const connection of this.#connections) connection.close('flush');
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#listeners = [];
  }
}
