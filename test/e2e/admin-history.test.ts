// Six real processes whose active controller is killed with SIGKILL again and again, under administrators at every node: what they
// were told has an order (S-M9), by the checkers of simulated runs.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AdminHistory } from './admin-history.ts';
import { ControllersUnderFire } from './failover.ts';
import { cleanUp } from './processes.ts';

const ROUNDS = Number(process.env['KVORUM_FAILOVER_ROUNDS'] ?? 2) + 1;

let cluster: ControllersUnderFire;

beforeAll(async () => {
  cluster = await ControllersUnderFire.start();
});

afterAll(async () => {
  cluster.close();
  await cleanUp();
});

it('S-M9: topics, configs and partition counts, over kills of the active controller', async () => {
  const history = new AdminHistory(cluster.ways.grpc);
  await history.start();
  for (let round = 1; round <= ROUNDS; round++) {
    const { leaderId } = await cluster.allFollow();
    await cluster.signal(leaderId, 'SIGKILL');
    await new Promise((resolve) => void setTimeout(resolve, 2000));
    cluster.begin(leaderId);
  }
  await cluster.allFollow();
  await history.stop();
  const { topics, configs, counts } = history.answered();
  process.stdout.write(`answered: ${topics} of topics, ${configs} of configs, ${counts} of partitions\n`);
  expect(history.problems()).toEqual([]);
  expect(Math.min(topics, configs, counts)).toBeGreaterThan(10);
});
