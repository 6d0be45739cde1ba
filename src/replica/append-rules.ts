// What a topic's configs ask of a batch beyond its being sound (D-7.1): keys where it compacts, timestamps near now, its codec.
// The header answers for the defaults, at a cost per batch. The records are looked at, and decompressed, only where they must be:
// in a topic that compacts, with message.timestamp.before.max.ms, for a timestamp that is too late, and for another codec.
import type { TopicConfig } from '../config/topic-config.ts';
import { compacts } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import { BatchHeader } from '../record/batch.ts';
import { recompressed } from '../record/recompress.ts';
import { RecordError, recordContent } from '../record/record.ts';
import type { BatchRefusal, RecordRules } from '../record/validate.ts';
import { validateRecords } from '../record/validate.ts';

export type RuledConfig = Pick<
  TopicConfig,
  | 'maxMessageBytes'
  | 'compressionType'
  | 'cleanupPolicy'
  | 'timestampType'
  | 'timestampBeforeMaxMs'
  | 'timestampAfterMaxMs'
>;

/** What records may decompress to, so that a small request cannot take much memory or time: 16 times the largest batch, within these. */
const LEAST_LIMIT_BYTES = 16 * 1024 * 1024;
const MOST_LIMIT_BYTES = 256 * 1024 * 1024;

function contentLimit({ maxMessageBytes }: RuledConfig): number {
  const limit = Math.min(Math.max(16 * maxMessageBytes, LEAST_LIMIT_BYTES), MOST_LIMIT_BYTES);
  return Math.max(limit, maxMessageBytes);
}

/** The batch as it is to be appended, the same buffer where nothing changes; or why it is refused. `bytes` passed validateBatch. */
export function applyRules(
  bytes: Buffer,
  config: RuledConfig,
  clock: Pick<Clock, 'wallTime'>,
): { readonly bytes: Buffer } | { readonly refusal: BatchRefusal } {
  const batch = new BatchHeader(bytes);
  const rules = rulesOf(config, clock);
  const wanted = config.compressionType === 'uncompressed' ? 'none' : config.compressionType;
  const keepsCodec = wanted === 'producer' || wanted === batch.compression;
  if (keepsCodec && headerSuffices(batch, rules)) return { bytes };
  let content: Buffer;
  try {
    content = recordContent(batch, contentLimit(config));
  } catch (error) {
    if (error instanceof RecordError) return { refusal: { error: 'INVALID_RECORD', message: error.message } };
    throw error;
  }
  const refusal = validateRecords(batch, content, rules) ?? checkMaxTimestamp(batch, rules);
  if (refusal !== undefined) return { refusal };
  if (keepsCodec) return { bytes };
  const result = recompressed(batch, content, wanted);
  if (result.length <= config.maxMessageBytes) return { bytes: result };
  const message = `record batch of ${result.length} bytes with ${wanted} compression, max.message.bytes is ${config.maxMessageBytes}`;
  return { refusal: { error: 'MESSAGE_TOO_LARGE', message } };
}

function rulesOf(config: RuledConfig, clock: Pick<Clock, 'wallTime'>): Required<RecordRules> {
  const keysRequired = config.cleanupPolicy !== 'delete' && compacts(config);
  // With LogAppendTime what the producer says of time does not count.
  if (config.timestampType === 'LogAppendTime') {
    return { keysRequired, oldestTimestamp: -Infinity, newestTimestamp: Infinity };
  }
  const now = clock.wallTime();
  return {
    keysRequired,
    oldestTimestamp: now - config.timestampBeforeMaxMs,
    newestTimestamp: now + config.timestampAfterMaxMs,
  };
}

/** Of the records' times the header has the first and the greatest, not the least. */
function headerSuffices(batch: BatchHeader, rules: Required<RecordRules>): boolean {
  if (rules.keysRequired || batch.maxTimestamp > rules.newestTimestamp) return false;
  return rules.oldestTimestamp <= 0 || (batch.recordsCount === 1 && batch.baseTimestamp >= rules.oldestTimestamp);
}

/** Retention goes by what the header says, whatever the records say. */
function checkMaxTimestamp(
  { maxTimestamp }: BatchHeader,
  { newestTimestamp }: Required<RecordRules>,
): BatchRefusal | undefined {
  if (maxTimestamp <= newestTimestamp) return undefined;
  return { error: 'INVALID_TIMESTAMP', message: `the batch says that its greatest timestamp is ${maxTimestamp}` };
}
