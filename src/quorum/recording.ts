// A recording of one incarnation's consensus core, as lines of JSON: a header with the configuration, then a step per line:
// the event, the draws it took, and a checksum of the effects. The core is a function of these, so it can be run again.
// Bytes are `{"$b64": "…"}`. Nothing of it is read by a node.
import { assert } from '../base/assert.ts';
import { crc32c } from '../base/crc32c.ts';
import type { NodeId } from '../base/ids.ts';
import type { RaftConfig, RaftEffect, RaftEvent } from '../raft/types.ts';

export const RECORDING_FORMAT = 1;

export interface RecordedHeader {
  readonly format: number;
  readonly nodeId: NodeId;
  /** When the incarnation began, in milliseconds since 1970. */
  readonly wallTime: number;
  readonly config: RaftConfig;
}

/** Key, bound and value of a draw. */
export type RecordedDraw = readonly [key: string, bound: number, value: number];

export interface RecordedStep {
  readonly event: RaftEvent;
  readonly draws: readonly RecordedDraw[];
  /** Of the effects, see {@link effectsChecksum}. */
  readonly checksum: number;
}

/** Text of a value with bytes in it. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string, plain: unknown) {
    // A Buffer has turned itself into an object by now.
    const original = this[key];
    if (original instanceof Uint8Array) return { $b64: Buffer.from(original).toString('base64') };
    return original instanceof Map ? [...original] : plain;
  });
}

function fromJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    const base64 = value !== null && typeof value === 'object' ? (value as { $b64?: unknown }).$b64 : undefined;
    return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : value;
  });
}

/** The same for equal effects, in this release and in others that answer in the same way. */
export function effectsChecksum(effects: readonly RaftEffect[]): number {
  return crc32c(Buffer.from(toJson(effects)));
}

export function headerLine(header: RecordedHeader): string {
  return `${toJson(header)}\n`;
}

/** `event`: its text, taken before the core had it. */
export function stepLine(event: string, draws: readonly RecordedDraw[], effects: readonly RaftEffect[]): string {
  return `{"event":${event},"draws":${JSON.stringify(draws)},"checksum":${effectsChecksum(effects)}}\n`;
}

/** The last line where the node went on after it. */
export function endLine(reason: string): string {
  return `${JSON.stringify({ ended: reason })}\n`;
}

/** Why the recording ends there; undefined for any other line. RangeError for no JSON. */
export function parseEnd(line: string): string | undefined {
  return line.startsWith('{"ended"') ? (parseObject(line) as { ended: string }).ended : undefined;
}

/** A line that is no part of a recording: RangeError with the reason. */
export function parseHeader(line: string): RecordedHeader {
  const header = parseObject(line) as Partial<RecordedHeader>;
  if (header.config === undefined || header.format === undefined) throw new RangeError('it is no recording');
  if (header.format !== RECORDING_FORMAT) {
    throw new RangeError(`the recording has format ${header.format}, this release reads ${RECORDING_FORMAT}`);
  }
  const { config } = header;
  return { ...(header as RecordedHeader), config: { ...config, endpoints: new Map(config.endpoints) } };
}

/** RangeError if the line is none, as one may be after a power cut. */
export function parseStep(line: string): RecordedStep {
  const step = parseObject(line) as Partial<RecordedStep>;
  if (step.event === undefined || step.draws === undefined || step.checksum === undefined) {
    throw new RangeError('it is no recorded step');
  }
  return step as RecordedStep;
}

function parseObject(line: string): object {
  let value: unknown;
  try {
    value = fromJson(line);
  } catch (error) {
    if (error instanceof SyntaxError) throw new RangeError(`it is not JSON: ${error.message}`, { cause: error });
    throw error;
  }
  assert(value !== undefined, 'parsed text is a value');
  if (value === null || typeof value !== 'object') throw new RangeError('it is not a JSON object');
  return value;
}
