// What the loss ledger should say, by definition and not step by step: from all elections, reports and departures of a partition so far.
import type { NodeId } from '../../../src/base/ids.ts';
import { groupBy } from '../../../src/check/history.ts';
import type { MetadataRecord, ReplicaLossRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../../../src/metadata/image.ts';
import { lossesOf } from '../../../src/metadata/losses.ts';
import { MAX_LOSSES_PER_PARTITION } from '../../../src/metadata/replay-losses.ts';

const CUT = 2;
const GONE = 5;
const UNKNOWN_DIRECTORY = /^A+$/;

interface Seen<T> {
  readonly offset: number;
  readonly what: T;
}

interface Story {
  readonly elections: Seen<{ readonly newLeaderEpoch: number; readonly replicas: readonly NodeId[] }>[];
  readonly reports: Seen<ReplicaLossRecord>[];
  readonly gone: Seen<NodeId>[];
  /** Last complete replicas whose log dir went. */
  readonly lost: Seen<NodeId>[];
}

interface Entry {
  readonly offset: number;
  readonly awaited: string;
  readonly said: string;
}

export class LedgerModel {
  readonly #stories = new Map<string, Story>();
  readonly counts = new Map<string, number>();
  /** Not compared since something was seen of them. */
  readonly #seen = new Set<string>();

  /** One record, and the images before and after it. */
  see({ kind }: MetadataRecord, before: MetadataImage, after: MetadataImage): void {
    const offset = before.endOffset;
    if (before.level < 3) return;
    if (kind?.$case === 'uncleanElection') {
      const { topicId, partition, newLeaderEpoch } = kind.uncleanElection;
      const { replicas } = stateOf(before, topicId, partition);
      this.#count('election');
      this.#story(topicId, partition).elections.push({ offset, what: { newLeaderEpoch, replicas } });
    } else if (kind?.$case === 'replicaLoss') {
      const { topicId, partition } = kind.replicaLoss;
      this.#story(topicId, partition).reports.push({ offset, what: kind.replicaLoss });
    } else if (kind?.$case === 'partitionChange') {
      const { topicId, partition } = kind.partitionChange;
      this.#changed(this.#story(topicId, partition), before, [
        stateOf(before, topicId, partition),
        stateOf(after, topicId, partition),
      ]);
    } else if (kind?.$case === 'removeTopic') {
      for (const key of this.#stories.keys()) {
        if (key.startsWith(`${kind.removeTopic.topicId}/`)) this.#stories.delete(key);
      }
    }
  }

  #story(topicId: string, partition: number): Story {
    const key = `${topicId}/${partition}`;
    const story = this.#stories.get(key) ?? { elections: [], reports: [], gone: [], lost: [] };
    this.#stories.set(key, story);
    this.#seen.add(key);
    return story;
  }

  #changed(
    story: Story,
    { endOffset: offset, brokers }: MetadataImage,
    states: [PartitionState, PartitionState],
  ): void {
    const [was, is] = states;
    for (const [i, id] of was.replicas.entries()) {
      const now = is.directories[is.replicas.indexOf(id)];
      const old = was.directories[i] as string;
      const isLost =
        now !== undefined &&
        now !== old &&
        !UNKNOWN_DIRECTORY.test(old) &&
        brokers.get(id)?.logDirs.includes(old) === false;
      if (now === undefined || isLost) story.gone.push({ offset, what: id });
      if (isLost && [...was.isr, ...was.elr].every((other) => other === id)) story.lost.push({ offset, what: id });
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** What is different in the image, of all or of what was seen since the last time; undefined: nothing. */
  difference(image: MetadataImage, of: 'all' | 'new' = 'new'): string | undefined {
    const seen = of === 'all' ? [...this.#stories.keys()] : [...this.#seen];
    this.#seen.clear();
    for (const key of seen) {
      const story = this.#stories.get(key);
      if (story === undefined) continue;
      const [topicId = '', partition = ''] = key.split('/');
      const should = this.#entriesOf(story);
      if (should.length > MAX_LOSSES_PER_PARTITION) continue;
      const is = lossesOf(image, topicId, Number(partition)).map(({ offset, awaited, replicas }) => ({
        offset,
        awaited: awaited.toSorted((a, b) => a - b).join(),
        said: saidText(replicas),
      }));
      if (JSON.stringify(is) !== JSON.stringify(should)) {
        return `${key}: the ledger has ${JSON.stringify(is)}, and should have ${JSON.stringify(should)}`;
      }
    }
    const known = [...image.losses].flatMap(([id, of]) => [...of.keys()].map((partition) => `${id}/${partition}`));
    return known.find((key) => !this.#stories.has(key));
  }

  #entriesOf({ elections, reports, gone, lost }: Story): Entry[] {
    const placed = new Set<Seen<ReplicaLossRecord>>();
    const entries = elections.map(({ offset, what: { newLeaderEpoch, replicas } }): Entry => {
      const awaited: NodeId[] = [];
      const said: Told[] = [];
      for (const id of replicas) {
        const went = gone.find((each) => each.offset > offset && each.what === id)?.offset ?? Number.POSITIVE_INFINITY;
        const its = reports.filter(
          ({ offset: at, what }) => at > offset && what.brokerId === id && what.leaderEpoch >= newLeaderEpoch,
        );
        const last = its.find(({ what }) => what.kind !== CUT || what.fromOffset === what.toOffset);
        const end = Math.min(went, last?.offset ?? went);
        const epochs = its
          .filter((each) => each.offset <= end && each.offset < went)
          .map(({ what }) => what.leaderEpoch);
        const newest = Math.max(-1, ...epochs);
        for (const each of its) {
          if (each.offset > end && each.what.leaderEpoch > newest) continue;
          placed.add(each);
          said.push(each.what);
        }
        if (end < went) continue;
        if (went === Number.POSITIVE_INFINITY) awaited.push(id);
        else said.push({ brokerId: id, kind: GONE, fromOffset: -1, toOffset: -1, highWatermark: -1 });
      }
      if (awaited.length === 0) this.#count('complete');
      if (said.some(({ kind }) => kind === GONE)) this.#count('gone');
      return { offset, awaited: awaited.toSorted((a, b) => a - b).join(), said: saidText(said) };
    });
    return [...entries, ...this.#ownEntries(reports, placed), ...lostEntries(lost)].sort((a, b) => a.offset - b.offset);
  }

  /** What has no place: by broker and leader epoch, from the first on that lost something. */
  #ownEntries(reports: Story['reports'], placed: ReadonlySet<Seen<ReplicaLossRecord>>): Entry[] {
    const own = new Map<string, Seen<ReplicaLossRecord>[]>();
    for (const report of reports) {
      if (placed.has(report)) continue;
      const { brokerId, leaderEpoch, fromOffset, toOffset } = report.what;
      const key = `${brokerId}/${leaderEpoch}`;
      const known = own.get(key);
      if (known !== undefined) known.push(report);
      else if (fromOffset < toOffset) own.set(key, [report]);
    }
    return [...own.values()].map((group) => {
      this.#count('of its own');
      const said = saidText(group.map(({ what }) => what));
      return { offset: group[0]?.offset ?? -1, awaited: '', said };
    });
  }
}

function lostEntries(lost: Story['lost']): Entry[] {
  return lost.map(({ offset, what: brokerId }) => {
    const said = saidText([{ brokerId, kind: GONE, fromOffset: -1, toOffset: -1, highWatermark: -1 }]);
    return { offset, awaited: '', said };
  });
}

type Told = Pick<ReplicaLossRecord, 'brokerId' | 'kind' | 'fromOffset' | 'toOffset' | 'highWatermark'>;

/** Of each broker and kind the ends of all its ranges that are not empty. */
function saidText(told: readonly Told[]): string {
  const groups = groupBy(told, ({ brokerId, kind }) => `${brokerId} kind ${kind}`);
  const texts = [...groups].map(([who, all]) => {
    const ranges = all.filter(({ fromOffset, toOffset }) => fromOffset < toOffset);
    const from = Math.min(...ranges.map(({ fromOffset }) => fromOffset));
    const to = Math.max(...ranges.map(({ toOffset }) => toOffset));
    const committed = Math.max(...all.map(({ highWatermark }) => highWatermark));
    return `${who}: ${ranges.length === 0 ? 'nothing' : `${from} to ${to}`}, ${committed}`;
  });
  return texts.toSorted().join('; ');
}

function stateOf(image: MetadataImage, topicId: string, partition: number): PartitionState {
  const state = image.topics.get(topicId)?.partitions.get(partition);
  if (state === undefined) throw new Error(`there is no partition ${partition} of ${topicId}`);
  return state;
}
