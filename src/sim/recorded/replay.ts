// Replays recordings to their end, or to the first step that is answered otherwise than recorded or violates a property.
import { Violation } from '../raft/violation.ts';
import type { MergedStep } from './merge.ts';
import { mergedSteps } from './merge.ts';
import { Untold } from './recorded-disk.ts';
import type { RecordedLife } from './recorded-life.ts';
import { RecordedRun } from './recorded-run.ts';

export interface Replay {
  /** How many of each. */
  readonly steps: ReadonlyMap<RecordedLife, number>;
  /** What is wrong, with its place; undefined if nothing is. */
  readonly problem: string | undefined;
  /** What an operator should know besides: nodes that stopped, properties that could not be judged. */
  readonly remarks: readonly string[];
}

const LEFT_OUT = 'S-R6, S-R8, S-R11, S-R13, S-R16 and R-2.3 are not judged';

/** `see` gets every step in turn. RecordingError. */
export async function replay(lives: readonly RecordedLife[], see: (step: MergedStep) => void): Promise<Replay> {
  const steps = new Map(lives.map((life) => [life, 0]));
  const remarks: string[] = [];
  let judge = judgeOf(lives, remarks);
  let isWhole = true;
  for await (const step of mergedSteps(lives)) {
    const { life, effects, difference } = step;
    const at = `${life.name}:${step.line}`;
    steps.set(life, (steps.get(life) ?? 0) + 1);
    see(step);
    if (lives.some(({ ended }) => ended !== undefined)) judge?.forgetOthers('a recording has ended before its node');
    if (difference !== undefined) {
      const why = 'the recording is of another release, or the core is not deterministic';
      return { steps, remarks, problem: `${at}: ${difference} (${why})` };
    }
    for (const effect of effects) {
      if (effect.type === 'fatal') remarks.push(`${at}: node ${life.header.nodeId} stops: ${effect.reason}`);
    }
    try {
      judge?.take(step);
      if (isWhole && judge?.unrecorded !== undefined) {
        isWhole = false;
        remarks.push(`${at}: from here on ${LEFT_OUT}: ${judge.unrecorded}`);
      }
    } catch (error) {
      if (error instanceof Violation) return { steps, remarks, problem: `${at}: violates ${error.message}` };
      if (!(error instanceof Untold)) throw error;
      remarks.push(`${at}: not judged from here on: ${error.message}`);
      judge = undefined;
    }
  }
  for (const { name, ended } of lives) if (ended !== undefined) remarks.push(`${name}: ends early: ${ended}`);
  return { steps, remarks, problem: undefined };
}

function judgeOf(lives: readonly RecordedLife[], remarks: string[]): RecordedRun | undefined {
  const first = new Map<number, RecordedLife>();
  for (const life of lives.toSorted((a, b) => b.header.wallTime - a.header.wallTime)) {
    first.set(life.header.nodeId, life);
  }
  try {
    return new RecordedRun(
      [...first.values()].map(({ header: { config, wallTime }, durable }) => ({ config, wallTime, durable })),
    );
  } catch (error) {
    if (!(error instanceof Untold)) throw error;
    remarks.push(`not judged: ${error.message}`);
    return undefined;
  }
}
