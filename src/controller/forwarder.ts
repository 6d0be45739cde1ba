// How the controller's services reach the active controller when that is another node.
import type { Ms, NodeId } from '../base/ids.ts';
import type { Address, RpcMethod, RpcServiceDefinition } from '../env/network.ts';

/** Calls the active controller, wherever it is; RpcError for every failure. client/'s ControllerChannel is one. */
export interface Forwarder {
  /** `repeatable` false: an attempt that may have been carried out is not made again. */
  call<Request, Response>(
    service: RpcServiceDefinition,
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
    options?: { readonly repeatable?: boolean },
  ): Promise<Response>;
  /** The controllers where nobody listens, asked now; silence within `limitMs` is no refusal. */
  refusing(limitMs: Ms): Promise<readonly { readonly id: NodeId; readonly address: Address }[]>;
}
