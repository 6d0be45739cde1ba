// `make sim SEED=n [KIND=raft|cluster] [SCENARIO=file.json]`: one simulated run, twice, to see that it is the same run
// (S-X1). A failure is shrunk, written to a file, and the line that replays it is printed last; exit code 1.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KindName, Outcome, Scenario, SimKind } from './kind.ts';
import { KIND_NAMES, kindOf } from './kind.ts';
import { loadKind } from './load-kind.ts';

const { values: flags } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    /** raft: the consensus core alone. cluster: whole nodes. If not given, as the scenario file is, else cluster. */
    kind: { type: 'string' },
    scenario: { type: 'string' },
    /** Further seeds after the first; each runs once. */
    count: { type: 'string', default: '1' },
    /** Prints the scenario and does not run it. */
    print: { type: 'boolean', default: false },
    /** Prints everything that happens; for clusters what the nodes log. */
    trace: { type: 'boolean', default: false },
    /** How many of the last log lines a failure prints. */
    lines: { type: 'string', default: '40' },
    /** Prints a failure as it is, without looking for a smaller one. */
    'no-shrink': { type: 'boolean', default: false },
  },
});

const REPLAY_FOLDER = 'replay';

function report({ counters, atMs, events, hash }: Outcome, tookMs: number): void {
  const through = Object.entries(counters).filter(([, count]) => count > 0);
  console.log(`  ${through.map(([name, count]) => `${name} ${count}`).join(', ')}`);
  const speed = `${Math.round(events / tookMs)} k events/s, ${Math.round(atMs / tookMs)} x real time`;
  console.log(
    `  ${events} events in ${(atMs / 1000).toFixed(1)} s virtual, ${(tookMs / 1000).toFixed(1)} s real: ${speed}`,
  );
  console.log(`  hash ${hash.toString(16).padStart(8, '0')}`);
}

function lastLines(text: string, count: number): string {
  return text.split('\n').slice(-count).join('\n');
}

async function once(kind: SimKind, scenario: Scenario): Promise<Outcome> {
  const startedAt = performance.now();
  const isPhase = / phase /;
  const trace = (line: string): void => {
    if (flags.trace || isPhase.test(line)) console.log(`  ${line}`);
  };
  // Telling of each message of a core takes longer than running it.
  const outcome = await kind.run(scenario, flags.trace || kind.name === 'cluster' ? { trace } : {});
  report(outcome, performance.now() - startedAt);
  if (flags.trace && outcome.ok) console.log(outcome.log());
  if (!outcome.ok) {
    const lines = flags.trace ? outcome.log() : lastLines(outcome.log(), Number(flags.lines));
    if (lines !== '') console.log(lines);
    console.log(`FAILED ${outcome.property} at ${outcome.atMs} ms: ${outcome.detail}`);
  }
  return outcome;
}

/** Whether all is well. `again`: the arguments that repeat it. */
async function simulate(kind: SimKind, scenario: Scenario, again: string, isTwice: boolean): Promise<boolean> {
  console.log(kind.describe(scenario));
  const outcome = await once(kind, scenario);
  if (!outcome.ok) {
    await keepSmall(kind, scenario, outcome, again);
    return false;
  }
  if (isTwice) {
    const second = await kind.run(scenario);
    if (second.hash !== outcome.hash) {
      console.log(`FAILED S-X1: the second run has the hash ${second.hash.toString(16)} after ${second.events} events`);
      console.log(`replay: make sim ${again}`);
      return false;
    }
    console.log('  the same again');
  }
  console.log(`ok; again: make sim ${again}`);
  return true;
}

async function keepSmall(kind: SimKind, scenario: Scenario, { property }: Outcome, again: string): Promise<void> {
  if (flags['no-shrink']) {
    console.log(`replay: make sim ${again}`);
    return;
  }
  console.log(`looking for a smaller scenario that breaks ${property}; the failure as it is: make sim ${again}`);
  const small = await kind.shrink(scenario);
  mkdirSync(REPLAY_FOLDER, { recursive: true });
  const path = join(REPLAY_FOLDER, `${kind.name}-${property}-${scenario.seed}.json`);
  writeFileSync(path, `${JSON.stringify(small, undefined, 2)}\n`);
  console.log(`smaller: ${kind.describe(small)}`);
  const { detail, atMs } = await kind.run(small);
  console.log(`FAILED ${property} at ${atMs} ms: ${detail}`);
  console.log(`replay: make sim KIND=${kind.name} SCENARIO=${path} ARGS='--trace --no-shrink'`);
}

function kindName(text: string | undefined): KindName {
  const wanted = flags.kind ?? (text === undefined ? 'cluster' : kindOf(text));
  const name = KIND_NAMES.find((known) => known === wanted);
  if (name === undefined) throw new Error(`there is no kind ${wanted}; known are ${KIND_NAMES.join(', ')}`);
  return name;
}

const text = flags.scenario === undefined ? undefined : readFileSync(flags.scenario, 'utf8');
const kind = await loadKind(kindName(text));
const first = Number(flags.seed);
const count = Number(flags.count);
let failures = 0;
for (let seed = first; seed < first + count; seed++) {
  const scenario = text === undefined ? kind.draw(seed) : kind.parse(text);
  const which = text === undefined ? `SEED=${seed}` : `SCENARIO=${flags.scenario}`;
  if (flags.print) console.log(JSON.stringify(scenario, undefined, 2));
  else if (!(await simulate(kind, scenario, `KIND=${kind.name} ${which}`, count === 1))) failures++;
}
if (failures > 0) {
  if (count > 1) console.log(`${failures} of ${count} runs failed`);
  process.exitCode = 1;
}
