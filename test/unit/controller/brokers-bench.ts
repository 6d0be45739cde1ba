// What brokers say to a controller, in few words, and clusters with many partitions.
import type { NewTopic } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import type {
  BrokerHeartbeatRequest,
  PartitionAlteration,
  RegisterBrokerRequest,
} from '../../../src/gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Control } from '../../../src/gen/kvorum/v1/controller.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Harness } from './harness.ts';
import { CLUSTER_ID, outcome } from './harness.ts';

/** Defaults of the keys. */
export const SESSION_MS = 9000;
export const HEARTBEAT_MS = 2000;
export const GRACE_MS = 500;

export function brokersOf(h: Harness) {
  /** Lets timers that are due and promises run, and commits, until nothing happens any more; gives what `promise` resolves to. */
  async function carryOut<T>(promise: Promise<T>): Promise<T> {
    for (let i = 0; i < 1000 && (await outcome(promise)) === 'pending'; i++) {
      h.clock.advance(0);
      h.commit();
    }
    return promise;
  }

  const brokers = {
    carryOut,

    register: (brokerId: number, fields: Partial<RegisterBrokerRequest> = {}) =>
      h.call(Control, Control.methods.registerBroker, {
        clusterId: CLUSTER_ID,
        brokerId,
        incarnationId: uuid(200 + brokerId),
        logDirs: [uuid(1000 + brokerId)],
        endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: 1 }],
        rack: '',
        bootCounter: 1,
        previousBrokerEpoch: -1,
        minMetadataLevel: 1,
        maxMetadataLevel: 3,
        ...fields,
      }),

    /** A heartbeat of the registered incarnation. */
    beat: (brokerId: number, fields: Partial<BrokerHeartbeatRequest> = {}) =>
      h.call(Control, Control.methods.brokerHeartbeat, {
        brokerId,
        brokerEpoch: brokers.epochOf(brokerId),
        metadataEndOffset: h.publisher.image.endOffset,
        wantFence: false,
        wantShutdown: false,
        offlineLogDirs: [],
        ...fields,
      }),

    epochOf: (brokerId: number): number => h.publisher.image.brokers.get(brokerId)?.brokerEpoch ?? -1,

    /** Registers and unfences; commits both. */
    async join(brokerId: number, fields: Partial<RegisterBrokerRequest> = {}): Promise<number> {
      await carryOut(brokers.register(brokerId, fields));
      await carryOut(brokers.beat(brokerId));
      return brokers.epochOf(brokerId);
    },

    async create(name: string, fields: Partial<NewTopic> = {}): Promise<string> {
      const topics = [{ name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [], ...fields }];
      const request = { topics, validateOnly: false, forwarded: false };
      const created = await carryOut(h.call(Admin, Admin.methods.createTopics, request));
      const [topic] = created.topics;
      if (topic?.error !== undefined) throw new Error(topic.error.message);
      return topic?.topicId ?? '';
    },

    /** One topic whose partitions are all on these brokers, in this order of preference. */
    createOn: (name: string, partitions: number, brokerIds: number[], configs: Record<string, string> = {}) =>
      brokers.create(name, {
        partitions: -1,
        configs,
        assignments: Array.from({ length: partitions }, (_, partition) => ({ partition, replicas: brokerIds })),
      }),

    /** The broker says where replicas are. */
    assign: (brokerId: number, replicas: { topicId: string; partition: number; directoryId: string }[]) =>
      carryOut(
        h.call(Control, Control.methods.assignReplicasToDirs, {
          brokerId,
          brokerEpoch: brokers.epochOf(brokerId),
          replicas,
        }),
      ),

    alterPartition: (brokerId: number, partitions: PartitionAlteration[]) =>
      h.call(Control, Control.methods.alterPartition, {
        brokerId,
        brokerEpoch: brokers.epochOf(brokerId),
        partitions,
      }),

    isFenced: (brokerId: number) => h.publisher.image.brokers.get(brokerId)?.fenced,

    /** Of how many partitions it is in the ISR, is in the ELR, leads. */
    holds(brokerId: number): { isr: number; elr: number; leads: number } {
      const sums = { isr: 0, elr: 0, leads: 0 };
      for (const { partitions } of h.publisher.image.topics.values()) {
        for (const { isr, elr, leader } of partitions) {
          if (isr.includes(brokerId)) sums.isr++;
          if (elr.includes(brokerId)) sums.elr++;
          if (leader === brokerId) sums.leads++;
        }
      }
      return sums;
    },
  };
  return brokers;
}
