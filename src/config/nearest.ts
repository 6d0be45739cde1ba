// The nearest right name for a wrong one, for error messages.

/** Edits (insert, delete, replace) from a to b. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replace, (previous[j] as number) + 1, (current[j - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[b.length] as number;
}

/** The end of a sentence about a wrong name: the closest of `names` (the first of equals), or nothing where none resembles it. */
export function nearestHint(name: string, names: Iterable<string>): string {
  const wrong = name.slice(0, 100).toLowerCase(); // longer than any right one
  let best = '';
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of names) {
    const edits = distance(wrong, candidate);
    if (edits < bestDistance) {
      best = candidate;
      bestDistance = edits;
    }
  }
  return bestDistance * 2 <= best.length ? `; the nearest is ${best}` : '';
}
