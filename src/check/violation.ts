// What a checker answers when a history breaks a property of safety.md §6.

export interface Violation {
  /** Its id there, e.g. `S-D1`. */
  readonly property: string;
  /** One sentence with the facts. */
  readonly detail: string;
}

export function violation(property: string, detail: string): Violation {
  return { property, detail };
}

/** The first violation that a check of the items finds. */
export function firstViolation<T>(
  items: Iterable<T>,
  check: (item: T) => Violation | undefined,
): Violation | undefined {
  for (const item of items) {
    const found = check(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
