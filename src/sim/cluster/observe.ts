// The ghost state of a run (safety.md 6): what nodes show of themselves, checked as it comes. Nodes never read it.
import type { Ms, NodeId, Offset } from '../../base/ids.ts';
import { hash32 } from '../../base/keyed-random.ts';
import { AppendHistory } from '../../check/appends.ts';
import type { Place, TailLoss } from '../../check/history.ts';
import { placeName } from '../../check/history.ts';
import type { SeenImage } from '../../check/images.ts';
import { checkFold, ImageHistory } from '../../check/images.ts';
import { MetadataHistory } from '../../check/metadata.ts';
import type { Violation } from '../../check/violation.ts';
import { violation } from '../../check/violation.ts';
import type { LogFields, Logger } from '../../env/logger.ts';
import type { MetadataDelta } from '../../metadata/delta.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { EMPTY_IMAGE, topicsInOrder } from '../../metadata/image.ts';
import { imageToRecords } from '../../metadata/image-records.ts';
import { decodeRecords, encodeRecord } from '../../metadata/record.ts';
import type { LogEntry } from '../raft/log-entry.ts';
import { Reigns } from './reigns.ts';
import type { ReplicaWatch } from './replica-watch.ts';

/** Between two events that are one for people. */
const AT_ONCE_MS = 20;

export class Ghost {
  readonly images = new ImageHistory();
  readonly metadata = new MetadataHistory();
  readonly appends = new AppendHistory();
  readonly reigns = new Reigns();
  /** Of topics with one replica that {@link replicas} does not watch. */
  readonly losses: TailLoss[] = [];
  /** Set once there are nodes. */
  replicas!: ReplicaWatch;
  /** What the quorum has committed, by batch; grows. */
  committed: readonly LogEntry[] = [];
  /** Told of each line that a node logs: of its id and what happened. */
  onMoment: (nodeId: NodeId, moment: string) => void = () => {};
  /** Moments of nodes, by name. */
  readonly moments = new Map<string, number>();
  /** Virtual time. */
  now: () => Ms = () => 0;
  #fencedAtMs = Number.NEGATIVE_INFINITY;
  /** Batches that {@link metadata} has seen. */
  #judged = 0;

  /** A node logged this line, or came to this moment. */
  happened(nodeId: NodeId, moment: string): void {
    this.count(moment);
    this.#relate(moment);
    this.onMoment(nodeId, moment);
  }

  /** What is only interesting together. */
  #relate(moment: string): void {
    if (moment === 'broker-fenced') {
      if (this.now() - this.#fencedAtMs <= AT_ONCE_MS) this.count('two brokers fenced at once');
      this.#fencedAtMs = this.now();
    }
    if (moment !== 'controller-active') return;
    for (const { fenced, leaving } of this.metadata.state.brokers.values()) {
      if (leaving && !fenced) this.count('failover during a controlled shutdown');
    }
  }

  /** Something happened that belongs to no node. */
  count(what: string): void {
    this.moments.set(what, (this.moments.get(what) ?? 0) + 1);
  }

  /** A node published this image. `delta`: what it changes; undefined for what a life begins with. */
  published(node: string, life: number, image: MetadataImage, delta: MetadataDelta | undefined): Violation | undefined {
    return (
      this.judge(image.endOffset) ??
      (delta === undefined ? undefined : this.#checkFold(image, delta)) ??
      this.images.see(node, life, seenImage(image))
    );
  }

  /** Takes in what is committed up to this offset. */
  judge(endOffset: Offset): Violation | undefined {
    while (this.metadata.endOffset < endOffset) {
      const entry = this.committed[this.#judged++];
      if (entry === undefined) return violation('S-M8', `there is an image at offset ${endOffset}, not committed`);
      const { baseOffset, control, records: bytes } = entry.batch;
      const records = control ? [] : decodeRecords(bytes, baseOffset);
      const found = this.metadata.commit({ baseOffset, endOffset: entry.endOffset, records });
      if (found !== undefined) return found;
      this.replicas.applied(records);
    }
    return undefined;
  }

  /** S-C1: a consumer got this record. */
  read({ topic, partition, offset, session }: Place & { offset: Offset; session: string }): Violation | undefined {
    const end = this.replicas.highestOf(topic, partition);
    if (offset < end) return undefined;
    const detail = `${session} read offset ${offset} of ${placeName({ topic, partition })}, committed is what is below ${end}`;
    return violation('S-C1', detail);
  }

  /** What may be gone: where it lay, and of which epochs it was. */
  allLosses(): TailLoss[] {
    return [...this.losses, ...this.replicas.losses()];
  }

  /** Who comes first to an offset is compared with the log, the others with the first. */
  #checkFold(image: MetadataImage, { topics, removedTopics, brokers }: MetadataDelta): Violation | undefined {
    if (image.endOffset !== this.metadata.endOffset) return undefined;
    return checkFold(this.metadata.state, {
      endOffset: image.endOffset,
      topics: [...topics].flatMap((id) => image.topics.get(id) ?? []),
      removedTopics: removedTopics.keys(),
      brokers: [...brokers].flatMap((id) => image.brokers.get(id) ?? []),
    });
  }
}

/** An image by its end and a digest of all of it. */
export function seenImage(image: MetadataImage): SeenImage {
  return { endOffset: image.endOffset, digest: digestOf(image) };
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
