// A row of the dispatch table: an API and the function that answers it.
import type { ByteReader } from '../base/bytes.ts';
import type { AnyApi, ApiDefinition } from '../protocol/api.ts';
import { encodeResponseFrame } from '../protocol/frame.ts';
import type { BrokerContext, Call } from './context.ts';

/** Answers a request; undefined means that the protocol wants no response (acks=0). */
export type Handler<Req, ResInput> = (
  context: BrokerContext,
  request: Req,
  call: Call,
) => ResInput | undefined | Promise<ResInput | undefined>;

export interface Route {
  readonly api: AnyApi;
  /** Not begun before every earlier request of the connection is answered: the answer may be large, and would have to wait. */
  readonly inTurn: boolean;
  /**
   * Decodes, handles and encodes: the pieces of the response frame, or undefined for none. Work up to the handler's first
   * `await` is done when this returns, so that requests of one connection are started in order.
   */
  answer(
    context: BrokerContext,
    call: Call,
    correlationId: number,
    body: ByteReader,
  ): Promise<Buffer[] | undefined> | Buffer[] | undefined;
}

export function route<Req, Res, ReqInput, ResInput>(
  api: ApiDefinition<Req, Res, ReqInput, ResInput>,
  handler: Handler<Req, ResInput>,
  options: { readonly inTurn?: boolean } = {},
): Route {
  return {
    api: api as unknown as AnyApi, // the table forgets the types that `answer` keeps
    inTurn: options.inTurn ?? false,
    answer(context, call, correlationId, body) {
      const encode = (response: ResInput | undefined): Buffer[] | undefined =>
        response === undefined ? undefined : encodeResponseFrame(api, call.apiVersion, correlationId, response);
      const response = handler(context, api.decodeRequest(call.apiVersion, body), call);
      return response instanceof Promise ? response.then(encode) : encode(response);
    },
  };
}
