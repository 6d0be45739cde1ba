// Six processes from the files of deploy/: a broker is killed, and the cluster says why its partition has no leader, when that
// happened, and what would change it; it comes back, and that is told as well. Asked at every broker that lives.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DiffEntry, ExplainPartitionResponse, HistoryEntry } from '../../src/gen/kvorum/v1/admin.ts';
import type { SixNodes } from './kvorum.ts';
import { clusterServes, copyDeployment, kvorum, kvorumOk, startNode } from './kvorum.ts';
import type { Process } from './processes.ts';
import { cleanUp, eventually } from './processes.ts';

/** The broker that is killed; the first broker's listener stays. */
const VICTIM = 6;

describe('six processes', () => {
  let six: SixNodes;
  const processes = new Map<number, Process>();
  /** The partition of `orders` that the victim leads. */
  let partition = -1;

  beforeAll(async () => {
    six = await copyDeployment();
    const clusterId = (await kvorumOk(['random-id'])).trim();
    await Promise.all(six.nodes.map(({ path }) => kvorumOk(['format', '--cluster-id', clusterId, '--config', path])));
    for (const { nodeId, path } of six.nodes) processes.set(nodeId, startNode(path));
    await clusterServes(server(), 3);
    await ask(['topic', 'create', 'orders', '--partitions', '3', '--replication-factor', '1']);
    for (let n = 0; n < 3; n++) if ((await explain(n)).state?.leader === VICTIM) partition = n;
  });
  afterAll(cleanUp);

  function server(at = 0): string {
    return six.servers[at] as string;
  }

  function ask(args: readonly string[], at = 0): Promise<string> {
    return kvorumOk([...args, '--server', server(at)]);
  }

  async function explain(n: number, at = 0): Promise<ExplainPartitionResponse> {
    const answer = await ask(['partition', 'explain', 'orders', String(n), '--format', 'json'], at);
    return JSON.parse(answer) as ExplainPartitionResponse;
  }

  /** One JSON value per line, or one list. */
  async function listed<T>(args: readonly string[], at = 0): Promise<T[]> {
    const text = (await ask([...args, '--format', 'json'], at)).trim();
    if (text.startsWith('[')) return JSON.parse(text) as T[];
    return text.split('\n').map((line) => JSON.parse(line) as T);
  }

  async function history(at = 0): Promise<HistoryEntry[]> {
    const all = await listed<HistoryEntry | { type: 'logStart' }>(['metadata', 'history', `orders-${partition}`], at);
    return all.filter((it): it is HistoryEntry => it.type !== 'logStart');
  }

  it('begin with leaders that are preferred', async () => {
    expect(partition).toBeGreaterThanOrEqual(0);
    const { verdict, decidedBy } = await explain(partition);
    expect(verdict).toMatch(
      /^broker 6 leads: it is the preferred leader, active and in the ISR \(decided at offset \d+/,
    );
    expect(decidedBy?.cause).toBe('the partition was created');
    expect((await history()).map(({ type }) => type)).toEqual(['partitionCreated']);
  });

  it('a broker that is killed: who says so, when, why, and what would help', async () => {
    const before = Date.now();
    const victim = processes.get(VICTIM) as Process;
    victim.kill('SIGKILL');
    await victim.ended();
    const told = await eventually('nobody leads', async () => {
      const answer = await explain(partition);
      return answer.state?.leader === -1 ? answer : undefined;
    });
    expect(told.verdict).toMatch(/^nobody leads: .*broker 6 is fenced since offset \d+: connection lost/);
    expect(told.decidedBy?.cause).toBe('broker 6 fenced: connection lost');
    expect(told.decidedBy?.timestampMs).toBeGreaterThan(before - 1000);
    expect(told.replicas).toMatchObject([{ brokerId: 6, eligible: false }]);
    expect(told.replicas[0]?.reason).toMatch(/^fenced since offset \d+: connection lost; /);
    expect(told.whatWouldChange[0]).toMatch(/^broker 6 comes back/);
    // Another broker says the same, of the same records.
    await eventually('the other broker knows', async () =>
      (await explain(partition, 1)).decidedBy?.offset === told.decidedBy?.offset ? true : undefined,
    );
    expect((await explain(partition, 1)).verdict).toBe(told.verdict);
    const [, change] = await history();
    expect(change).toMatchObject({
      type: 'leaderChanged',
      offset: told.decidedBy?.offset,
      epoch: told.decidedBy?.epoch,
      cause: 'broker 6 fenced: connection lost',
    });
    expect(change?.change).toMatch(/^leader 6 → none, leader epoch 0 → 1/);
    const offset = told.decidedBy?.offset ?? -1;
    const diff = await listed<DiffEntry>(['metadata', 'diff', String(offset), String(offset + 1)]);
    expect(diff).toMatchObject([{ subject: `partition orders-${partition}` }]);
  });

  it('the broker comes back and leads again, and all of it is in the history', async () => {
    const node = six.nodes.find(({ nodeId }) => nodeId === VICTIM);
    processes.set(VICTIM, startNode(node?.path ?? ''));
    await eventually('it leads', async () => ((await explain(partition)).state?.leader === VICTIM ? true : undefined));
    const { verdict } = await explain(partition);
    expect(verdict).toMatch(/^broker 6 leads: it is the/);
    const entries = await history();
    expect(entries.map(({ offset }) => offset)).toEqual(entries.map(({ offset }) => offset).toSorted((a, b) => a - b));
    expect(entries.at(-1)).toMatchObject({ type: 'leaderChanged' });
    expect(entries.at(-1)?.change).toMatch(/^leader none → 6/);
  });

  it('what is not there is an error', async () => {
    const missing = await kvorum(['partition', 'explain', 'orders', '9', '--server', server()]);
    expect([missing.code, missing.stdout + missing.stderr]).toEqual([1, expect.stringContaining('no partition 9')]);
    const unknown = await kvorum(['metadata', 'history', 'nope', '--server', server()]);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("says nothing of topic 'nope'")]);
    const ahead = await kvorum(['metadata', 'diff', '1', '999999', '--server', server()]);
    expect([ahead.code, ahead.stderr]).toEqual([1, expect.stringContaining('this node has images from offset 0 to')]);
  });
});
