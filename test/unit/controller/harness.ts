// A controller over a quorum of one log that commits, loses and elects when the test says so. The real quorum is tested
// elsewhere; this one keeps its promises: offsets are dense, only committed batches are applied, in order, and never inside `append`.
import type { Epoch, Ms, NodeId, Offset } from '../../../src/base/ids.ts';
import { KeyedRandom } from '../../../src/base/keyed-random.ts';
import { parseNodeConfig } from '../../../src/config/node-config.ts';
import { Controller } from '../../../src/controller/controller.ts';
import type { Forwarder } from '../../../src/controller/forwarder.ts';
import type { Clock, Timer } from '../../../src/env/clock.ts';
import type { Logger } from '../../../src/env/logger.ts';
import type {
  Address,
  RpcMethod,
  RpcService,
  RpcServiceDefinition,
  RpcStreamHandler,
} from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import type { HoldSessionRequest, HoldSessionResponse } from '../../../src/gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Control } from '../../../src/gen/kvorum/v1/controller.ts';
import type { IdentifyResponse } from '../../../src/gen/kvorum/v1/raft.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { quorumAdmin } from '../../../src/quorum/admin.ts';
import type { Quorum } from '../../../src/quorum/quorum.ts';
import type { CommittedBatch } from '../../../src/quorum/state-machine.ts';
import { composeAdmin } from '../../../src/server/admin.ts';
import { metadataAdmin } from '../../../src/server/metadata-admin.ts';
import { uuid } from '../metadata/fixture.ts';

export const CLUSTER_ID = uuid(77);
const NODE_ID = 101;

class ManualClock implements Clock {
  #now = 0;
  #timers: { readonly at: Ms; readonly callback: () => void }[] = [];

  now(): Ms {
    return this.#now;
  }

  wallTime(): number {
    return this.#now;
  }

  schedule(delayMs: Ms, callback: () => void): Timer {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  /** Runs the timers that come due within the next `ms`, each at its time. */
  advance(ms: Ms): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  /** Runs the timer that is due first, if it is due now. */
  runNext(): void {
    const next = this.#timers.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at)[0];
    this.#timers = this.#timers.filter((timer) => timer !== next);
    next?.callback();
  }

  /** The process stands still for `ms`: timers come due, none runs. */
  stall(ms: Ms): void {
    this.#now += ms;
  }
}

class ScriptedQuorum {
  epoch: Epoch = 0;
  leaderId: NodeId = -1;
  readonly log: CommittedBatch[] = [];
  committed = 0;
  isCongested = false;
  readonly snapshots = [];
  /** When the other voter has last fetched. */
  lastFetchMs: () => Ms = () => 0;
  #fenced = false;

  /** The epochs that the controller has resigned, oldest first. */
  readonly resigned: Epoch[] = [];

  get endOffset(): Offset {
    return this.log.at(-1)?.endOffset ?? 0;
  }

  get logEndOffset(): Offset {
    return this.endOffset;
  }

  resign(epoch: Epoch): void {
    this.resigned.push(epoch);
    this.refuseAppends();
  }

  /** The quorum has moved on, but the controller has not been told yet. */
  refuseAppends(): void {
    this.#fenced = true;
  }

  acceptAppends(): void {
    this.#fenced = false;
  }

  append(claimEpoch: Epoch, records: readonly Uint8Array[]) {
    if (this.#fenced || this.leaderId !== NODE_ID || claimEpoch !== this.epoch) return undefined;
    return this.push(records, records.length);
  }

  push(records: readonly Uint8Array[], count: number): { baseOffset: Offset; lastOffset: Offset } {
    const baseOffset = this.endOffset;
    this.log.push({ baseOffset, endOffset: baseOffset + count, epoch: this.epoch, records });
    return { baseOffset, lastOffset: baseOffset + count - 1 };
  }

  changeVoters(): Promise<never> {
    return Promise.reject(new Error('not part of these tests'));
  }

  readCommitted(): never {
    throw new Error('not part of these tests');
  }

  whenCommitted(): Promise<boolean> {
    return Promise.resolve(true);
  }

  openSnapshot(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  describe(): ReturnType<Quorum['describe']> {
    const leads = this.leaderId === NODE_ID;
    const replica = { id: NODE_ID, directoryId: uuid(9) };
    const voter = { replica, endpoint: '', logEndOffset: this.endOffset, lastFetchMs: -1, lastCaughtUpMs: -1 };
    const peer = {
      replica: { id: 102, directoryId: uuid(10) },
      endpoint: '',
      logEndOffset: 1,
      lastFetchMs: this.lastFetchMs(),
      lastCaughtUpMs: -1,
    };
    return {
      role: leads ? 'leader' : 'follower',
      leaderId: this.leaderId,
      epoch: this.epoch,
      highWatermark: this.committed,
      logEndOffset: this.endOffset,
      logStartOffset: 0,
      latestSnapshot: undefined,
      isVoter: true,
      voters: [voter, peer],
      observers: [],
    };
  }
}

interface Forwarded {
  readonly method: string;
  readonly request: unknown;
  readonly timeoutMs: Ms;
}

/** `properties`: beside those that every test has. */
export function startHarness(properties = '') {
  const clock = new ManualClock();
  const quorum = new ScriptedQuorum();
  quorum.lastFetchMs = () => clock.now();
  const publisher = new MetadataPublisher();
  const logged: string[] = [];
  const lines: { readonly event: string; readonly fields: Record<string, unknown> }[] = [];
  const log = (event: string, fields: Record<string, unknown> = {}): void => {
    logged.push(event);
    lines.push({ event, fields });
  };
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  const env = { clock, random: new KeyedRandom(1), logger };
  const parsed = parseNodeConfig(
    `node.id=${NODE_ID}\nprocess.roles=controller\ncontroller.quorum.voters=101@127.0.0.1:1,102@127.0.0.1:2\n` +
      'listeners=CONTROLLER://127.0.0.1:1\nlog.dirs=/d\nnum.partitions=2\n' +
      properties,
  );
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  const forwarded: Forwarded[] = [];
  const refusing: { id: NodeId; address: Address }[] = [];
  const controllers: Forwarder = {
    refusing: () => Promise.resolve(refusing),
    call: (_, method, request, timeoutMs) => {
      forwarded.push({ method: method.name, request, timeoutMs });
      return Promise.resolve(method.responseType.decode(new Uint8Array()));
    },
  };
  const identities = new Map<string, IdentifyResponse>();
  const identify = (endpoint: string): Promise<IdentifyResponse> => {
    const answer = identities.get(endpoint);
    if (answer !== undefined) return Promise.resolve(answer);
    return Promise.reject(new RpcError('UNAVAILABLE', 'nobody there', 'refused'));
  };
  const admin = composeAdmin({
    clock,
    random: env.random,
    config: parsed.config,
    clusterId: CLUSTER_ID,
    publisher,
    controllers,
    leaderId: () => quorum.leaderId,
    identify,
    parts: {
      ...quorumAdmin({
        nodeId: NODE_ID,
        clusterId: CLUSTER_ID,
        clock,
        quorum,
        identify,
        callLeader: (method, request, timeoutMs) => controllers.call(Admin, method, request, timeoutMs),
        requestTimeoutMs: 30_000,
      }),
      ...metadataAdmin({ clock, quorum, publisher }),
      deleteRecords: () => Promise.reject(new RpcError('UNIMPLEMENTED', 'there are no brokers here')),
      describeLogDirs: () => Promise.reject(new RpcError('UNIMPLEMENTED', 'there are no brokers here')),
      describeReplicas: () => Promise.reject(new RpcError('UNIMPLEMENTED', 'there are no brokers here')),
    },
  });
  const controller = new Controller({
    env,
    config: parsed.config,
    clusterId: CLUSTER_ID,
    quorum,
    publisher,
    controllers,
    admin,
  });
  const { stateMachine, services } = controller;

  return {
    clock,
    quorum,
    publisher,
    controller,
    logged,
    /** As `logged`, with what the lines say. */
    lines,
    forwarded,
    /** Who answers Identify, by host:port. */
    identities,
    /** The controllers where nobody listens. */
    refusing,

    /** Commits the next `count` batches, all by default. */
    commit(count = Number.POSITIVE_INFINITY): void {
      for (let i = 0; i < count; i++) {
        const batch = quorum.log.find(({ endOffset }) => endOffset > quorum.committed);
        if (batch === undefined) return;
        quorum.committed = batch.endOffset;
        stateMachine.apply(batch);
      }
    },

    /** This node wins the next epoch; what was committed stays, and the epoch's first record is committed. */
    elect(): void {
      quorum.epoch++;
      quorum.leaderId = NODE_ID;
      quorum.acceptAppends();
      stateMachine.leaderChanged(NODE_ID, quorum.epoch);
      quorum.push([], 1);
      this.commit();
      stateMachine.claim(quorum.epoch);
    },

    /** Another node wins the next epoch; of this node's log only what was committed survives. */
    depose(): void {
      const epoch = quorum.epoch++;
      quorum.leaderId = 102;
      quorum.log.splice(0, quorum.log.length, ...quorum.log.filter(({ endOffset }) => endOffset <= quorum.committed));
      stateMachine.renounce(epoch);
      stateMachine.leaderChanged(102, quorum.epoch);
    },

    /**
     * Opens HoldSession as the network would; `cut` is what the server sees when the caller dies. Resolves when it is held, or with
     * how it ended.
     */
    async hold(brokerId: number, brokerEpoch: number) {
      const service = services.find((it: RpcService) => it.definition === Control);
      const handler = service?.handlers['holdSession'] as RpcStreamHandler<HoldSessionRequest, HoldSessionResponse>;
      const caller = new AbortController();
      const messages = handler(
        { brokerId, brokerEpoch },
        { peer: 'test', remainingMs: Number.POSITIVE_INFINITY, signal: caller.signal },
      )[Symbol.asyncIterator]();
      await messages.next();
      const ended = messages.next().then(
        () => undefined,
        (error: unknown) => error,
      );
      const cut = async (): Promise<void> => {
        caller.abort();
        await ended;
      };
      return { cut, ended };
    },

    /** Calls a method of the controller's services as the network would. */
    call<Request, Response>(
      definition: RpcServiceDefinition,
      method: RpcMethod<Request, Response>,
      request: Request,
      remainingMs = Number.POSITIVE_INFINITY,
    ): Promise<Response> {
      const service = services.find((it: RpcService) => it.definition === definition);
      const key = Object.keys(definition.methods).find((name) => definition.methods[name] === method);
      const handler = service?.handlers[key ?? ''];
      if (handler === undefined) throw new Error(`no handler for ${method.name}`);
      const context = { peer: 'test', remainingMs, signal: new AbortController().signal };
      return handler(request, context) as Promise<Response>;
    },
  };
}

export type Harness = ReturnType<typeof startHarness>;

/** Whether the promise is settled by now, and how. Lets everything that is due run first. */
export async function outcome<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown } | 'pending'> {
  let result: { value: T } | { error: unknown } | 'pending' = 'pending';
  promise.then(
    (value) => {
      result = { value };
    },
    (error: unknown) => {
      result = { error };
    },
  );
  for (let i = 0; i < 10; i++) await Promise.resolve();
  return result;
}
