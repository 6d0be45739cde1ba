// The two kinds of simulated run (safety.md 8.2) behind one face: the raft core alone, and whole clusters. Both come from
// a source folder that is given, so that a copy of src/ with a defect in it can be run the same way.

/** Plain data that decides everything about a run. */
export interface Scenario {
  readonly seed: number;
}

export type KindName = 'raft' | 'cluster';

export const KIND_NAMES: readonly KindName[] = ['raft', 'cluster'];

export interface RunOptions {
  /** Told of each thing that happens; what a run of this kind can tell while it goes on. */
  readonly trace?: (line: string) => void;
  /** Ends the run, as ok, at this virtual time. */
  readonly stopAtMs?: number;
  /** Names of checkers to leave out; of the raft kind only. */
  readonly without?: readonly string[];
}

export interface Outcome {
  readonly ok: boolean;
  /** The id in safety.md of what does not hold, and one sentence with the facts. */
  readonly property?: string;
  readonly detail?: string;
  /** Virtual time of the end. */
  readonly atMs: number;
  readonly events: number;
  /** Over everything that happened, in order (S-X1). */
  readonly hash: number;
  /** What the run has been through, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** Distinct abstract states of the quorum that it went through, by hash (safety.md 8.10); none for clusters. */
  readonly states: ReadonlySet<number>;
  /** The last lines that the nodes logged, where they log. */
  log(): string;
}

export interface SimKind {
  readonly name: KindName;
  draw(seed: number): Scenario;
  /** The scenario of a JSON text; what is left out is calm. Error with a sentence for what is not one. */
  parse(text: string): Scenario;
  /** One line. */
  describe(scenario: Scenario): string;
  run(scenario: Scenario, options?: RunOptions): Promise<Outcome>;
  /** The smallest scenario found that breaks the same property. */
  shrink(scenario: Scenario): Promise<Scenario>;
}

/** Of a JSON text, by what only one of them has. */
export function kindOf(text: string): KindName {
  const { config } = JSON.parse(text) as { config?: object };
  return config !== undefined && 'controllers' in config ? 'cluster' : 'raft';
}
