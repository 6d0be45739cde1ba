// Puts the recordings of several nodes into one order that could have been: each node's steps in its own order, a message
// taken in after it left its sender (as far as the sender was recorded too), and else by the clocks. Safety properties hold in
// every such order, so a checker that is given one raises no false alarm.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { RecordedStep } from '../../quorum/recording.ts';
import type { OpId, RaftEffect, RaftEvent, RaftRequest, RaftResponse } from '../../raft/types.ts';
import type { ReplayedStep } from './core-replay.ts';
import { requestKey, responseKey, senderOf } from './message-key.ts';
import type { RecordedLife } from './recorded-life.ts';

/** The clocks of two nodes show times that differ by no more. */
const MAX_SKEW_MS = 1000;

/** A message that has left its node. */
export interface Release {
  readonly to: NodeId;
  readonly message: RaftRequest | RaftResponse;
  /** What a response answers. */
  readonly request: RaftRequest | undefined;
}

export interface MergedStep extends ReplayedStep {
  readonly life: RecordedLife;
  /** Of the file: the header is 1. */
  readonly line: number;
  /** Milliseconds since 1970, by the clock of its node. */
  readonly at: number;
  readonly event: RaftEvent;
  /** Whose message the event brought, if that node is recorded but not the moment when it sent it. */
  readonly unrecordedSender: NodeId | undefined;
  /** What left the node before the core had the event, and after it answered. */
  readonly releasedBefore: readonly Release[];
  readonly releasedAfter: readonly Release[];
}

type Outgoing = Extract<RaftEffect, { type: 'call' | 'reply' | 'serveSnapshot' }>;

interface Head {
  readonly step: RecordedStep;
  /** Milliseconds since 1970, as the node's clock has it. */
  readonly at: number;
}

/** The lives of one node, one after the other. */
class NodeStream {
  readonly nodeId: NodeId;
  readonly #lives: readonly RecordedLife[];
  #life = -1;
  #line = 1;
  #begun = 0;
  head: Head | undefined;
  /** Messages that wait for an operation of the disk. */
  #held: Outgoing[] = [];
  #durable: OpId = -1;
  readonly #inbound = new Map<number, RaftRequest>();
  /** Who was called. */
  readonly outbound = new Map<number, { readonly to: NodeId; readonly request: RaftRequest }>();

  constructor(nodeId: NodeId, lives: readonly RecordedLife[]) {
    this.nodeId = nodeId;
    this.#lives = lives;
  }

  async advance(): Promise<void> {
    for (;;) {
      const life = this.#lives[this.#life];
      const step = await life?.next();
      if (life !== undefined && step !== undefined) {
        this.#line++;
        if (this.#line === 2) this.#begun = step.event.now;
        this.head = { step, at: life.header.wallTime + step.event.now - this.#begun };
        return;
      }
      if (++this.#life >= this.#lives.length) {
        this.head = undefined;
        return;
      }
      this.#line = 1;
      this.#held = [];
      this.#durable = -1;
      this.#inbound.clear();
      this.outbound.clear();
    }
  }

  /** Runs the head through the core. */
  take({ step, at }: Head): Omit<MergedStep, 'unrecordedSender'> {
    const life = this.#lives[this.#life] as RecordedLife;
    const { event } = step;
    let releasedBefore: Release[] = [];
    if (event.type === 'diskDone') {
      this.#durable = event.op;
      releasedBefore = this.#release();
    } else if (event.type === 'request') this.#inbound.set(event.call, event.message);
    const replayed = life.replay.step(step);
    for (const effect of replayed.effects) {
      if (effect.type === 'call') this.outbound.set(effect.call, { to: effect.to, request: effect.message });
      if (effect.type === 'call' || effect.type === 'reply' || effect.type === 'serveSnapshot') this.#held.push(effect);
    }
    return { ...replayed, life, line: this.#line, at, event, releasedBefore, releasedAfter: this.#release() };
  }

  #release(): Release[] {
    const leaving = this.#held.filter(({ after }) => after === undefined || after <= this.#durable);
    this.#held = this.#held.filter((effect) => !leaving.includes(effect));
    return leaving.map((effect): Release => {
      if (effect.type === 'call') return { to: effect.to, message: effect.message, request: undefined };
      const request = this.#inbound.get(effect.call);
      const message = effect.type === 'serveSnapshot' ? effect.response : effect.message;
      return { to: request === undefined ? NO_NODE : senderOf(request), message, request };
    });
  }
}

/** How many messages of each kind have left and were not taken in yet. */
class InFlight {
  readonly #counts = new Map<string, number>();

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  has(key: string): boolean {
    return (this.#counts.get(key) ?? 0) > 0;
  }

  /** Whether there was one. */
  take(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (count > 0) this.#counts.set(key, count - 1);
    return count > 0;
  }
}

/** All steps of all lives. */
export async function* mergedSteps(lives: readonly RecordedLife[]): AsyncGenerator<MergedStep> {
  const streams = new Map<NodeId, NodeStream>();
  for (const id of new Set(lives.map(({ header }) => header.nodeId))) {
    const own = lives.filter(({ header }) => header.nodeId === id);
    const stream = new NodeStream(
      id,
      own.toSorted((a, b) => a.header.wallTime - b.header.wallTime),
    );
    await stream.advance();
    streams.set(id, stream);
  }
  const inFlight = new InFlight();
  for (;;) {
    const waiting = [...streams.values()].filter(({ head }) => head !== undefined);
    waiting.sort((a, b) => (a.head as Head).at - (b.head as Head).at);
    // Where nobody's turn has come, a message was recorded by its receiver alone: then the clocks decide.
    const stream = waiting.find((each) => hasCome(streams, inFlight, each)) ?? waiting[0];
    if (stream === undefined) return;
    const head = stream.head as Head;
    const awaited = awaitedBy(stream, head);
    const isUntold = awaited !== undefined && streams.has(awaited.from) && !inFlight.take(awaited.key);
    const merged = { ...stream.take(head), unrecordedSender: isUntold ? awaited.from : undefined };
    const from = merged.life.header.nodeId;
    for (const { to, message, request } of [...merged.releasedBefore, ...merged.releasedAfter]) {
      const isRequest = request === undefined;
      inFlight.add(isRequest ? requestKey(to, message as RaftRequest) : responseKey(from, to, message as RaftResponse));
    }
    yield merged;
    await stream.advance();
  }
}

function hasCome(streams: ReadonlyMap<NodeId, NodeStream>, inFlight: InFlight, stream: NodeStream): boolean {
  const awaited = awaitedBy(stream, stream.head as Head);
  if (awaited === undefined) return true;
  const sender = streams.get(awaited.from)?.head;
  if (sender === undefined || inFlight.has(awaited.key)) return true;
  // Of a life of the sender that was not recorded: those that were are over, or begin much later.
  return sender.step.event.type === 'start' && sender.at > (stream.head as Head).at + MAX_SKEW_MS;
}

/** The message that the step takes in. */
function awaitedBy(stream: NodeStream, { step: { event } }: Head): { key: string; from: NodeId } | undefined {
  const { nodeId } = stream;
  if (event.type === 'request') return { key: requestKey(nodeId, event.message), from: senderOf(event.message) };
  if (event.type !== 'response') return undefined;
  const from = stream.outbound.get(event.call)?.to;
  return from === undefined ? undefined : { key: responseKey(from, nodeId, event.message), from };
}
