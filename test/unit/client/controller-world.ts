// The channel in a simulated world: controllers are processes that answer as told, are killed and paused, and time is virtual, so
// that how long a caller waits can be said exactly.
import type { ControllerAddress } from '../../../src/client/controller-channel.ts';
import { ControllerChannel } from '../../../src/client/controller-channel.ts';
import type { Clock } from '../../../src/env/clock.ts';
import type { Env } from '../../../src/env/env.ts';
import type { RpcMethod, RpcServiceDefinition, RpcStreamContext, RpcStreamMethod } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition, DescribeQuorumResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';

// A service of one text in and out, without generated code: what the channel carries does not matter to it.
interface Text {
  readonly text: string;
}
const textType = {
  encode: ({ text }: Text) => ({ finish: () => Buffer.from(text) }),
  decode: (bytes: Uint8Array): Text => ({ text: Buffer.from(bytes).toString() }),
};
export const say: RpcMethod<Text, Text> = { name: 'Say', requestType: textType, responseType: textType };
export const listen: RpcStreamMethod<Text, Text> = {
  name: 'Listen',
  requestType: textType,
  responseType: textType,
  responseStream: true,
};
export const talk: RpcServiceDefinition = { fullName: 'kvorum.test.Talk', methods: { say, listen } };

/** `call` counts from 1, `clock` is the controller's. */
export type Answer = (text: string, call: number, clock: Clock) => Promise<string> | string | RpcError;

const echo: Answer = (text) => `${text}!`;

const PORT = 9093;

export class ScriptedController implements ControllerAddress {
  readonly id: number;
  readonly address: { readonly host: string; readonly port: number };
  readonly process: SimProcess;
  /** The epoch that it says it leads; undefined: none. */
  leads: number | undefined;
  /** How many calls of Say reached it. */
  calls = 0;
  /** Streams of Listen that are under way. */
  readonly listeners = new Set<() => void>();
  readonly #answer: Answer;

  constructor(process: SimProcess, id: number, leads: number | undefined, answer: Answer) {
    this.process = process;
    this.id = id;
    this.leads = leads;
    this.address = { host: process.name, port: PORT };
    this.#answer = answer;
  }

  /** Starts its process; resolves when it listens. */
  listens(): Promise<void> {
    return new Promise((resolve) => {
      this.process.start(async (env) => {
        await this.#serve(env);
        resolve();
      });
    });
  }

  async #serve({ network, clock }: Env): Promise<void> {
    const refuse = (): never => {
      throw new RpcError('UNIMPLEMENTED', 'not part of these tests');
    };
    const { methods } = AdminServiceDefinition;
    const admin = Object.fromEntries(Object.keys(methods).map((name) => [name, refuse]));
    await network.serve(this.address, [
      {
        definition: talk,
        handlers: {
          say: ({ text }: Text) => this.#say(text, clock),
          listen: ({ text }: Text, { signal }: RpcStreamContext) => this.#listen(text, signal),
        },
      },
      { definition: AdminServiceDefinition, handlers: { ...admin, describeQuorum: () => this.#describeQuorum() } },
    ]);
  }

  async #say(text: string, clock: Clock): Promise<Text> {
    const call = ++this.calls;
    const said = this.leads === undefined ? notActive() : await this.#answer(text, call, clock);
    if (said instanceof RpcError) throw said;
    return { text: said };
  }

  /** One message, then nothing until it leads no more or nobody listens. */
  async *#listen(text: string, signal: AbortSignal): AsyncGenerator<Text> {
    if (this.leads === undefined) throw notActive();
    yield { text: `${text}!` };
    await new Promise<void>((resolve) => {
      this.listeners.add(resolve);
      signal.addEventListener('abort', () => resolve());
    });
    if (!signal.aborted) throw notActive();
  }

  /** It leads no more: streams end, calls are refused. */
  stepsDown(): void {
    this.leads = undefined;
    for (const end of this.listeners) end();
    this.listeners.clear();
  }

  async #describeQuorum(): Promise<DescribeQuorumResponse> {
    if (this.leads === undefined) throw notActive();
    const nothing = DescribeQuorumResponse.decode(new Uint8Array());
    return { ...nothing, leaderId: this.id, leaderEpoch: this.leads, fromLeader: true };
  }
}

export function notActive(): RpcError {
  return new RpcError('FAILED_PRECONDITION', 'not the active controller, 2 is');
}

/** What a test has at hand, as a client process of the world. */
export interface Bench {
  readonly env: Env;
  /** A controller that listens. */
  readonly controller: (id: number, leads?: number, answer?: Answer) => Promise<ScriptedController>;
  readonly channel: (...controllers: ControllerAddress[]) => ControllerChannel;
}

const LIMIT_MS = 3_600_000;

export async function inWorld(body: (bench: Bench) => Promise<void>): Promise<void> {
  const world = new World({ seed: 1 });
  await world.run('client', LIMIT_MS, async (env) => {
    const controller: Bench['controller'] = async (id, leads, answer = echo) => {
      const made = new ScriptedController(world.process(`controller${id}`), id, leads, answer);
      await made.listens();
      return made;
    };
    await body({ env, controller, channel: (...controllers) => new ControllerChannel(env, controllers) });
  });
}
