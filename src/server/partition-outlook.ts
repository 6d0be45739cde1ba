// What the controller would do with one partition: its own decisions, made on an image that holds that partition alone, applied,
// and forgotten. So an explanation cannot say other than what happens.
import { must } from '../base/assert.ts';
import type { NodeId } from '../base/ids.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { brokerLeaves, brokerReturns } from '../controller/decide/affected-partitions.ts';
import { isRefusal } from '../controller/decide/decision.ts';
import { decideElectLeaders } from '../controller/decide/elect-leaders.ts';
import { electionPolicyOf } from '../controller/decide/policy.ts';
import { ElectionType } from '../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../metadata/image.ts';
import { ELR_LEVEL } from '../metadata/level.ts';
import type { Outlook } from '../metadata/outlook.ts';
import { replay } from '../metadata/replay.ts';
import type { Subject } from '../metadata/standing.ts';

export function partitionOutlook({ image: whole, topic, state }: Subject): Outlook {
  const policy = electionPolicyOf(whole);
  const { name, topicId } = topic;
  const alone = { ...topic, partitions: topic.partitions.clear().push(state) };
  const image: MetadataImage = { ...whole, topics: whole.topics.clear().set(topicId, alone) };
  const move = { cause: '', limit: 1 };

  const after = (from: MetadataImage, records: readonly MetadataRecord[]): MetadataImage => {
    const baseOffset = from.endOffset;
    return replay(from, { baseOffset, endOffset: baseOffset + records.length, epoch: from.epoch, records }).image;
  };
  const stateIn = (of: MetadataImage): PartitionState =>
    must(of.topics.get(topicId)?.partitions.get(0), 'the partition of an outlook');

  return {
    returns: (brokerId, crashed) => {
      const broker = image.brokers.get(brokerId);
      if (broker === undefined) return state;
      const left = crashed
        ? after(image, brokerLeaves(image, policy, { ...move, brokerId, unclean: true }).records)
        : image;
      const logDirs = [...new Set([...broker.logDirs, ...directoryOf(state, brokerId)])];
      const ready = { ...broker, fenced: true, inControlledShutdown: false, logDirs };
      const restarted = { ...left, brokers: left.brokers.set(brokerId, ready) };
      return stateIn(after(restarted, brokerReturns(restarted, policy, { ...move, brokerId })));
    },
    leaves: (brokerId) =>
      stateIn(after(image, brokerLeaves(image, policy, { ...move, brokerId, unclean: false }).records)),
    elect: (type) => {
      const request = {
        type: type === 'preferred' ? ElectionType.PREFERRED : ElectionType.UNCLEAN,
        partitions: [{ topic: name, partition: 0 }],
        validateOnly: false,
        forwarded: false,
      };
      const decided = decideElectLeaders(image, request, policy);
      return isRefusal(decided) ? state : stateIn(after(image, decided.records));
    },
    uncleanCause: image.level < ELR_LEVEL ? undefined : policy.uncleanCause(name),
  };
}

/** The log dir that holds the replica, if it is known. */
function directoryOf({ replicas, directories }: PartitionState, brokerId: NodeId): string[] {
  const directory = directories[replicas.indexOf(brokerId)] ?? ZERO_UUID;
  return directory === ZERO_UUID ? [] : [directory];
}
