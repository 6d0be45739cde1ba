// Commands that name themselves (C-9.1c): of each client the newest one is remembered with its answer, in the image, and so in
// snapshots. Bounded by count and bytes, not by a clock (C-0.5): who was not heard of for longest is forgotten.
import type { CommandRecord } from '../gen/kvorum/v1/metadata.ts';
import type { Draft } from './draft.ts';

/** Clients whose newest command is remembered. */
export const MAX_COMMAND_CLIENTS = 1000;

/** Of all answers that are remembered; the newest one is, whatever its size. */
export const MAX_COMMAND_BYTES = 4_194_304;

export function applyCommand(draft: Draft, { clientId, sequence, method, reply }: CommandRecord): void {
  forget(draft, clientId);
  // A copy: what was decoded is a part of its batch, or of all that came with it, which would stay in memory as long.
  draft.commands = draft.commands.set(clientId, { sequence, method, reply: new Uint8Array(reply) });
  draft.commandBytes += reply.length;
  while (
    draft.commands.size > MAX_COMMAND_CLIENTS ||
    (draft.commandBytes > MAX_COMMAND_BYTES && draft.commands.size > 1)
  ) {
    forget(draft, draft.commands.keySeq().first() ?? '');
  }
}

function forget(draft: Draft, clientId: string): void {
  const known = draft.commands.get(clientId);
  if (known === undefined) return;
  draft.commands = draft.commands.delete(clientId);
  draft.commandBytes -= known.reply.length;
}
