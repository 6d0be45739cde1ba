// Looks for the active controller: asks all controllers at once, and again after a pause, one search for all who wait. Learns on
// the way which of them are there, and so whether there can be an active one at all: that takes a majority.
import type { Epoch, Ms, NodeId } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { sleep } from '../env/clock.ts';
import type { Address, RpcClient } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import type { DescribeQuorumResponse } from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../gen/kvorum/v1/admin.ts';
import { backoffMs } from './backoff.ts';

/** A controller to ask; `id` is -1 where only its address is known. */
export interface ControllerPeer {
  readonly id: NodeId;
  readonly address: Address;
  readonly client: RpcClient;
}

/** An election takes a few hundred milliseconds: so long the rounds follow each other quickly, then at growing intervals. */
const ROUND_BACKOFF = { baseMs: 25, maxMs: 250 };
const QUICK_ROUNDS = 20;
/** A controller that has not answered for so long is silent. */
const PROBE_TIMEOUT_MS: Ms = 1000;
/** A round waits so long for those who do not answer. */
const ROUND_MS: Ms = 250;
/** After one says that it leads, the others may still say in this time that they lead a later epoch. */
const GRACE_MS: Ms = 20;
/** A majority is gone when too many have refused connections for so long (one that restarts does for a moment), … */
const REFUSED_PATIENCE_MS: Ms = 400;
/** … or when too many have been refusing or silent for so long. */
const SILENT_PATIENCE_MS: Ms = 1500;
/** What was seen is still believed in a search that follows the one before so soon. */
const MEMORY_MS: Ms = 1000;

/** Better said than by the transport. */
const WORDS: Partial<Record<Sighting['state'], string>> = { refused: 'cannot be reached', silent: 'no answer' };

interface Sighting {
  state: 'unknown' | 'answers' | 'refused' | 'silent';
  /** When it began to refuse or to be silent. */
  since: Ms;
  /** Its last words, or those of the transport. */
  said: string;
  /** The round in which it said last that it leads, and the epoch. */
  leadsInRound: number;
  epoch: Epoch;
  isAsked: boolean;
}

interface Waiter {
  readonly isPatient: boolean;
  readonly resolve: (result: SearchResult) => void;
}

/** Index of the peer that leads. `no majority`: there can be none now. `late`: not found in time, or closed. */
export type SearchResult = number | 'no majority' | 'late';

export class ControllerSearch {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #peers: readonly ControllerPeer[];
  #sightings: Sighting[];
  readonly #waiters = new Set<Waiter>();
  #isRunning = false;
  #isClosed = false;
  #round = 0;
  #lastRoundAt: Ms = Number.NEGATIVE_INFINITY;
  /** Told of each answer. */
  #heard: () => void = () => {};

  constructor(deps: { readonly clock: Clock; readonly random: Random }, peers: readonly ControllerPeer[]) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#peers = peers;
    this.#sightings = peers.map(unseen);
  }

  /** Who leads, asked now. Who is not patient is told as soon as that cannot be anybody. */
  find(limitMs: Ms, isPatient: boolean): Promise<SearchResult> {
    if (this.#isClosed) return Promise.resolve('late');
    return new Promise((resolve) => {
      const settle = (result: SearchResult): void => {
        timer.cancel();
        this.#waiters.delete(waiter);
        resolve(result);
      };
      const waiter: Waiter = { isPatient, resolve: settle };
      const timer: Timer = this.#clock.schedule(Math.max(0, limitMs), () => settle('late'));
      this.#waiters.add(waiter);
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Those where nobody listens, asked now; each is given `limitMs` to answer, and silence is no refusal. */
  async refusing(limitMs: Ms): Promise<ControllerPeer[]> {
    const refuses = async (peer: ControllerPeer): Promise<ControllerPeer[]> => {
      const answer = await ask(peer, limitMs);
      return stateOf(answer) === 'refused' && !this.#isClosed ? [peer] : [];
    };
    return (await Promise.all(this.#peers.map(refuses))).flat();
  }

  /** `1 of 3 controllers answers`, and what is known of each. */
  describe(): string {
    const answering = this.#sightings.filter(({ state }) => state === 'answers').length;
    const each = this.#peers.map(({ id, address }, i) => {
      const name = id < 0 ? 'controller' : `controller ${id}`;
      const { state, said } = this.#sightings[i] ?? unseen();
      return `${name} at ${address.host}:${address.port}: ${state === 'unknown' && said === '' ? 'not asked' : said}`;
    });
    const verb = answering === 1 ? 'answers' : 'answer';
    return `${answering} of ${this.#peers.length} controllers ${verb} (${each.join('; ')})`;
  }

  /** Ends the search: who waits is told that it is late. */
  close(): void {
    this.#isClosed = true;
    for (const waiter of [...this.#waiters]) waiter.resolve('late');
    this.#heard();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    if (this.#clock.now() - this.#lastRoundAt > MEMORY_MS) this.#sightings = this.#peers.map(unseen);
    for (let round = 1; this.#waiters.size > 0 && !this.#isClosed; round++) {
      await this.#askAll();
      this.#lastRoundAt = this.#clock.now();
      const leader = this.#leader();
      if (leader !== undefined) {
        for (const waiter of [...this.#waiters]) waiter.resolve(leader);
        break;
      }
      const verdictInMs = this.#verdictAt() - this.#clock.now();
      if (verdictInMs <= 0) {
        for (const waiter of [...this.#waiters]) if (!waiter.isPatient) waiter.resolve('no majority');
      }
      const pauseMs = backoffMs(this.#random, 'client.controller', Math.max(1, round - QUICK_ROUNDS), ROUND_BACKOFF);
      await sleep(this.#clock, verdictInMs > 0 ? Math.min(pauseMs, verdictInMs) : pauseMs);
    }
    this.#isRunning = false;
  }

  /** One round: resolves when all who were asked in it have answered, or when waiting for the rest is not worth while. */
  #askAll(): Promise<void> {
    const round = ++this.#round;
    const asked: Sighting[] = [];
    for (const [i, peer] of this.#peers.entries()) {
      const sighting = this.#sightings[i];
      // Whoever still owes an answer is not waited for again.
      if (sighting === undefined || sighting.isAsked) continue;
      asked.push(sighting);
      void this.#look(peer, sighting);
    }
    return new Promise((resolve) => {
      const end = (): void => {
        this.#heard = () => {};
        timer.cancel();
        resolve();
      };
      let timer = this.#clock.schedule(ROUND_MS, end);
      let isGrace = false;
      this.#heard = () => {
        if (this.#isClosed || asked.every(({ isAsked }) => !isAsked)) return end();
        if (isGrace || !this.#sightings.some(({ leadsInRound }) => leadsInRound === round)) return;
        isGrace = true;
        timer.cancel();
        timer = this.#clock.schedule(GRACE_MS, end);
      };
    });
  }

  async #look(peer: ControllerPeer, sighting: Sighting): Promise<void> {
    sighting.isAsked = true;
    const answer = await ask(peer, PROBE_TIMEOUT_MS);
    sighting.isAsked = false;
    this.#note(sighting, answer);
    this.#heard();
  }

  #note(sighting: Sighting, answer: Answer): void {
    const state = stateOf(answer);
    if (state !== sighting.state) sighting.since = this.#clock.now();
    sighting.state = state;
    if (answer instanceof RpcError) sighting.said = WORDS[state] ?? answer.message;
    else sighting.said = answer.fromLeader ? `leads epoch ${answer.leaderEpoch}` : 'does not lead';
    if (answer instanceof RpcError || !answer.fromLeader) return;
    sighting.leadsInRound = this.#round;
    sighting.epoch = answer.leaderEpoch;
  }

  /** Of those that said in this round that they lead, the one of the latest epoch: an earlier one has been replaced. */
  #leader(): number | undefined {
    let best: number | undefined;
    for (const [i, { leadsInRound, epoch }] of this.#sightings.entries()) {
      if (leadsInRound !== this.#round) continue;
      if (best === undefined || epoch > (this.#sightings[best]?.epoch ?? -1)) best = i;
    }
    return best;
  }

  /** When it can be said that a majority is gone, if nothing changes: infinity while a majority may be there. */
  #verdictAt(): Ms {
    const missing = this.#sightings.filter(({ state }) => state === 'refused' || state === 'silent');
    const spare = this.#peers.length - (Math.floor(this.#peers.length / 2) + 1);
    const decisive = missing.map(({ since }) => since).sort((a, b) => a - b)[spare];
    if (decisive === undefined) return Number.POSITIVE_INFINITY;
    const allRefuse = missing.every(({ state }) => state === 'refused');
    return decisive + (allRefuse ? REFUSED_PATIENCE_MS : SILENT_PATIENCE_MS);
  }
}

function unseen(): Sighting {
  return { state: 'unknown', since: 0, said: '', leadsInRound: -1, epoch: -1, isAsked: false };
}

type Answer = DescribeQuorumResponse | RpcError;

/** How that controller itself sees the quorum. */
async function ask({ client }: ControllerPeer, limitMs: Ms): Promise<Answer> {
  try {
    return await client.call(Admin, Admin.methods.describeQuorum, { forwarded: true }, limitMs);
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
}

function stateOf(answer: Answer): Sighting['state'] {
  if (!(answer instanceof RpcError)) return 'answers';
  if (answer.transport === 'refused') return 'refused';
  // A connection that broke is made again; what then happens tells more.
  if (answer.transport === 'broken') return 'unknown';
  return answer.status === 'DEADLINE_EXCEEDED' ? 'silent' : 'answers';
}
