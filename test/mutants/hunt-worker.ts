// A process that runs seeds over a copy of the source until the wanted property is violated. Told what to do by hunt.ts.
import { loadKind } from '../sim/load-kind.ts';
import { loadControllerKind } from './controller-kind.ts';
import type { Finding, Hunt, WorkerMessage } from './hunt.ts';
import { loadLogKind } from './log-kind.ts';
import type { Suite } from './mutant.ts';

const send = (message: WorkerMessage): void => void process.send?.(message);

async function load({ kind }: Suite, source: string) {
  if (kind === 'controller') return loadControllerKind(source);
  return kind === 'log' ? loadLogKind(source) : loadKind(kind, source);
}

async function hunt({ source, suite, scenarioText, firstSeed, wanted }: Hunt): Promise<Finding> {
  const kind = await load(suite, source);
  const base = scenarioText === undefined ? undefined : kind.parse(scenarioText);
  const { properties, says, without } = wanted;
  const others = new Map<string, { count: number; detail: string; seed: number }>();
  let events = 0;
  for (let tried = 1; tried <= suite.seeds; tried++) {
    const seed = firstSeed + tried - 1;
    const scenario = base === undefined ? kind.draw(seed) : { ...base, seed };
    const { property, detail = '', ...outcome } = await kind.run(scenario, { without });
    events += outcome.events;
    send({ type: 'alive' });
    if (property === undefined) continue;
    if (properties.includes(property) && (property !== 'S-X2' || detail.includes(says ?? ''))) {
      return { killedAfter: tried, property, detail, seed, others: [...others], events };
    }
    const other = others.get(property) ?? { count: 0, detail, seed };
    others.set(property, { ...other, count: other.count + 1 });
  }
  return { killedAfter: undefined, others: [...others], events };
}

process.on('message', (message) => {
  hunt(message as Hunt).then(
    (finding) => send({ type: 'done', finding }),
    (error: unknown) =>
      send({ type: 'crash', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
