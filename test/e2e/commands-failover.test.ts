// The command line while controllers and brokers are killed: a command is carried out once, whoever dies in the middle.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControllersUnderFire } from './failover.ts';
import { kvorum, program } from './kvorum.ts';
import { cleanUp, eventually, Process } from './processes.ts';

describe('while nodes die', () => {
  let cluster: ControllersUnderFire;

  beforeAll(async () => {
    cluster = await ControllersUnderFire.start();
  });
  afterAll(async () => {
    cluster.close();
    await cleanUp();
  });

  it('creations go on over the death of the active controller, and none says that its topic exists already', async () => {
    const servers = [...cluster.servers, ...cluster.controllerIds.map((id) => cluster.addressOf(id))].join(',');
    for (let round = 0; round < 3; round++) {
      const { leaderId } = await cluster.allFollow();
      const names = Array.from({ length: 8 }, (_, i) => `round-${round}-${i}`);
      const creations = names.map((name) => kvorum(['topic', 'create', name, '--server', servers]));
      await cluster.signal(leaderId, 'SIGKILL');
      const ends = await Promise.all(creations);
      expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual(names.map(() => ({ code: 0, stderr: '' })));
      cluster.begin(leaderId);
    }
  });

  it('an active controller that died with another one is not told of as if it lived', async () => {
    const { leaderId } = await cluster.allFollow();
    const [dead, left] = cluster.controllerIds.filter((id) => id !== leaderId) as [number, number];
    for (const id of [leaderId, dead]) await cluster.signal(id, 'SIGKILL');
    for (const server of [cluster.addressOf(left), ...cluster.servers]) {
      const { code, stdout, stderr } = await kvorum(['cluster', 'describe', '--server', server]);
      expect(code).toBe(1);
      expect(stdout).toContain('active controller none of');
      expect(stderr).toContain(`${server} reaches no active controller`);
    }
    for (const id of [leaderId, dead]) cluster.begin(id);
    await cluster.allFollow();
    expect(await kvorum(['cluster', 'describe', '--server', cluster.addressOf(left)])).toMatchObject({ code: 0 });
  });

  it('a broker that died is told with why, and what nobody leads any more', async () => {
    const [, ...alive] = cluster.servers;
    const server = alive.join(',');
    const created = await kvorum(['topic', 'create', 'placed', '--replica-assignment', '4,5', '--server', server]);
    expect(created).toMatchObject({ code: 0 });
    await cluster.signal(4, 'SIGKILL');
    await eventually('broker 4 is fenced', async () =>
      /^4 +fenced/m.test((await kvorum(['broker', 'list', '--server', server])).stdout) ? true : undefined,
    );
    expect((await kvorum(['broker', 'describe', '4', '--server', server])).stdout).toMatch(
      /^broker 4: fenced, by record \d+ .*: \S/,
    );
    const unavailable = await kvorum(['topic', 'describe', 'placed', '--unavailable', '--server', server]);
    expect(unavailable.stdout).toMatch(/^0 +none +1 +4 /m);
    expect(unavailable.stdout).not.toMatch(/^1 /m);
    const explained = await kvorum(['partition', 'explain', 'placed', '0', '--server', server]);
    expect(explained.stdout).toMatch(/^placed-0: nobody leads: /);
    const history = await kvorum(['metadata', 'history', 'placed:0', '--server', server]);
    expect(history.stdout).toMatch(/leader 4 → none/);
    for (const how of [[], ['--type', 'unclean', '--yes']]) {
      expect(await kvorum(['partition', 'elect', 'placed:0', ...how, '--server', server])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^placed-0: (PREFERRED_LEADER|ELIGIBLE_LEADERS)_NOT_AVAILABLE: /),
      });
    }
    for (const how of ['--dry-run', '--yes']) {
      const { code, stdout, stderr } = await kvorum(['broker', 'unregister', '4', how, '--server', server]);
      expect({ code, says: `${stdout}${stderr}` }).toEqual({
        code: 1,
        says: expect.stringMatching(/^broker 4: .*the last (complete )?replica of .*placed-0/),
      });
    }
    cluster.begin(4);
    await eventually('broker 4 leads again', async () => {
      const { stdout } = await kvorum(['partition', 'explain', 'placed', '0', '--server', server]);
      return stdout.startsWith('placed-0: broker 4 leads') ? true : undefined;
    });
  });

  it('a tail that follows goes on at the next server', async () => {
    const [first, second] = cluster.servers as [string, string];
    const tail = new Process(process.execPath, [
      program,
      'metadata',
      'tail',
      '--follow',
      '--server',
      `${first},${second}`,
    ]);
    await tail.until(({ stdout }) => stdout.includes('name=placed'), 'the topic placed');
    await cluster.signal(4, 'SIGKILL');
    await kvorum(['topic', 'create', 'later', '--server', second]);
    await tail.until(({ stdout }) => stdout.includes('name=later'), 'the topic later');
    const offsets = tail.stdout.split('\n').flatMap((line) => /^ +(\d+) /.exec(line)?.[1] ?? []);
    expect(offsets).toEqual([...new Set(offsets)]);
    tail.kill('SIGINT');
    cluster.begin(4);
  });
});
