// Commands that name themselves (C-9.1c, C-9.2, S-M10): the newest one of a client is remembered with its answer, in the batch of
// its effect. A repetition gets that answer and changes nothing, however often and to whatever controller it comes. Whose
// command was forgotten for those of many other clients is taken for a new one.
import { isUuid, ZERO_UUID } from '../../base/uuid.ts';
import type { RpcMethod } from '../../env/network.ts';
import type { CommandId } from '../../gen/kvorum/v1/admin.ts';
import type { CommandReply, MetadataImage } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Decided, Refusal } from './decision.ts';
import { isRefusal, refuse } from './decision.ts';

/** Of one answer: it goes into the batch beside the command's own records (C-0.6). */
export const MAX_REPLY_BYTES = 2 * 1024 * 1024;

/** Answers that tell from which image on the result can be seen. */
interface Dated {
  readonly metadataEndOffset: number;
}

/** A request that may name itself, or only check. */
interface Nameable {
  readonly command?: CommandId | undefined;
  readonly validateOnly: boolean;
}

/**
 * What `decide` decides, once for each command id; without an id, and below metadata level 2, every time. What `decide` answers may
 * depend on the image after the batch by its end offset alone: the answer is remembered before the batch is applied, and is given
 * again with the end offset of that time. Refusals of the whole call are not remembered.
 */
export function carriedOutOnce<Response extends Dated>(
  image: MetadataImage,
  { command, validateOnly }: Nameable,
  { name, responseType }: Pick<RpcMethod<never, Response>, 'name' | 'responseType'>,
  decide: () => Decided<Response>,
): Decided<Response> {
  if (command === undefined) return decide();
  const malformed = checkId(command);
  if (malformed !== undefined) return malformed;
  // A check has no effect that could come twice, and its answer is not the one of the real call.
  if (validateOnly || image.level < ELR_LEVEL) return decide();
  const { clientId, sequence } = command;
  const known = image.commands.get(clientId);
  if (known !== undefined && sequence <= known.sequence) {
    return (
      checkRepetition(command, name, known) ?? {
        records: [],
        respond: (after) => ({ ...responseType.decode(known.reply), metadataEndOffset: after.endOffset }),
      }
    );
  }
  const decided = decide();
  if (isRefusal(decided)) return decided;
  const reply = responseType.encode(decided.respond(image)).finish();
  if (reply.length > MAX_REPLY_BYTES) {
    return refuse(
      'INVALID_ARGUMENT',
      `the answer to this command has ${reply.length} bytes, and ${MAX_REPLY_BYTES} are remembered at most: use several commands`,
    );
  }
  const record = metadataRecord({ $case: 'command', command: { clientId, sequence, method: name, reply } });
  return { records: [...decided.records, record], respond: decided.respond };
}

function checkId({ clientId, sequence }: CommandId): Refusal | undefined {
  if (!isUuid(clientId) || clientId === ZERO_UUID) {
    const shown = clientId.slice(0, 50);
    return refuse(
      'INVALID_ARGUMENT',
      `command.client_id '${shown}' is not a UUID: 22 characters of base64url, not all A`,
      'INVALID_command.client_id',
    );
  }
  if (Number.isSafeInteger(sequence) && sequence >= 1) return undefined;
  const message = `command.sequence is ${sequence}: it begins at 1`;
  return refuse('INVALID_ARGUMENT', message, 'INVALID_command.sequence');
}

function checkRepetition({ clientId, sequence }: CommandId, method: string, known: CommandReply): Refusal | undefined {
  if (sequence < known.sequence) {
    return refuse(
      'ABORTED',
      `command ${sequence} of client ${clientId} comes after its command ${known.sequence}: nothing was done now, ` +
        'and what the earlier one did is not known any more',
      'STALE_COMMAND',
    );
  }
  if (method === known.method) return undefined;
  return refuse(
    'INVALID_ARGUMENT',
    `command ${sequence} of client ${clientId} was ${known.method}, and this is ${method}: give each command a higher sequence`,
    'INVALID_command.sequence',
  );
}
