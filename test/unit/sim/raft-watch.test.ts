// The watch over the quorum of a whole node: what a driver, or the database under it, may not do. The core's part is played by
// hand, the database is the simulated one.
import { expect, test } from 'vitest';
import { uuidFromBytes } from '../../../src/base/uuid.ts';
import type { Env } from '../../../src/env/env.ts';
import type { Store } from '../../../src/env/store.ts';
import type { CoreTrace } from '../../../src/quorum/core-trace.ts';
import { QuorumStorage } from '../../../src/quorum/storage.ts';
import type { Batch, OpId, QuorumState, RaftConfig, RaftEffect, RaftEvent } from '../../../src/raft/types.ts';
import type { NodeWatch } from '../../../src/sim/cluster/raft-watch.ts';
import { RaftWatch } from '../../../src/sim/cluster/raft-watch.ts';
import { Reigns } from '../../../src/sim/cluster/reigns.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';

const SELF = { id: 1, directoryId: uuidFromBytes(Buffer.alloc(16, 7)) };
const METADATA = '/data/metadata';

function batch(baseOffset: number, text: string): Batch {
  return { baseOffset, epoch: 1, control: false, records: [Buffer.from(text)] };
}

const LED: QuorumState = { leaderId: 1, leaderEpoch: 1, votedKey: SELF };

/** One node, its simulated machine, and what is wrong with it. */
class Watched {
  readonly world: World;
  readonly process: SimProcess;
  readonly found: string[] = [];
  readonly node: NodeWatch;
  trace!: CoreTrace;
  env!: Env;
  store!: Store;
  storage!: QuorumStorage;
  #op: OpId = -1;

  constructor(seed = 1) {
    this.world = new World({ seed });
    this.process = this.world.process('node1');
    const watch = new RaftWatch(1, 0, {
      failed: (property, detail) => this.found.push(`${property}: ${detail}`),
      happened: () => {},
      reigns: new Reigns(),
      now: () => this.world.nowMs,
    });
    this.node = watch.node(SELF.id, this.process.disk, '/data/snapshots');
    this.process.disk.provision('/data');
    this.process.disk.watchStore = (path) => (path === METADATA ? this.node.newDatabase() : undefined);
  }

  /** A life up to the core's first step. `change` spoils what it starts with. */
  async start(change: (event: Extract<RaftEvent, { type: 'start' }>) => RaftEvent = (event) => event): Promise<void> {
    const { env, trace } = this.node.newLife(this.process.start());
    this.trace = trace;
    this.#op = -1;
    await this.do(async () => {
      this.store = await env.openStore(METADATA);
      this.storage = new QuorumStorage(this.store);
      const { quorumState, batches } = await this.storage.load();
      trace.config({ replica: SELF } as RaftConfig);
      trace.event(change({ type: 'start', now: 0, durable: { quorumState, snapshots: [], batches } }));
    });
  }

  step(...effects: RaftEffect[]): void {
    this.trace.event({ type: 'applied', now: 0, endOffset: 0 });
    this.trace.effects(effects);
  }

  nextOp(): OpId {
    return ++this.#op;
  }

  /** Runs what the driver would. */
  async do(what: () => Promise<void>): Promise<void> {
    let isDone = false;
    void what().then(() => {
      isDone = true;
    });
    await this.world.runUntil(() => isDone, 1000);
  }

  /** Leads epoch 1 with one batch, all of it durable and known to be. */
  async lead(): Promise<void> {
    const [state, append] = [this.nextOp(), this.nextOp()];
    this.step(
      { type: 'writeQuorumState', op: state, state: LED },
      { type: 'role', role: 'unattached', epoch: 0, leaderId: -1 },
    );
    this.trace.effects([]);
    await this.do(() => this.storage.write(this.storage.state(LED)));
    this.done(state);
    for (const role of ['prospective', 'candidate', 'leader'] as const) {
      const epoch = role === 'prospective' ? 0 : 1;
      this.trace.effects([{ type: 'role', role, epoch, leaderId: role === 'leader' ? 1 : -1 }]);
    }
    const first = { ...batch(0, 'first'), control: true };
    this.trace.effects([{ type: 'append', op: append, batches: [first] }]);
    await this.do(() => this.storage.write(this.storage.append([first])));
    this.done(append);
  }

  done(op: OpId): void {
    this.trace.event({ type: 'diskDone', now: 0, op });
    this.trace.effects([]);
  }
}

test('a leader that writes, crashes and starts with what it wrote breaks nothing', async () => {
  const watched = new Watched();
  await watched.start();
  await watched.lead();
  watched.process.powerCut();
  await watched.start();
  expect(watched.found).toEqual([]);
});

test('what was being written when the power went may be there or not', async () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const watched = new Watched(seed);
    await watched.start();
    await watched.lead();
    watched.trace.effects([{ type: 'append', op: watched.nextOp(), batches: [batch(1, 'second')] }]);
    void watched.storage.write(watched.storage.append([batch(1, 'second')]));
    watched.process.powerCut();
    await watched.start((event) => {
      outcomes.add(`${event.durable.batches.length} batches`);
      return event;
    });
    expect(watched.found).toEqual([]);
  }
  expect([...outcomes].sort()).toEqual(['1 batches', '2 batches']);
});

test('M-5: the core is told of a sync that has not happened', async () => {
  const watched = new Watched();
  await watched.start();
  await watched.lead();
  const op = watched.nextOp();
  watched.trace.effects([{ type: 'append', op, batches: [batch(1, 'second')] }]);
  watched.done(op);
  expect(watched.found[0]).toMatch(/^M-5: operation 2 is said to be durable/);
});

test('M-5: an unsynced batch of the store is not durable', async () => {
  const watched = new Watched();
  await watched.start();
  await watched.lead();
  const op = watched.nextOp();
  watched.trace.effects([{ type: 'append', op, batches: [batch(1, 'second')] }]);
  await watched.do(() => watched.store.batch(watched.storage.append([batch(1, 'second')]), { sync: false }));
  watched.done(op);
  expect(watched.found[0]).toMatch(/^M-5/);
});

test('M-5: the database holds what the core did not ask for', async () => {
  const watched = new Watched();
  await watched.start();
  await watched.lead();
  watched.trace.effects([{ type: 'append', op: watched.nextOp(), batches: [batch(1, 'second')] }]);
  await watched.do(() => watched.storage.write(watched.storage.append([batch(1, 'other')])));
  expect(watched.found[0]).toMatch(/^M-5: the database of node 1 holds/);
});

test('R-1.7: the core starts without its last batch', async () => {
  const watched = new Watched();
  await watched.start();
  await watched.lead();
  watched.process.powerCut();
  await watched.start((event) => ({ ...event, durable: { ...event.durable, batches: [] } }));
  expect(watched.found[0]).toMatch(/^R-1.7/);
});

test('R-9.2: the core is told that more is applied than the image shows', async () => {
  const watched = new Watched();
  await watched.start();
  await watched.lead();
  watched.node.appliedEndOffset = () => 0;
  watched.trace.event({ type: 'applied', now: 0, endOffset: 1 });
  expect(watched.found[0]).toMatch(/^R-9.2/);
});

test('M-5, S-X3: a snapshot is on disk for good before the core hears of it, and is listed then', async () => {
  const snapshot = { id: { endOffset: 1, epoch: 1 }, voters: [], sizeBytes: 3 };
  const path = '/data/snapshots/00000000000000000001-0000000001.checkpoint';
  const taken = async (isSynced: boolean): Promise<string[]> => {
    const watched = new Watched();
    await watched.start();
    await watched.lead();
    const { disk } = watched.process;
    disk.provision('/data/snapshots');
    const file = disk.tree.createFile(path);
    file.write(Buffer.from('abc'), 0);
    if (isSynced) {
      file.settle(file.mark);
      disk.tree.sync(disk.tree.directory('/data/snapshots'), disk.tree.mark);
    }
    watched.trace.event({ type: 'snapshotTaken', now: 0, snapshot });
    watched.trace.effects([]);
    return watched.found;
  };
  expect((await taken(false))[0]).toMatch(/^M-5: node 1 calls .* durable/);
  expect((await taken(true))[0]).toMatch(/^S-X3: node 1 does not list its snapshot/);
});
