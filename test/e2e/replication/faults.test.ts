// Two minutes of kills, pauses, stops and network cuts over six processes under load from our client and from kcat: every acknowledged
// record is there once, in order, and readers see nothing that goes (safety.md §6.3, §6.4, §9).
// KVORUM_FAULTS_SEED=n repeats a schedule, KVORUM_FAULTS_SECONDS=n makes it longer or shorter, KVORUM_KEEP=1 keeps
// histories and logs though all is well.
import { afterAll, expect, it } from 'vitest';
import { cleanUp } from '../processes.ts';
import { runFaults } from './run.ts';

const SEED = Number(process.env['KVORUM_FAULTS_SEED'] ?? Math.floor(Math.random() * 1e6));
const SECONDS = Number(process.env['KVORUM_FAULTS_SECONDS'] ?? 120);

afterAll(cleanUp);

it('acknowledged records survive kills, pauses and cuts', { timeout: (SECONDS + 400) * 1000 }, async () => {
  const again = `KVORUM_FAULTS_SEED=${SEED} KVORUM_FAULTS_SECONDS=${SECONDS} make e2e ARGS=test/e2e/replication/faults.test.ts`;
  const { violations, acknowledged, elections } = await runFaults({ seed: SEED, durationMs: SECONDS * 1000, again });
  expect(violations).toEqual([]);
  // Else nothing was tried.
  expect(acknowledged).toBeGreaterThan(10 * SECONDS);
  expect(elections).toBeGreaterThan(SECONDS / 20);
});
