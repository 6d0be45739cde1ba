// A property of safety.md §6 that a run broke. Thrown by checkers, turned into the verdict by the runner.

export class Violation extends Error {
  override name = 'Violation';
  /** The id in safety.md, e.g. `S-R4`. */
  readonly property: string;
  readonly detail: string;

  constructor(property: string, detail: string) {
    super(`${property}: ${detail}`);
    this.property = property;
    this.detail = detail;
  }
}

/** Throws unless `holds`; `detail` is only built when it does not. */
export function check(property: string, holds: boolean, detail: () => string): void {
  if (!holds) throw new Violation(property, detail());
}
