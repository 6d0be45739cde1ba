// Brokers that are registered and alive as far as the controller knows, and nothing else: no process, no folder. What the controller
// does for many partitions is measured without what brokers make of them.
import type { ControllerChannel } from '../../src/client/controller-channel.ts';
import { built } from './built.ts';
import type { Scope } from './scope.ts';

const HEARTBEAT_MS = 500;
const TIMEOUT_MS = 30_000;

export class StandIns {
  readonly #channel: ControllerChannel;
  readonly #service: typeof import('../../src/gen/kvorum/v1/controller.ts').ControllerServiceDefinition;
  readonly #epochs = new Map<number, number>();
  /** Those that have gone silent. */
  readonly #silent = new Set<number>();

  private constructor(
    channel: ControllerChannel,
    service: typeof import('../../src/gen/kvorum/v1/controller.ts').ControllerServiceDefinition,
  ) {
    this.#channel = channel;
    this.#service = service;
  }

  /** Registers brokers of these ids, unfenced when it resolves; they send heartbeats until the scope ends. */
  static async register(
    scope: Scope,
    channel: ControllerChannel,
    clusterId: string,
    ids: readonly number[],
  ): Promise<StandIns> {
    const { ControllerServiceDefinition } =
      await built<typeof import('../../src/gen/kvorum/v1/controller.ts')>('gen/kvorum/v1/controller.js');
    const { uuidFromBytes } = await built<typeof import('../../src/base/uuid.ts')>('base/uuid.js');
    const uuid = (n: number): string => uuidFromBytes(Buffer.alloc(16, n));
    const standIns = new StandIns(channel, ControllerServiceDefinition);
    for (const brokerId of ids) {
      const request = {
        clusterId,
        brokerId,
        incarnationId: uuid(brokerId),
        logDirs: [uuid(100 + brokerId)],
        endpoints: [{ listener: 'PLAINTEXT', host: '127.0.0.1', port: 9 }],
        rack: '',
        bootCounter: 1,
        previousBrokerEpoch: -1,
        minMetadataLevel: 1,
        maxMetadataLevel: 3,
      };
      const { registerBroker } = ControllerServiceDefinition.methods;
      const { brokerEpoch } = await channel.call(ControllerServiceDefinition, registerBroker, request, TIMEOUT_MS, {
        patient: true,
      });
      standIns.#epochs.set(brokerId, brokerEpoch);
    }
    while ((await standIns.heartbeats()).some(({ fenced }) => fenced));
    const timer = setInterval(() => void standIns.heartbeats().catch(() => undefined), HEARTBEAT_MS);
    scope.defer(() => clearInterval(timer));
    return standIns;
  }

  heartbeats(): Promise<{ readonly fenced: boolean }[]> {
    const alive = [...this.#epochs.keys()].filter((id) => !this.#silent.has(id));
    return Promise.all(alive.map((id) => this.heartbeat(id, false)));
  }

  heartbeat(brokerId: number, wantFence: boolean): Promise<{ readonly fenced: boolean }> {
    const brokerEpoch = this.#epochs.get(brokerId) ?? -1;
    const wishes = { wantFence, wantShutdown: false, offlineLogDirs: [] };
    const request = { brokerId, brokerEpoch, metadataEndOffset: Number.MAX_SAFE_INTEGER, ...wishes };
    return this.#channel.call(this.#service, this.#service.methods.brokerHeartbeat, request, TIMEOUT_MS);
  }

  /** Asks that the broker be fenced, and sends no heartbeat of it any more. Resolves with the controller's answer. */
  async leave(brokerId: number): Promise<void> {
    this.#silent.add(brokerId);
    await this.heartbeat(brokerId, true);
  }
}
