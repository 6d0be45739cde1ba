// Which file is which, by its name: those of a partition's folder and of a log directory, Kafka's and ours alike.

export type FileKind =
  | 'segment'
  | 'offsetIndex'
  | 'timeIndex'
  | 'transactionIndex'
  | 'producerSnapshot'
  | 'leaderEpochs'
  | 'partitionMetadata'
  | 'metaProperties'
  | 'offsetCheckpoint';

export interface KnownFile {
  readonly kind: FileKind;
  /** The offset in the name; undefined for files that have none. */
  readonly offset: number | undefined;
  /** What the name ends with while a file is being made or waits for its removal: `.cleaned`, `.swap`, `.deleted`, or nothing. */
  readonly suffix: string;
}

const NUMBERED: Readonly<Record<string, FileKind>> = {
  log: 'segment',
  index: 'offsetIndex',
  timeindex: 'timeIndex',
  txnindex: 'transactionIndex',
  snapshot: 'producerSnapshot',
};

const NAMED: Readonly<Record<string, FileKind>> = {
  'leader-epoch-checkpoint': 'leaderEpochs',
  'partition.metadata': 'partitionMetadata',
  'meta.properties': 'metaProperties',
  'recovery-point-offset-checkpoint': 'offsetCheckpoint',
  'replication-offset-checkpoint': 'offsetCheckpoint',
  'log-start-offset-checkpoint': 'offsetCheckpoint',
  'cleaner-offset-checkpoint': 'offsetCheckpoint',
};

/** Undefined for the name of no file that can be looked into. */
export function fileKind(name: string): KnownFile | undefined {
  const named = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (named !== undefined) return { kind: named, offset: undefined, suffix: '' };
  const match = /^(\d{20})\.([a-z]+)(\.cleaned|\.swap|\.deleted)?$/.exec(name);
  const kind = NUMBERED[match?.[2] ?? ''];
  if (match === null || kind === undefined) return undefined;
  const offset = Number(match[1]);
  return Number.isSafeInteger(offset) ? { kind, offset, suffix: match[3] ?? '' } : undefined;
}

/** The name of the segment that an index belongs to. */
export function segmentOf(offset: number, suffix: string): string {
  return `${String(offset).padStart(20, '0')}.log${suffix}`;
}
