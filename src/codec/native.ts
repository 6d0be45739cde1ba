// Loads native packages when first used, so that a command which compresses nothing starts without them.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A function that loads the package at its first call and remembers it. */
export function lazily<T>(load: (require: NodeJS.Require) => T): () => T {
  let loaded: T | undefined;
  return () => {
    loaded ??= load(require);
    return loaded;
  };
}
