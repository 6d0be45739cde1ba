// The active controller is killed while topics are created, directly and through a broker: how long until the next call is answered,
// and whether everything that was answered is there afterwards.
import { setTimeout as sleep } from 'node:timers/promises';
import { Controllers } from '../harness/controllers.ts';
import { CreateLoad, wrongIn } from '../harness/create-load.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import type { Part } from './part.ts';

const ROUNDS = 10;
const IN_FLIGHT = 4;
const LOADED_MS = 1000;
const GIVE_UP_MS = 30_000;
const TARGET_MS = 1000;

interface Round {
  readonly directMs: number;
  readonly throughBrokerMs: number;
  readonly created: number;
  readonly failed: number;
  readonly wrong: number;
}

/** Milliseconds from `moment` to the first answer to a later call. */
async function untilAnswered(load: CreateLoad, moment: number): Promise<number> {
  for (;;) {
    const first = load.firstAnsweredAfter(moment);
    if (Number.isFinite(first)) return first - moment;
    if (performance.now() - moment > GIVE_UP_MS) return Number.POSITIVE_INFINITY;
    await sleep(5);
  }
}

async function round(controllers: Controllers, number: number): Promise<Round> {
  const { leaderId } = await controllers.settled();
  const direct = new CreateLoad();
  const throughBroker = new CreateLoad();
  direct.begin(`direct-${number}`, (name) => controllers.createAtActive(name), IN_FLIGHT);
  throughBroker.begin(`broker-${number}`, (name) => controllers.createNamed(name), IN_FLIGHT);
  await sleep(LOADED_MS);
  const moment = performance.now();
  controllers.signal([leaderId], 'SIGKILL');
  const [directMs, throughBrokerMs] = await Promise.all([
    untilAnswered(direct, moment),
    untilAnswered(throughBroker, moment),
  ]);
  await Promise.all([direct.end(), throughBroker.end()]);
  await controllers.restore([leaderId], 'SIGKILL');
  const there = await controllers.topicsEverywhere();
  const created = new Map([...direct.created, ...throughBroker.created]);
  return {
    directMs,
    throughBrokerMs,
    created: created.size,
    failed: direct.failed + throughBroker.failed,
    wrong: there.reduce((sum, topics) => sum + wrongIn(created, topics), 0),
  };
}

function row(name: string, times: readonly number[]): string[] {
  const middle = median(times);
  return [name, digits(middle), digits(Math.max(...times)), digits(TARGET_MS), digits(middle / TARGET_MS)];
}

async function measure(options: BenchOptions, build: Build): Promise<void> {
  const rounds = await withScope(options.dir, async (scope) => {
    const controllers = await Controllers.start(scope, build, {});
    const results: Round[] = [];
    const times = options.repetitions === 1 ? 1 : ROUNDS;
    for (let i = 0; i < times; i++) results.push(await round(controllers, i));
    return results;
  });
  printTable(
    `active controller killed while topics are created, ${build.name}, ms to the next answer, ${rounds.length} times`,
    ['', 'median', 'worst', 'target', 'of target'],
    [
      row(
        'at the controllers',
        rounds.map(({ directMs }) => directMs),
      ),
      row(
        'through a broker',
        rounds.map(({ throughBrokerMs }) => throughBrokerMs),
      ),
    ],
  );
  const sum = (of: (one: Round) => number): number => rounds.reduce((total, one) => total + of(one), 0);
  const wrong = sum((one) => one.wrong);
  console.log(
    `  ${sum((one) => one.created)} creations answered, of which ${wrong} are not there on one of the nodes; ` +
      `${sum((one) => one.failed)} calls failed`,
  );
  if (wrong > 0) throw new Error(`${wrong} answers were wrong`);
}

export const takeover: Part = {
  name: 'takeover',
  async run(options) {
    for (const build of options.builds) await measure(options, build);
  },
};
