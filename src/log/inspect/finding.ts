// What is found in the files of a log directory, one thing after the other as it lies there. Plain values, for people and
// programs to print; numbers are as stored, milliseconds since 1970 for times, -1 for what a field says is not there.
import type { KafkaRecord } from '../../record/record.ts';
import type { ProducerState } from '../producer-states.ts';
import type { FileKind } from './file-kind.ts';

/** A file begins; everything up to its `summary` is of it. */
export interface FileFinding {
  readonly type: 'file';
  readonly path: string;
  readonly kind: FileKind;
  readonly sizeInBytes: number;
}

/** The header of a batch. */
export interface BatchFinding {
  readonly type: 'batch';
  readonly position: number;
  readonly sizeInBytes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly recordsCount: number;
  readonly leaderEpoch: number;
  readonly magic: number;
  readonly crc: number;
  readonly isCrcValid: boolean;
  /** `unknown` for an id that no version of Kafka knows. */
  readonly codec: string;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  /** When compaction may drop its tombstones or marker; it lies in the place of the base timestamp. */
  readonly deleteHorizonMs?: number;
}

/** A record of the batch before it. */
export interface RecordFinding extends KafkaRecord {
  readonly type: 'record';
  /** Of a control record what it says, e.g. `{ type: 'COMMIT', coordinatorEpoch: 7 }`. */
  readonly control?: { readonly type: string };
}

export type EntryFinding =
  | { readonly type: 'offsetIndexEntry'; readonly offset: number; readonly position: number }
  | { readonly type: 'timeIndexEntry'; readonly timestamp: number; readonly offset: number }
  | {
      readonly type: 'abortedTransaction';
      readonly producerId: number;
      readonly firstOffset: number;
      readonly lastOffset: number;
      readonly lastStableOffset: number;
    }
  | ({ readonly type: 'producer' } & ProducerState)
  | { readonly type: 'leaderEpoch'; readonly epoch: number; readonly startOffset: number }
  | { readonly type: 'checkpoint'; readonly topic: string; readonly partition: number; readonly offset: number }
  | { readonly type: 'property'; readonly key: string; readonly value: string };

/** Something that is as it may be, and worth knowing. */
export interface NoteFinding {
  readonly type: 'note';
  readonly text: string;
}

/** Something that must not be. */
export interface ProblemFinding {
  readonly type: 'problem';
  readonly path: string;
  /** Byte position in the file; of a text file the line, from 1. */
  readonly position: number;
  readonly problem: string;
}

/** The end of a file. */
export interface SummaryFinding {
  readonly type: 'summary';
  readonly path: string;
  /** Batches, or entries. */
  readonly count: number;
  readonly problems: number;
}

export type Finding =
  | FileFinding
  | BatchFinding
  | RecordFinding
  | EntryFinding
  | NoteFinding
  | ProblemFinding
  | SummaryFinding;

/** What a reader of one kind of file yields. The positions of its problems are in its own file. */
export type Content = Exclude<Finding, FileFinding | SummaryFinding | ProblemFinding> | Omit<ProblemFinding, 'path'>;

export function problemAt(position: number, problem: string): Omit<ProblemFinding, 'path'> {
  return { type: 'problem', position, problem };
}
