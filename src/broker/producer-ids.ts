// Producer ids for this broker's clients, from blocks that the controller hands out (C-9.3): unique over the cluster's life.
import type { NodeId, Offset } from '../base/ids.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import { ControllerServiceDefinition as Service } from '../gen/kvorum/v1/controller.ts';

/** How long a client's request may wait for a new block. */
const ALLOCATE_TIMEOUT_MS = 5000;

export interface ProducerIdsDeps {
  readonly controller: ControllerChannel;
  readonly logger: Logger;
  readonly brokerId: NodeId;
  /** The epoch of the present registration, -1 before. */
  readonly brokerEpoch: () => Offset;
}

export class ProducerIds {
  readonly #deps: ProducerIdsDeps;
  #next = 0;
  #end = 0;
  #refill: Promise<void> | undefined;

  constructor(deps: ProducerIdsDeps) {
    this.#deps = deps;
  }

  /** An id that nobody else has; undefined if the controller gave none in time. */
  async next(): Promise<number | undefined> {
    if (this.#next === this.#end) {
      this.#refill ??= this.#allocate().finally(() => {
        this.#refill = undefined;
      });
      await this.#refill;
    }
    return this.#next < this.#end ? this.#next++ : undefined;
  }

  async #allocate(): Promise<void> {
    const { controller, logger, brokerId, brokerEpoch } = this.#deps;
    const request = { brokerId, brokerEpoch: brokerEpoch() };
    try {
      const block = await controller.call(Service, Service.methods.allocateProducerIds, request, ALLOCATE_TIMEOUT_MS);
      this.#next = block.firstProducerId;
      this.#end = block.firstProducerId + block.count;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      logger.warn('no-producer-ids', { reason: error.message });
    }
  }
}
