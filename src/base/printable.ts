// Text that may hold what a caller sent, for people to read: nothing in it moves a cursor, and it is not long.

/** The longest message; what is longer loses its middle. */
const MAX_LENGTH = 1000;

/** Control characters as `\x1b`; from what is longer than 1000 characters the middle is taken out. */
export function printable(text: string): string {
  const half = MAX_LENGTH / 2;
  const short = text.length <= MAX_LENGTH ? text : `${text.slice(0, half)} […] ${text.slice(-half)}`;
  return short.replaceAll(/(?![\t\n])\p{Cc}/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
