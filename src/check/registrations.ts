// Registrations of brokers in the metadata log: S-M7, and C-2.2a, C-2.3 and C-2.4 that it stands on.
import type { NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { SeenBrokerChange, SeenRegistration } from './metadata-records.ts';
import type { MetadataState, Partition } from './metadata-state.ts';
import { nameOf } from './metadata-state.ts';
import type { Violation } from './violation.ts';
import { violation } from './violation.ts';

export class RegistrationHistory {
  /** Each process registers once. */
  readonly #incarnations = new Set<Uuid>();

  register(state: MetadataState, record: SeenRegistration, offset: Offset): Violation | undefined {
    const { brokerId, incarnationId, logDirs, bootCounter, cleanStart } = record;
    const before = state.brokers.get(brokerId);
    if (this.#incarnations.has(incarnationId)) {
      return violation('S-M7', `incarnation ${incarnationId} of broker ${brokerId} registers a second time`);
    }
    this.#incarnations.add(incarnationId);
    const isSameDisk = before?.logDirs.some((id) => logDirs.includes(id)) === true;
    if (isSameDisk && bootCounter <= before.bootCounter) {
      const detail = `start ${bootCounter} of broker ${brokerId} replaces its start ${before.bootCounter}`;
      return violation('S-M7', detail);
    }
    state.register(record, offset);
    return cleanStart || before === undefined ? undefined : forgotten(state, brokerId);
  }

  change(state: MetadataState, record: SeenBrokerChange): Violation | undefined {
    const { brokerId, brokerEpoch, fenced, inControlledShutdown } = record;
    const broker = state.brokers.get(brokerId);
    if (broker?.brokerEpoch !== brokerEpoch) {
      return violation(
        'S-M7',
        `a change of broker ${brokerId} is for epoch ${brokerEpoch}, not ${broker?.brokerEpoch}`,
      );
    }
    broker.fenced = fenced ?? broker.fenced;
    broker.leaving = inControlledShutdown ?? broker.leaving;
    return undefined;
  }

  unregister(state: MetadataState, { brokerId, brokerEpoch }: SeenBrokerChange): Violation | undefined {
    if (state.brokers.get(brokerId)?.brokerEpoch !== brokerEpoch) {
      return violation('S-M7', `broker ${brokerId} is forgotten under epoch ${brokerEpoch}, which is not its own`);
    }
    state.brokers.delete(brokerId);
    return forgotten(state, brokerId);
  }
}

/** C-2.4, C-2.6: what it may have lost makes it no candidate any more: it is in no ISR, and in no ELR. */
function forgotten(state: MetadataState, brokerId: NodeId): Violation | undefined {
  const has = (what: string, partition: Partition): Violation =>
    violation('S-M4', `broker ${brokerId} may have lost data, and is in the ${what} of ${nameOf(partition)}`);
  for (const partition of state.isrOf(brokerId)) {
    // Below level 2 the last member stays (C-5.4).
    if (state.level > 1 || partition.state.isr.length > 1) return has('ISR', partition);
  }
  for (const partition of state.elrOf(brokerId)) {
    // Of one replica nobody could have more.
    if (partition.state.replicas.length > 1) return has('ELR', partition);
  }
  return undefined;
}
