// Kafka's Uuid: 16 bytes, written as 22 characters of base64url. Used for cluster, directory, topic and incarnation ids.

/** Kafka's text form of a 16-byte id, e.g. `4L6g3nShT-eMCtK--X86sw`. */
export type Uuid = string;

/** 16 zero bytes: "no id" on the wire. */
export const ZERO_UUID: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA';

/** As the log dir of a replica: its broker cannot serve it, though its log dirs work (KIP-858). */
export const LOST_DIRECTORY: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ';

export function uuidFromBytes(bytes: Uint8Array, at = 0): Uuid {
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, 16).toString('base64url');
}

/** The 16 bytes of a Uuid; RangeError if the text is not one. */
export function uuidToBytes(uuid: Uuid): Buffer {
  if (!isUuid(uuid)) throw new RangeError(`'${uuid}' is not a 16-byte base64url id`);
  return Buffer.from(uuid, 'base64url');
}

/** Whether the text is a well-formed Uuid. */
export function isUuid(text: string): boolean {
  return /^[A-Za-z0-9_-]{21}[AQgw]$/.test(text);
}
