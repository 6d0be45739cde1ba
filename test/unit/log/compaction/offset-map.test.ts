// The offset map: the published hash, and what a Map would say as long as there is room.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HASH_KEY_BYTES, KeyHash } from '../../../../src/log/compaction/key-hash.ts';
import { BYTES_PER_KEY, OffsetMap } from '../../../../src/log/compaction/offset-map.ts';

const SECRET = Uint8Array.from({ length: HASH_KEY_BYTES }, (_, i) => i);

describe('KeyHash', () => {
  // The reference implementation's vectors for this key and the messages 00, 01, 02 ...
  it.each([
    [0, 'a3817f04ba25a8e66df67214c7550293'],
    [1, 'da87c1d86b99af44347659119b22fc45'],
    [7, 'a1f1ebbed8dbc153c0b84aa61ff08239'],
    [8, '3b62a9ba6258f5610f83e264f31497b4'],
    [15, '5493e99933b0a8117e08ec0f97cfc3d9'],
    [16, '6ee2a4ca67b054bbfd3315bf85230577'],
    [63, '5150d1772f50834a503e069a973fbd7c'],
  ])('is SipHash-2-4-128: %i bytes', (length, expected) => {
    const hash = new KeyHash(SECRET);
    const bytes = Uint8Array.from({ length: length + 3 }, (_, i) => i - 3);
    hash.hash(bytes, 3, length + 3);
    const words = Int32Array.of(hash.h0, hash.h1, hash.h2, hash.h3);
    expect(Buffer.from(words.buffer).toString('hex')).toBe(expected);
  });

  it('is another one with another secret', () => {
    const words = [SECRET, SECRET.map((byte) => byte ^ 1)].map((secret) => {
      const hash = new KeyHash(secret);
      hash.hash(Buffer.from('key'), 0, 3);
      return hash.h0;
    });
    expect(words[0]).not.toBe(words[1]);
  });
});

describe('OffsetMap', () => {
  it('knows the last offset of each key, up to its capacity', () => {
    const key = fc.integer({ min: 0, max: 40 }).map((n) => Buffer.from(n === 0 ? '' : `key-${n}`));
    fc.assert(
      fc.property(fc.array(key, { maxLength: 120 }), fc.integer({ min: 2, max: 50 }), (keys, slots) => {
        const map = new OffsetMap(slots * BYTES_PER_KEY, 1000, SECRET);
        const model = new Map<string, number>();
        for (const [offset, bytes] of keys.entries()) {
          const fits = model.has(bytes.toString()) || model.size < map.capacity;
          expect(map.put(bytes, 0, bytes.length, offset)).toBe(fits);
          if (fits) model.set(bytes.toString(), offset);
        }
        expect(map.size).toBe(model.size);
        for (const bytes of keys) expect(map.get(bytes, 0, bytes.length)).toBe(model.get(bytes.toString()) ?? -1);
      }),
    );
  });

  it('fills nine tenths of its memory, or less memory if fewer keys are to come', () => {
    expect(new OffsetMap(1000 * BYTES_PER_KEY, 1e9, SECRET).capacity).toBe(900);
    expect(new OffsetMap(1 << 25, 10, SECRET).capacity).toBeGreaterThanOrEqual(10);
    expect(new OffsetMap(1 << 25, 10, SECRET).capacity).toBeLessThan(20);
  });
});
