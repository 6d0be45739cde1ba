// What an operator sees of replication, and does about it, on the command line: six processes, of which some are killed.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kvorum, kvorumOk } from './kvorum.ts';
import { cleanUp, eventually } from './processes.ts';
import { SixProcesses } from './replication/cluster.ts';

let cluster: SixProcesses;
beforeAll(async () => {
  cluster = await SixProcesses.start();
});
afterAll(async () => {
  await cluster.remove();
  await cleanUp();
});

const at = (args: readonly string[]): string[] => [...args, '--server', cluster.servers.join(',')];
const ok = (...args: string[]): Promise<string> => kvorumOk(at(args));

async function untilSaid(what: RegExp, ...args: string[]): Promise<string> {
  return eventually(String(what), async () => {
    const { stdout, stderr } = await kvorum(at(args));
    if (!what.test(stdout)) throw new Error(`${stdout}${stderr}`);
    return stdout;
  });
}

it('from a healthy topic to an unclean election and back', async () => {
  await ok('topic', 'create', 'orders', '--replica-assignment', '4:5:6');
  const produce = (lines: string) => kvorumOk(at(['produce', 'orders']), lines);
  await produce('a\nb\nc\n');
  const healthy = await untilSaid(/^0 +4 +0 +4,5,6 +4,5,6 +- +0 +ok$/m, 'topic', 'describe', 'orders');
  expect(healthy).toContain('min ISR 2; survives: kill and power loss of all brokers; loss of 1 disk of 3\n');
  const told = await untilSaid(/^orders-0 +6 +follower +0 +0 +3 +3 +0 +now +yes/m, 'partition', 'replicas', 'orders');
  expect(told).toMatch(/^orders-0 +4 +leader +0 +0 +3 +3 +- +- +yes/m);

  await cluster.signal(6, 'SIGKILL');
  await untilSaid(/^0 .* under-replicated$/m, 'topic', 'describe', '--under-replicated');
  await produce('d\n');
  await cluster.signal(5, 'SIGKILL');
  const short = await untilSaid(/^0 .* under min ISR$/m, 'topic', 'describe', '--under-min-isr');
  expect(short).toContain('no loss of a disk: one replica alone is known to have all; partition 0 under min ISR');

  await cluster.signal(4, 'SIGKILL');
  cluster.begin(6);
  const gone = await untilSaid(/^0 +none /m, 'topic', 'describe', '--unavailable');
  expect(gone).toContain('nothing is sure; no leader in partition 0: what was acknowledged is with brokers 4 and 5');
  const dry = await untilSaid(/broker 6 would lead/, 'partition', 'elect', '--unclean', 'orders-0', '--dry-run');
  expect(dry).toMatch(
    /^orders-0: broker 6 would lead; brokers 4,5 do not answer, and what only they have from offset [0-3] on would go$/m,
  );
  expect(await kvorum(at(['partition', 'elect', '--unclean', 'orders-0', '--yes']))).toMatchObject({
    code: 0,
    stdout: 'orders-0: broker 6 leads\n',
    stderr: 'What was lost, as the other replicas come back: kvorum partition losses orders\n',
  });
  for (const id of [4, 5]) cluster.begin(id);
  await untilSaid(/^0 +\d +\d+ +4,5,6 +4,5,6 +- +0 +ok$/m, 'topic', 'describe', 'orders');
  await untilSaid(/^orders-0 .* offset 3 .* - /m, 'partition', 'losses', 'orders');
  expect(await ok('consume', 'orders', '--from', 'beginning', '--exit')).toBe('a\nb\nc\n');
});
