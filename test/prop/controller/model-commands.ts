// The commands of the model: each does the same to the model and to the real controller, and says what the answer must be.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AdminServiceDefinition as Admin, ConfigOperation } from '../../../src/gen/kvorum/v1/admin.ts';
import { ControllerServiceDefinition as Control } from '../../../src/gen/kvorum/v1/controller.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { CLUSTER_ID } from '../../unit/controller/harness.ts';
import { uuid } from '../../unit/metadata/fixture.ts';
import type { Model, ModelState } from './model.ts';
import { comeBack, judgeAlteration, leave } from './model.ts';
import type { Real } from './real.ts';

type Run = (model: Model, real: Real) => void;

/** A command of fast-check from its parts; `needsActive`: only where there is an active controller. */
class ModelCommand implements fc.AsyncCommand<Model, Real> {
  readonly #name: string;
  readonly #needsActive: boolean;
  readonly #run: Run;

  constructor(name: string, needsActive: boolean, run: Run) {
    this.#name = name;
    this.#needsActive = needsActive;
    this.#run = run;
  }

  check(model: Readonly<Model>): boolean {
    return model.isActive === this.#needsActive || this.#name.startsWith('commit');
  }

  async run(model: Model, real: Real): Promise<void> {
    this.#run(model, real);
    await real.check(model);
  }

  toString(): string {
    return this.#name;
  }
}

const BROKERS = [1, 2, 3];
const TOPICS = ['a', 'b', 'c'];
const KEY = 'segment.bytes';
const FLAGS = { validateOnly: false, forwarded: false };

/** Item answers: 'done', or the name of the error. */
const nameOf = (item: { readonly error?: { readonly name: string } | undefined } | undefined): string =>
  item?.error?.name ?? 'done';

const active = (state: ModelState): number[] => BROKERS.filter((id) => state.brokers[id]?.isActive === true);

/** Makes a call; the model changes exactly if the controller appends. */
function ask<T>(
  { model, real }: { readonly model: Model; readonly real: Real },
  what: string,
  send: () => Promise<T>,
  expected: {
    readonly changes: boolean;
    readonly apply: (state: ModelState) => void;
    readonly check: (answer: T) => void;
  },
): void {
  const { didAppend, call } = real.append(send);
  assert.equal(didAppend, expected.changes, `${what} changes something`);
  if (didAppend) model.change(real.h.quorum.endOffset, expected.apply);
  real.expectAnswer(what, call, expected.check);
}

function register(id: number, how: 'retry' | 'clean' | 'unclean'): Run {
  return (model, real) => {
    const known = model.working.brokers[id];
    const isRetry = known !== undefined && how === 'retry';
    const boot = isRetry ? known.boot : (known?.boot ?? 0) + 1;
    const request = {
      clusterId: CLUSTER_ID,
      brokerId: id,
      incarnationId: uuid(1000 * id + boot),
      logDirs: [uuid(100 + id)],
      endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: id }],
      rack: '',
      bootCounter: boot,
      previousBrokerEpoch: how === 'clean' ? (known?.epoch ?? -1) : -1,
      minMetadataLevel: 1,
      maxMetadataLevel: 3,
    };
    const send = () => real.h.call(Control, Control.methods.registerBroker, request);
    const epoch = (): number => model.working.brokers[id]?.epoch ?? -1;
    let granted = known?.epoch ?? -1;
    const apply = (state: ModelState): void => {
      leave(state, id, how !== 'clean' && known !== undefined);
      granted = real.h.quorum.endOffset - 1; // C-2.1
      state.brokers[id] = { epoch: granted, boot, isActive: false };
    };
    ask({ model, real }, `register ${id}`, send, {
      changes: !isRetry,
      apply,
      check: ({ brokerEpoch }) => assert.equal(brokerEpoch, granted),
    });
    assert.equal(epoch(), granted);
  };
}

function beat(id: number, wantFence: boolean): Run {
  return (model, real) => {
    const known = model.working.brokers[id];
    if (known === undefined) return;
    const request = {
      brokerId: id,
      brokerEpoch: known.epoch,
      metadataEndOffset: known.epoch + 1,
      wantFence,
      wantShutdown: false,
      offlineLogDirs: [],
    };
    const send = () => real.h.call(Control, Control.methods.brokerHeartbeat, request);
    ask({ model, real }, `heartbeat of ${id}`, send, {
      changes: known.isActive === wantFence,
      apply: (state) => (wantFence ? leave(state, id) : comeBack(state, id)),
      check: ({ fenced }) => assert.equal(fenced, wantFence),
    });
  };
}

/** C-3.4: everybody else says that it lives, and this broker does not, for longer than a session. */
function expire(id: number): Run {
  return (model, real) => {
    for (let passed = 0; passed < 3; passed++) {
      for (const other of active(model.working)) if (other !== id) beat(other, false)(model, real);
      const { length } = real.h.quorum.log;
      real.h.clock.advance(4000);
      const wasFenced = real.h.quorum.log.length > length;
      // Everybody was heard of 4 s before at the latest, or has a new session with the claim (C-1.2).
      assert(!wasFenced || passed > 0, 'a session that lasts still');
      if (wasFenced) model.change(real.h.quorum.endOffset, (state) => leave(state, id));
    }
    assert.equal(model.working.brokers[id]?.isActive ?? false, false);
  };
}

/** C-3.5: the process stands still for longer than a session; what waits to be read says that everybody lives. */
const stall: Run = (model, real) => {
  real.h.clock.stall(20_000);
  real.h.clock.advance(0);
  for (let passed = 0; passed < 3; passed++) {
    for (const id of active(model.working)) beat(id, false)(model, real);
    const { length } = real.h.quorum.log;
    real.h.clock.advance(4000);
    assert.equal(real.h.quorum.log.length, length, 'nobody is fenced for what was not read');
  }
};

function create(name: string, replicationFactor: number, client: string | undefined, isRepeated: boolean): Run {
  return (model, real) => {
    const { working } = model;
    const known = client === undefined ? undefined : working.answers[client];
    const sequence = (known?.sequence ?? 0) + (isRepeated && known !== undefined ? 0 : 1);
    const topics = [{ name, partitions: 2, replicationFactor, configs: {}, assignments: [] }];
    const command = client === undefined ? undefined : { clientId: client, sequence };
    const request = { ...FLAGS, topics, command };
    const send = () => real.h.call(Admin, Admin.methods.createTopics, request);
    const isKnown = known !== undefined && isRepeated;
    const expected = working.topics[name] === undefined ? 'done' : 'TOPIC_ALREADY_EXISTS';
    // Placement is tested elsewhere: enough brokers, or none is asked.
    if (active(working).length < replicationFactor) return;
    const answer = isKnown ? known.answer : `${name} ${expected}`;
    const apply = (state: ModelState): void => {
      if (client !== undefined) state.answers[client] = { sequence, answer };
      if (expected !== 'done') return;
      const partitions = real.placed().map(({ replicas, leader }) => {
        return { replicas, isr: replicas, elr: [], leader, leaderEpoch: 0, partitionEpoch: 0 };
      });
      state.topics[name] = { born: real.h.quorum.endOffset, configs: {}, partitions };
    };
    ask({ model, real }, `create ${name}`, send, {
      changes: !isKnown && (expected === 'done' || client !== undefined),
      apply,
      check: ({ topics: [item] }) => assert.equal(`${item?.name} ${nameOf(item)}`, answer),
    });
  };
}

function remove(name: string): Run {
  return (model, real) => {
    const isThere = model.working.topics[name] !== undefined;
    const request = { ...FLAGS, topics: [{ name, topicId: '' }] };
    ask({ model, real }, `delete ${name}`, () => real.h.call(Admin, Admin.methods.deleteTopics, request), {
      changes: isThere,
      apply: (state) => void delete state.topics[name],
      check: ({ topics: [item] }) => assert.equal(nameOf(item), isThere ? 'done' : 'UNKNOWN_TOPIC_OR_PARTITION'),
    });
  };
}

function grow(name: string, totalCount: number): Run {
  return (model, real) => {
    const topic = model.working.topics[name];
    const isOf1 = topic?.partitions[0]?.replicas.length === 1;
    if (topic !== undefined && (!isOf1 || active(model.working).length === 0)) return;
    const count = topic?.partitions.length ?? 0;
    const expected =
      topic === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : totalCount > count ? 'done' : 'INVALID_PARTITIONS';
    const request = { ...FLAGS, topics: [{ topic: name, totalCount, assignments: [] }] };
    ask({ model, real }, `grow ${name}`, () => real.h.call(Admin, Admin.methods.createPartitions, request), {
      changes: expected === 'done',
      apply: (state) => {
        for (const { replicas, leader } of real.placed()) {
          const fresh = { replicas, isr: replicas, elr: [], leader, leaderEpoch: 0, partitionEpoch: 0 };
          state.topics[name]?.partitions.push(fresh);
        }
      },
      check: ({ topics: [item] }) => assert.equal(nameOf(item), expected),
    });
  };
}

/** `value` 0: reset. */
function configure(name: string, value: number): Run {
  return (model, real) => {
    const before = model.working.topics[name];
    const text = value === 0 ? undefined : String(value);
    const operation = value === 0 ? ConfigOperation.RESET : ConfigOperation.SET;
    const resource = { scope: ConfigScope.TOPIC, name };
    const request = { ...FLAGS, resources: [{ resource, alterations: [{ key: KEY, operation, value: text ?? '' }] }] };
    ask({ model, real }, `configure ${name}`, () => real.h.call(Admin, Admin.methods.alterConfigs, request), {
      changes: before !== undefined && before.configs[KEY] !== text,
      apply: (state) => {
        const configs = state.topics[name]?.configs ?? {};
        if (text === undefined) delete configs[KEY];
        else configs[KEY] = text;
      },
      check: ({ resources: [item] }) =>
        assert.equal(nameOf(item), before === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'done'),
    });
  };
}

/** C-6: the leader asks for the ISR that `members` picks, with epochs that may be wrong. */
function alter(name: string, members: number, epochsOff: readonly [number, number], isOldLife: boolean): Run {
  return (model, real) => {
    const { working } = model;
    const partition = working.topics[name]?.partitions[0];
    const topicId = real.h.publisher.image.topicIds.get(name);
    const leader = partition?.leader ?? -1;
    // Its id is read from what is committed.
    const isKnown = working.topics[name]?.born === model.committed.topics[name]?.born;
    if (partition === undefined || topicId === undefined || leader === -1 || !isKnown) return;
    const isr = partition.replicas.filter((id, i) => id === leader || (members & (1 << i)) !== 0);
    const knows = (id: number): number => (working.brokers[id]?.epoch ?? 0) - (isOldLife ? 1 : 0);
    const asked = {
      leaderEpoch: partition.leaderEpoch + epochsOff[0],
      partitionEpoch: partition.partitionEpoch + epochsOff[1],
      isr,
    };
    const expected = judgeAlteration(working, partition, asked, knows);
    const item = { ...asked, topicId, partition: 0, recovering: false };
    const request = {
      brokerId: leader,
      brokerEpoch: working.brokers[leader]?.epoch ?? -1,
      partitions: [{ ...item, isr: isr.map((id) => ({ brokerId: id, brokerEpoch: knows(id) })) }],
    };
    const [sent] = request.partitions;
    if (sent !== undefined)
      real.history.alterationAsked({ ...sent, senderId: leader, senderEpoch: request.brokerEpoch });
    const isOther = isr.length !== partition.isr.length || isr.some((id) => !partition.isr.includes(id));
    ask({ model, real }, `alter ${name}`, () => real.h.call(Control, Control.methods.alterPartition, request), {
      changes: expected === 'done' && isOther,
      apply: (state) => {
        const its = state.topics[name]?.partitions[0];
        if (its !== undefined) Object.assign(its, { isr, elr: [], partitionEpoch: its.partitionEpoch + 1 });
      },
      check: ({ partitions: [answer] }) => assert.equal(nameOf(answer), expected),
    });
  };
}

function commit(count: number): Run {
  return (model, real) => {
    const endOffset = model.commit(count);
    while (real.h.quorum.committed < endOffset) real.h.commit(1);
  };
}

const elect: Run = (model, real) => {
  real.h.elect();
  model.isActive = true;
  // C-1.1: the first claim writes the first record.
  if (real.h.quorum.endOffset > real.h.quorum.committed) model.change(real.h.quorum.endOffset, () => {});
};

const depose: Run = (model, real) => {
  real.depose();
  real.h.depose();
  model.depose();
};

const [broker, topic, flag] = [fc.constantFrom(...BROKERS), fc.constantFrom(...TOPICS), fc.boolean()];

/** Client ids of named commands. */
const client = fc.constantFrom(undefined, uuid(8001), uuid(8002));
/** Of the leader epoch and of the partition epoch. */
const right: [number, number] = [0, 0];
const epochsOff = fc.constantFrom(right, right, right, right, [-1, -1], [1, 0], [0, 1], [-1, 0], [0, -1]);
const command = (name: string, run: Run, needsActive = true) => new ModelCommand(name, needsActive, run);

export const modelCommands: fc.Arbitrary<fc.AsyncCommand<Model, Real>>[] = [
  fc
    .tuple(broker, fc.constantFrom('retry', 'clean', 'clean', 'unclean'))
    .map(([id, how]) => command(`register ${id} ${how}`, register(id, how as 'retry'))),
  broker.map((id) => command(`beat ${id}`, beat(id, false))),
  broker.map((id) => command(`beats ${id}`, beat(id, false))),
  broker.map((id) => command(`fence ${id}`, beat(id, true))),
  broker.map((id) => command(`expire ${id}`, expire(id))),
  fc
    .tuple(topic, fc.constantFrom(1, 1, 2, 3), client, flag)
    .map(([name, factor, id, again]) =>
      command(`create ${name} ${factor} ${id} ${again}`, create(name, factor, id, again)),
    ),
  topic.map((name) => command(`delete ${name}`, remove(name))),
  fc.tuple(topic, fc.constantFrom(1, 3, 4)).map(([name, to]) => command(`grow ${name} ${to}`, grow(name, to))),
  fc
    .tuple(topic, fc.constantFrom(0, 2000, 3000))
    .map(([name, value]) => command(`configure ${name} ${value}`, configure(name, value))),
  ...['alter', 'alters', 'altering'].map((what) =>
    fc
      .tuple(topic, fc.integer({ min: 0, max: 7 }), epochsOff, fc.constantFrom(false, false, false, true))
      .map(([name, members, off, old]) =>
        command(`${what} ${name} ${members} ${String(off)} ${old}`, alter(name, members, off, old)),
      ),
  ),
  fc.constantFrom(1, 1, 2, 100).map((count) => command(`commit ${count}`, commit(count))),
  fc.constantFrom(100).map((count) => command(`commit ${count}`, commit(count))),
  fc.constant(command('elect', elect, false)),
  fc.constant(command('depose', depose)),
  fc.constant(command('stall', stall)),
];
