// The HTTP listener: probes for supervisors. 200 means yes, 503 not (yet), each with the reason in a line.
import type { HttpAnswer } from '../env/network.ts';

export interface ProbeState {
  /** The node takes part in the cluster. */
  readonly started: boolean;
  /** It serves what it is there for: clients (broker), or the quorum's work with a known leader (controller). */
  readonly ready: boolean;
}

function answer(status: number, line: string): HttpAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${line}\n` };
}

/** `/livez`, `/startupz`, `/readyz`. */
export function answerProbe(path: string, state: ProbeState): HttpAnswer {
  switch (path) {
    case '/livez':
      return answer(200, 'alive');
    case '/startupz':
      return state.started ? answer(200, 'started') : answer(503, 'starting');
    case '/readyz':
      return state.ready ? answer(200, 'ready') : answer(503, state.started ? 'not ready' : 'starting');
    default:
      return answer(404, 'here are /livez, /startupz and /readyz');
  }
}
