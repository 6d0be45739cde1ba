// Who listens to this node's consensus core: whoever started the node, the recorder of `quorum.record.dir`, both or nobody.
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { CoreTrace } from '../quorum/core-trace.ts';
import { CoreRecorder, tracesOf } from '../quorum/recorder.ts';
import { startErrorOf } from './storage.ts';

export interface OpenTrace {
  readonly trace: CoreTrace | undefined;
  /** After the quorum has stopped. */
  close(): Promise<void>;
}

/** Begins the recording, where one is configured. StartError if its folder cannot be used. */
export async function openTrace(env: Env, config: NodeConfig, hook: CoreTrace | undefined): Promise<OpenTrace> {
  const directory = config.values['quorum.record.dir'];
  if (directory === '') return { trace: hook, close: async () => {} };
  try {
    const recorder = await CoreRecorder.open(env, directory, config.nodeId, config.values['quorum.record.max.bytes']);
    return { trace: tracesOf(hook, recorder), close: () => recorder.close() };
  } catch (error) {
    throw startErrorOf(error, `nothing can be recorded in quorum.record.dir=${directory}`);
  }
}
