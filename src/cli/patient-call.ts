// A call to one of several servers, repeated as far as that is safe: what only reads may be asked of anybody; a command with a name
// takes effect once however often it is sent (C-9.1c); anything else is sent again only if it was surely not carried out.
import type { Ms } from '../base/ids.ts';
import { RpcError } from '../env/network.ts';
import { StartError } from '../server/start-error.ts';

/** `read`: changes nothing. `named`: carries a CommandId. `unnamed`: changes something, and repeated it would do so again. */
export type CallKind = 'read' | 'named' | 'unnamed';

export interface CallPlan {
  readonly kind: CallKind;
  /** `host:port` of each, at least one; the first is asked first. */
  readonly servers: readonly string[];
  readonly timeoutMs: Ms;
  readonly now: () => Ms;
  readonly wait: (ms: Ms) => Promise<void>;
  /**
   * Of `named`: whether the cluster remembers commands by their names, as the server knows; RpcError if that cannot be asked. Where it
   * does not, nothing is sent twice that may have been carried out.
   */
  readonly remembersNames: (server: string, timeoutMs: Ms) => Promise<boolean>;
  /** Told whenever it goes on after a failure. */
  readonly again?: (failure: RpcError) => void;
}

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 1000;
/** So long a change is tried that no controller has taken on: a failover takes less, and a lost majority stays lost. */
const FAILOVER_MS = 5000;
/** With less time left nothing is sent again. */
const MIN_ATTEMPT_MS = 50;

interface Failure {
  readonly error: RpcError;
  readonly server: string;
}

/** Nothing is sent again. */
class NotRemembered extends Error {}

/** StartError if no server is there; RpcError if the answer is an error, or none came in time. */
export async function callPatiently<T>(
  plan: CallPlan,
  send: (server: string, timeoutMs: Ms) => Promise<T>,
): Promise<T> {
  const { kind, servers } = plan;
  const begunAt = plan.now();
  const deadline = begunAt + plan.timeoutMs;
  const timeout = (): Ms => attemptTimeout(plan, deadline - plan.now());
  /** The last failure after which nobody knows whether it was carried out. */
  let doubt: Failure | undefined;
  /** The last failure that a server has words for. */
  let said: RpcError | undefined;
  let mayRepeat = kind === 'named' ? undefined : kind === 'read';
  let refusedInARow = 0;
  for (let attempt = 0; ; attempt++) {
    const server = servers[attempt % servers.length] ?? '';
    try {
      if (doubt !== undefined) mayRepeat ??= await plan.remembersNames(server, timeout());
      if (doubt !== undefined && mayRepeat === false) throw new NotRemembered();
      return await send(server, timeout());
    } catch (error) {
      if (error instanceof NotRemembered && doubt !== undefined) throw lastWord(plan, doubt, said, true);
      if (!(error instanceof RpcError)) throw error;
      if (isSaid(error)) said = error;
      refusedInARow = error.transport === 'refused' ? refusedInARow + 1 : 0;
      if (kind !== 'read' && isTransient(error) && !surelyUndone(error)) doubt = { error, server };
      const waitMs =
        attempt + 1 < servers.length ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (attempt / servers.length), MAX_WAIT_MS);
      const isLast =
        !isTransient(error) ||
        (kind === 'read' && attempt + 1 >= servers.length) ||
        (kind === 'unnamed' && doubt !== undefined) ||
        (doubt === undefined && refusedInARow >= servers.length) ||
        (kind !== 'read' && doubt === undefined && plan.now() + waitMs >= begunAt + FAILOVER_MS) ||
        plan.now() + waitMs + MIN_ATTEMPT_MS >= deadline;
      if (isLast) throw lastWord(plan, { error, server }, said, doubt !== undefined);
      plan.again?.(error);
      if (waitMs > 0) await plan.wait(waitMs);
    }
  }
}

/** Whoever hangs is given up for the next server in time for that to answer; but not where nothing could be sent to it. */
function attemptTimeout({ kind, servers }: CallPlan, leftMs: Ms): Ms {
  return servers.length === 1 || kind === 'unnamed' ? leftMs : Math.min(leftMs, Math.max(FIRST_WAIT_MS, leftMs / 2));
}

/** Another server, or the same a moment later, may well answer otherwise. */
function isTransient({ status }: RpcError): boolean {
  return status === 'UNAVAILABLE' || status === 'DEADLINE_EXCEEDED';
}

function surelyUndone({ transport, detail }: RpcError): boolean {
  return transport === 'refused' || detail?.mayTakeEffect === false;
}

/** In words of a server, not of the transport. */
function isSaid({ status, transport, detail }: RpcError): boolean {
  return transport === undefined && (status !== 'DEADLINE_EXCEEDED' || detail !== undefined);
}

/** `said`: what a server said last, which may tell more than how the last attempt ended. */
function lastWord(
  plan: CallPlan,
  { error, server }: Failure,
  said: RpcError | undefined,
  mayHaveTakenEffect: boolean,
): Error {
  const { status, transport, detail } = error;
  if (!mayHaveTakenEffect && transport === 'refused') return nobodyThere(plan.servers, error);
  const saysSo = detail?.mayTakeEffect === true;
  const unknown = mayHaveTakenEffect && isTransient(error) && !saysSo;
  const doubt = unknown ? '; whether it was done is not known: look before you do it again' : '';
  return new RpcError(status, `${inTheEnd(plan, { error, server }, said)}${doubt}`, transport, detail);
}

function inTheEnd({ timeoutMs }: CallPlan, { error, server }: Failure, said: RpcError | undefined): string {
  if (said === undefined || said === error) return reasonOf(error, server);
  if (error.transport === undefined) return `${said.message}; then the ${timeoutMs} ms of --timeout were over`;
  return `${reasonOf(error, server)} (before that: ${said.message})`;
}

/** In terms of the command line where no server said it. */
export function reasonOf(error: RpcError, server: string): string {
  const { status, transport, message } = error;
  if (transport === 'refused') return `nothing answers at ${server} any more`;
  if (transport === 'broken') return `the connection to ${server} broke`;
  if (status === 'UNIMPLEMENTED') return `${server} does not know this command: it runs another version`;
  if (isSaid(error)) return message;
  return `no answer from ${server} in time: see whether it hangs, give more with --timeout, or ask another with --server`;
}

export function nobodyThere(servers: readonly string[], cause: RpcError): StartError {
  return new StartError(
    `nothing answers at ${servers.join(', ')}: start the node, or name another with --server`,
    cause,
  );
}
