// Whole clusters in situations in which controllers got the metadata wrong elsewhere (DS-10 to DS-17, bugs B28 to B86 of the corpus).
// Each run is judged by all checkers; a test says that the situation has come about.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import type { ClusterVerdict } from '../../src/sim/cluster/run.ts';
import { CALM_CONFIG } from '../../src/sim/cluster/scenario.ts';
import type { Wanted } from './scenarios.ts';
import { runWell, scenario } from './scenarios.ts';

beforeAll(loadCodecs);

/** Three controllers, then three brokers. */
const [FIRST, SECOND, THIRD] = [3, 4, 5];
const CONTROLLERS = [0, 1, 2];

/** A cluster with topics of three replicas; nothing else is going on. */
function replicated({ config, workload, ...rest }: Wanted): Promise<ClusterVerdict> {
  return runWell(
    scenario({
      config: {
        brokers: 3,
        faultPhaseMs: 12_000,
        topics: 2,
        topicShapes: [{ replicationFactor: 3, minIsr: 2, flushMode: '' }],
        ...config,
      },
      workload: { producers: 1, intervalMs: 500, consumers: 1, ...workload },
      ...rest,
    }),
  );
}

const happened = ({ stats }: ClusterVerdict, what: string): number =>
  stats.metadata.get(what) ?? stats.logged.get(what) ?? 0;

test('DS-10, B32: a topic is created on a controller that is cut off: nobody sees it, and another is created later', async () => {
  const verdict = await replicated({
    // It still hears its callers, and nothing that it writes can be committed any more.
    triggers: [{ on: 'hwAdvanced', kind: 'cutFromControllers', nth: 15, times: 4, durationMs: 2500 }],
    workload: {
      registrars: 3,
      contestedTopics: 2,
      registerEveryMs: 30,
      requestTimeoutMs: 1500,
    },
  });
  expect(verdict.stats.faults.get('cutFromControllers')).toBeGreaterThan(2);
  expect(verdict.stats.elections).toBeGreaterThan(2);
  expect(verdict.stats.topicCalls).toBeGreaterThan(50);
  expect(happened(verdict, 'truncated')).toBeGreaterThan(0);
});

test('DS-11, B28: two brokers fall silent together: the second fencing goes by what the first has left', async () => {
  const away = (i: number, dt: number) => ({ kind: 'cutFromControllers', i, dt, durationMs: 7000 }) as const;
  // With a new claim their sessions begin together (C-1.2), and so they end.
  const claim = CONTROLLERS.map((i) => ({ kind: 'kill', i, dt: i === 0 ? 100 : 0, durationMs: 200 }) as const);
  const verdict = await replicated({ faults: [away(FIRST, 2000), away(SECOND, 0), ...claim] });
  expect(happened(verdict, 'two brokers fenced at once')).toBeGreaterThan(0);
  expect(happened(verdict, 'batch of partition changes')).toBeGreaterThan(1);
  expect(happened(verdict, 'unclean election')).toBe(0);
});

test('DS-17, B38: the last replicas go one after the other; who lost its log is not elected, who stopped in good order is', async () => {
  const verdict = await replicated({
    config: { brokers: 2, timingProfile: 'fast', flushMode: 'async' },
    faults: [
      { kind: 'power', i: FIRST, dt: 2000, durationMs: 4000 },
      { kind: 'stop', i: SECOND, dt: 2000, durationMs: 5000 },
    ],
  });
  expect(happened(verdict, 'unclean registration')).toBeGreaterThan(0);
  expect(happened(verdict, 'election from the ELR')).toBeGreaterThan(0);
  expect(happened(verdict, 'unclean election')).toBe(0);
});

test('DS-17, B40: all replicas lose their logs: nobody leads until it is asked for', async () => {
  const lost = (i: number, dt: number) => ({ kind: 'power', i, dt, durationMs: 2000 }) as const;
  const faults = [lost(FIRST, 2000), lost(SECOND, 200), lost(THIRD, 200)];
  const left = await replicated({ faults, config: { flushMode: 'async' } });
  expect(happened(left, 'unclean registration')).toBeGreaterThan(2);
  expect(happened(left, 'partition without a clean candidate after the heal')).toBeGreaterThan(0);
  const elected = happened(left, 'unclean election') + happened(left, 'unclean election of the last known leader');
  expect(elected).toBeGreaterThan(0);
});

test('B33: a broker dies, and then the controller that knew it: the next one fences it', async () => {
  const verdict = await replicated({
    faults: [
      // It is cut off, and the controller dies before it could notice.
      { kind: 'cutFromControllers', i: FIRST, dt: 2000, durationMs: 8000 },
      ...CONTROLLERS.map((i) => ({ kind: 'kill', i, dt: i === 0 ? 200 : 0, durationMs: 400 }) as const),
    ],
  });
  expect(happened(verdict, 'controller-active')).toBeGreaterThan(1);
  expect(happened(verdict, 'broker-fenced')).toBeGreaterThan(0);
});

test('B34: a controller stands still for longer than a session: nobody is fenced for what waits to be read', async () => {
  const verdict = await replicated({
    // The only one, so that nobody takes over meanwhile.
    config: { controllers: 1 },
    faults: [{ kind: 'pause', i: 0, dt: 2000, durationMs: 6000 }],
  });
  expect(happened(verdict, 'broker-fenced')).toBe(0);
});

test('B35: a broker registers, and does not hear so: it asks again and is the same', async () => {
  const deaf = CONTROLLERS.map((i) => ({ kind: 'cutOneWay', i, j: FIRST, dt: 0, durationMs: 2500 }) as const);
  const verdict = await replicated({ faults: [{ kind: 'kill', i: FIRST, dt: 2000, durationMs: 300 }, ...deaf] });
  expect(happened(verdict, 'clean registration')).toBe(3 + 1);
});

test('B86: registrations come late, when the next life of their broker is there', async () => {
  const verdict = await replicated({
    config: { links: { ...CALM_CONFIG.links, latePermille: 200, lateMs: 4000 }, faultPhaseMs: 20_000 },
    triggers: [{ on: 'broker-registered', kind: 'kill', i: FIRST, nth: 1, times: 12, delayMs: 10, durationMs: 40 }],
    faults: [1, 2, 3, 4, 5, 6].map(() => ({ kind: 'kill', i: FIRST, dt: 2500, durationMs: 30 }) as const),
  });
  expect(happened(verdict, 'clean registration') + happened(verdict, 'unclean registration')).toBeGreaterThan(3 + 3);
});

test('C-3.4: a broker that is killed is fenced a short grace after its connection broke, long before its session ends', async () => {
  const verdict = await replicated({
    // Sessions of 9 s.
    config: { timingProfile: 'default', faultPhaseMs: 6000 },
    faults: [{ kind: 'kill', i: FIRST, dt: 1000, durationMs: 3000 }],
  });
  expect(happened(verdict, 'broker-connection-broke')).toBeGreaterThan(0);
  expect(happened(verdict, 'broker-fenced')).toBe(1);
});

test('a controlled shutdown is under way when the controller fails: it comes to its end at the next one', async () => {
  const verdict = await replicated({
    triggers: [{ on: 'broker-shutting-down', kind: 'kill', times: 2, durationMs: 1500 }],
    faults: [
      { kind: 'stop', i: FIRST, dt: 2000, durationMs: 500 },
      { kind: 'stop', i: SECOND, dt: 5000, durationMs: 500 },
    ],
  });
  expect(happened(verdict, 'failover during a controlled shutdown')).toBeGreaterThan(0);
  expect(happened(verdict, 'clean registration')).toBe(3 + 2);
});

test('S-M10: commands are repeated at whatever controller, while those fail', async () => {
  const verdict = await replicated({
    triggers: [{ on: 'hwAdvanced', kind: 'kill', nth: 6, times: 8, durationMs: 800 }],
    workload: { governedTopics: 3, governEveryMs: 60, uncleanElections: true },
  });
  expect(happened(verdict, 'named command repeated')).toBeGreaterThan(5);
  expect(verdict.stats.elections).toBeGreaterThan(2);
});
