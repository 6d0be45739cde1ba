// How the model says that the log broke a property of docs/safety.md: an error that begins with the property's id.

export class Broken extends Error {
  override name = 'Broken';

  constructor(property: string, detail: string) {
    super(`${property}: ${detail}`);
  }
}

export function must(property: string, condition: boolean, detail: () => string): asserts condition {
  if (!condition) throw new Broken(property, detail());
}
