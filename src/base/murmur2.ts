// Kafka's default partitioner hash (org.apache.kafka.common.utils.Utils.murmur2), so that a key lands on the same
// partition as with the Java client.

/** Signed 32-bit murmur2 of the bytes, seed 0x9747b28c. */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  let i = 0;
  for (; i + 4 <= data.length; i += 4) {
    let k =
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  const left = data.length - i;
  if (left >= 3) h ^= (data[i + 2] as number) << 16;
  if (left >= 2) h ^= (data[i + 1] as number) << 8;
  if (left >= 1) h = Math.imul(h ^ (data[i] as number), m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

/** The partition (0 .. partitionCount-1) that the Java client chooses for a key. */
export function partitionForKey(key: Uint8Array, partitionCount: number): number {
  return (murmur2(key) & 0x7fffffff) % partitionCount;
}
