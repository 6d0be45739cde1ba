// The ghost state of a run (safety.md 6): what nodes show of themselves, checked as it comes. Nodes never read it.
import type { NodeId } from '../../base/ids.ts';
import { hash32 } from '../../base/keyed-random.ts';
import { AppendHistory } from '../../check/appends.ts';
import type { TailLoss } from '../../check/history.ts';
import type { SeenImage, SeenPartition } from '../../check/metadata.ts';
import { ImageHistory } from '../../check/metadata.ts';
import type { LogFields, Logger } from '../../env/logger.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { brokersInOrder, EMPTY_IMAGE, isActive, topicsInOrder } from '../../metadata/image.ts';
import { imageToRecords } from '../../metadata/image-records.ts';
import { encodeRecord } from '../../metadata/record.ts';
import type { DiskLog } from './disk-logs.ts';
import { Reigns } from './reigns.ts';

export class Ghost {
  readonly images = new ImageHistory();
  readonly appends = new AppendHistory();
  readonly reigns = new Reigns();
  readonly losses: TailLoss[] = [];
  /** Told of each line that a node logs: of its id and what happened. */
  onMoment: (nodeId: NodeId, moment: string) => void = () => {};
  /** Moments of nodes, by name. */
  readonly moments = new Map<string, number>();

  /** A node logged this line, or came to this moment. */
  happened(nodeId: NodeId, moment: string): void {
    this.moments.set(moment, (this.moments.get(moment) ?? 0) + 1);
    this.onMoment(nodeId, moment);
  }
}

/** The parts of an image that are checked, and a digest of all of it. */
export function seenImage(image: MetadataImage): SeenImage {
  let partitions: SeenPartition[] | undefined;
  return {
    endOffset: image.endOffset,
    digest: digestOf(image),
    brokers: brokersInOrder(image).map((broker) => {
      const { brokerId, brokerEpoch, incarnationId } = broker;
      return { brokerId, brokerEpoch, incarnationId, isActive: isActive(broker) };
    }),
    // Most images are known by their digest already.
    get partitions() {
      partitions ??= topicsInOrder(image).flatMap(({ name, topicId, partitions: states }) =>
        [...states].map((state, partition) => ({ topic: name, topicId, partition, ...state })),
      );
      return partitions;
    },
  };
}

/** By topic: an image shares those that did not change with the one before. */
const topicDigests = new WeakMap<TopicImage, number>();

function digestOf(image: MetadataImage): string {
  const topics = topicsInOrder(image);
  const digests = topics.map((topic) => {
    let digest = topicDigests.get(topic);
    if (digest === undefined) {
      digest = digestOfRecords({ ...EMPTY_IMAGE, topics: EMPTY_IMAGE.topics.set(topic.topicId, topic) });
      topicDigests.set(topic, digest);
    }
    return digest;
  });
  const rest = digestOfRecords({ ...image, topics: EMPTY_IMAGE.topics });
  return `${topics.length} topics, ${hash32([rest, ...digests].join()).toString(16)}`;
}

function digestOfRecords(image: MetadataImage): number {
  return hash32(
    imageToRecords(image)
      .map((record) => Buffer.from(encodeRecord(record)).toString('latin1'))
      .join('\n'),
  );
}

export interface SeenLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: LogFields;
}

/** A logger that tells `see` of every line too. */
export function observedLogger(logger: Logger, see: (line: SeenLine) => void): Logger {
  const also =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}): void => {
      logger[level](event, fields);
      see({ level, event, fields });
    };
  return {
    debug: also('debug'),
    info: also('info'),
    warn: also('warn'),
    error: also('error'),
    child: (fields) => observedLogger(logger.child(fields), see),
  };
}

/** The batches of a log as they lie there at the end of a life of their broker. */
export function* batchesOf({ topic, partition, batches }: DiskLog) {
  for (const { baseOffset, partitionLeaderEpoch, crc } of batches) {
    yield { topic, partition, baseOffset, leaderEpoch: partitionLeaderEpoch, crc };
  }
}
