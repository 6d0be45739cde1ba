// A partition with three replicas that this broker leads, over a real log on a simulated disk. The test is the controller, the metadata
// log and the followers.
import { must } from '../../../src/base/assert.ts';
import type { NodeId, Offset } from '../../../src/base/ids.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import type { AlterationOutcome, AlterPartitions, PartitionAlteration } from '../../../src/replica/alter-partitions.ts';
import type { Appended } from '../../../src/replica/append.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import { followerFetched } from '../../../src/replica/follower-fetch.ts';
import type { LossReports, ReplicaLoss } from '../../../src/replica/loss-reports.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import type { PartitionRead } from '../../../src/replica/read.ts';
import type { World } from '../../../src/sim/world/world.ts';
import { batchOf } from '../broker/bench.ts';
import { CALM, registration, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { config, SELF, topic, withReplicas } from './bench.ts';

export const T = uuid(50);

/** One change that the leader asked for. */
export interface Asked {
  readonly alteration: PartitionAlteration;
  /** The new ISR. */
  readonly isr: readonly NodeId[];
  readonly isAborted: boolean;
  answer(outcome: AlterationOutcome): Promise<void>;
  /** Carried out: the partition epoch rises by one. */
  commit(): Promise<void>;
}

/** Says what the test says, when the test says it. */
class ScriptedAlterPartitions implements AlterPartitions {
  readonly asked: Asked[] = [];

  alter(alteration: PartitionAlteration, signal: AbortSignal): Promise<AlterationOutcome | undefined> {
    return new Promise((resolve) => {
      const isr = alteration.isr.map(({ brokerId }) => brokerId);
      const answer = async (outcome: AlterationOutcome): Promise<void> => {
        resolve(outcome);
        await turns();
      };
      this.asked.push({
        alteration,
        isr,
        answer,
        get isAborted() {
          return signal.aborted;
        },
        commit: () => {
          const { leaderEpoch, partitionEpoch, recovering } = alteration;
          return answer({ kind: 'altered', leaderEpoch, partitionEpoch: partitionEpoch + 1, isr, recovering });
        },
      });
    });
  }
}

/** Takes losses when the test lets it. */
class ScriptedLossReports implements LossReports {
  readonly reported: ReplicaLoss[] = [];
  take: (() => void) | undefined;

  report(loss: ReplicaLoss): Promise<boolean> {
    this.reported.push(loss);
    return new Promise((resolve) => {
      this.take = () => resolve(true);
    });
  }
}

/** What was resolved is acted on. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

export interface Led {
  readonly partition: Partition;
  readonly replicas: Replicas;
  readonly asked: readonly Asked[];
  readonly losses: ScriptedLossReports;
  /** A newer committed state, as the metadata log brings it. */
  readonly state: (fields: Partial<PartitionState>) => Promise<void>;
  /** Of the newest registration of that broker. */
  readonly epochOf: (brokerId: NodeId) => Offset;
  /** A valid fetch of a follower whose log ends there, in the leader's epoch, unless `fields` say otherwise. */
  readonly fetch: (brokerId: NodeId, fetchOffset: Offset, fields?: FetchFields) => PartitionRead | undefined;
  /** Appends so many records, one batch each, with acks=1. */
  readonly append: (count?: number) => void;
  /** One record with acks=all: what its producer is told; undefined: acknowledged at once. */
  readonly produce: () => Appended['acknowledged'];
}

export interface FetchFields {
  readonly brokerEpoch?: Offset;
  readonly currentLeaderEpoch?: number;
  readonly lastFetchedEpoch?: number;
  readonly logStartOffset?: Offset;
}

/** With all of 1 (the leader), 2 and 3 in the ISR, in leader epoch 0, and log.flush.mode=async, unless said otherwise. */
export async function leading(
  body: (led: Led) => Promise<void>,
  options: {
    readonly isr?: readonly NodeId[];
    readonly minIsr?: number;
    readonly keys?: Record<string, string>;
    readonly world?: World;
  } = {},
): Promise<World> {
  const { isr = [SELF, 2, 3], minIsr = 1 } = options;
  const [alterPartitions, losses] = [new ScriptedAlterPartitions(), new ScriptedLossReports()];
  return withReplicas(
    async (replicas) => {
      const { commit, publisher } = replicas;
      const members = [SELF, 2, 3];
      const directories = members.map(() => uuid(71));
      const minInsync = config(ConfigScope.TOPIC, 't', 'min.insync.replicas', String(minIsr));
      commit(...topic('t', T, { replicas: members, isr: [...isr], directories }), minInsync);
      const partition = await replicas.partition(T);
      await body({
        partition,
        replicas,
        asked: alterPartitions.asked,
        losses,
        state: async (fields) => {
          const base = { ...CALM, replicas: members, isr, directories, leader: SELF, leaderEpoch: 0 };
          await partition.applyState({ ...base, partitionEpoch: 0, ...fields });
        },
        epochOf: (id) => must(publisher.image.brokers.get(id), 'the broker').brokerEpoch,
        fetch: (brokerId, fetchOffset, fields = {}) => {
          const { brokerEpoch = must(publisher.image.brokers.get(brokerId), 'the broker').brokerEpoch, ...rest } =
            fields;
          const { leaderEpoch } = partition;
          const named = { currentLeaderEpoch: leaderEpoch, lastFetchedEpoch: fetchOffset === 0 ? -1 : leaderEpoch };
          return followerFetched(
            partition,
            { brokerId, brokerEpoch },
            { fetchOffset, logStartOffset: 0, ...named, ...rest },
          );
        },
        append: (count = 1) => {
          for (let i = 0; i < count; i++) appended(appendToPartition(partition, batchOf(), 1));
        },
        produce: () => appended(appendToPartition(partition, batchOf(), -1)).acknowledged,
      });
    },
    {
      keys: { 'log.flush.mode': 'async', ...options.keys },
      before: [2, 3].map((id) => registration(id, { fenced: false, logDirs: [uuid(71)] })),
      alterPartitions,
      lossReports: losses,
      ...(options.world === undefined ? {} : { world: options.world }),
    },
  );
}

function appended(result: ReturnType<typeof appendToPartition>): Appended {
  if (result.kind === 'refused') throw new Error(`${result.error}: ${result.message}`);
  return result;
}
