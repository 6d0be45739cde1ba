// Which topic names are allowed: Kafka's rules (Topic.validate, Topic.hasCollision).
import type { MetadataImage } from '../../metadata/image.ts';
import { collisionKey } from '../../metadata/image.ts';

const MAX_LENGTH = 249;

/** Why the name is not allowed, undefined if it is. */
export function topicNameError(name: string): string | undefined {
  if (name === '') return 'the topic name is empty';
  if (name === '.' || name === '..') return `'${name}' cannot be a topic name`;
  if (name.length > MAX_LENGTH) return `the topic name has ${name.length} characters; ${MAX_LENGTH} are allowed`;
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `'${name}' cannot be a topic name: only letters, digits, '.', '_' and '-' are allowed`;
  }
  return undefined;
}

/** Names that differ only in '.' against '_' are the same metric name: such a pair is not allowed. */
export class NameCollisions {
  readonly #image: MetadataImage;
  readonly #added = new Map<string, string>();

  constructor(image: MetadataImage) {
    this.#image = image;
  }

  add(name: string): void {
    const key = collisionKey(name);
    if (key !== undefined) this.#added.set(key, name);
  }

  /** A taken name that collides with this one; the name itself does not count. */
  find(name: string): string | undefined {
    const key = collisionKey(name);
    const taken = key === undefined ? undefined : (this.#added.get(key) ?? this.#image.collidingNames.get(key));
    return taken === name ? undefined : taken;
  }
}
