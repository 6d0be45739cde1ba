// Runs of the raft core alone.
import { pathToFileURL } from 'node:url';
import type { CheckerName } from '../../src/sim/raft/checks/all.ts';
import type { RaftScenario, TimedFault, Trigger } from '../../src/sim/raft/scenario.ts';
import type { Outcome, RunOptions, Scenario, SimKind } from './kind.ts';

/** `source`: a folder like src/. */
export async function loadRaftKind(source: string): Promise<SimKind> {
  const load = async (path: string): Promise<unknown> => import(pathToFileURL(`${source}/sim/raft/${path}`).href);
  const { drawScenario } = (await load('draw-scenario.ts')) as typeof import('../../src/sim/raft/draw-scenario.ts');
  const { runRaftScenario } = (await load('simulate.ts')) as typeof import('../../src/sim/raft/simulate.ts');
  const { shrinkScenario } = (await load('shrink.ts')) as typeof import('../../src/sim/raft/shrink.ts');
  const calm = (await load('scenario.ts')) as typeof import('../../src/sim/raft/scenario.ts');

  async function run(scenario: Scenario, options: RunOptions = {}): Promise<Outcome> {
    const { trace, stopAtMs, without } = options;
    const verdict = runRaftScenario(scenario as RaftScenario, {
      ...(trace === undefined ? {} : { trace }),
      ...(stopAtMs === undefined ? {} : { stopAtMs }),
      ...(without === undefined ? {} : { without: without as CheckerName[] }),
    });
    return { ...verdict, counters: { ...verdict.coverage }, log: () => '' };
  }

  return {
    name: 'raft',
    draw: drawScenario,
    parse: (text) => parseRaftScenario(text, calm),
    describe,
    run,
    shrink: async (scenario) =>
      shrinkScenario(scenario as RaftScenario, (candidate, stopAtMs) => runRaftScenario(candidate, { stopAtMs })),
  };
}

function describe(scenario: Scenario): string {
  const { seed, config, faults, triggers } = scenario as RaftScenario;
  const { voters, spares, observers, network, faultPhaseMs } = config;
  return [
    `seed ${seed}: ${voters} voters, ${spares} spares, ${observers} observers, ${faultPhaseMs} ms of faults,`,
    `loss ${network.lossPermille} ‰, ${faults.length} faults, ${triggers.length} triggers`,
  ].join(' ');
}

function parseRaftScenario(
  text: string,
  { SCHEMA_VERSION, CALM_CONFIG, CALM_WORKLOAD }: typeof import('../../src/sim/raft/scenario.ts'),
): RaftScenario {
  const given = JSON.parse(text) as Partial<RaftScenario>;
  if (given.schemaVersion !== SCHEMA_VERSION) {
    throw new Error(`the scenario has schemaVersion ${given.schemaVersion}, this version reads ${SCHEMA_VERSION}`);
  }
  if (!Number.isSafeInteger(given.seed)) throw new Error(`the scenario has seed ${given.seed}, not an integer`);
  const config = { ...CALM_CONFIG, ...given.config };
  const workload = { ...CALM_WORKLOAD, ...given.workload };
  refuseUnknown('config', config, CALM_CONFIG);
  refuseUnknown('workload', workload, CALM_WORKLOAD);
  const action = { node: 0, other: 0, durationMs: 0 };
  const fault = { ...action, afterMs: 0, target: 'any' } as const;
  const trigger = { ...action, nth: 1, times: 1, delayMs: 0 } as const;
  return {
    schemaVersion: SCHEMA_VERSION,
    seed: given.seed as number,
    config,
    faults: (given.faults ?? []).map((one): TimedFault => ({ ...fault, ...one })),
    triggers: (given.triggers ?? []).map((one): Trigger => ({ ...trigger, ...one })),
    workload,
  };
}

function refuseUnknown(what: string, given: object, known: object): void {
  const strange = Object.keys(given).find((key) => !Object.hasOwn(known, key));
  if (strange !== undefined) throw new Error(`${what} has no ${strange}; known are ${Object.keys(known).join(', ')}`);
}
