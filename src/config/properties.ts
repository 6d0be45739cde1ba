// Java's .properties syntax, as server.properties files use it: `key=value`, `key: value` or `key value`, comments with # or !,
// a backslash at the end continues the line, \t \n \r \f \uXXXX and \x for any other x. The last of a duplicate key wins.

/** Keys and values in the order of their last appearance's key; RangeError (one sentence with the line) on a bad \u escape. */
export function parseProperties(content: string): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { line, number } of logicalLines(content)) {
    const { key, value } = splitLine(line);
    entries.set(unescape(key, number), unescape(value, number));
  }
  return entries;
}

/** Joins continued lines, and drops blanks and comments. */
function logicalLines(content: string): { line: string; number: number }[] {
  const lines: { line: string; number: number }[] = [];
  let open: { line: string; number: number } | undefined;
  for (const [index, raw] of content.split(/\r\n|\r|\n/).entries()) {
    const part = raw.replace(/^[ \t\f]+/, '');
    if (open === undefined && (part === '' || part.startsWith('#') || part.startsWith('!'))) continue;
    const trailing = /\\*$/.exec(part)?.[0].length ?? 0;
    const continued = trailing % 2 === 1;
    const piece = continued ? part.slice(0, -1) : part;
    const joined = { line: (open?.line ?? '') + piece, number: open?.number ?? index + 1 };
    if (continued) open = joined;
    else {
      lines.push(joined);
      open = undefined;
    }
  }
  if (open !== undefined) lines.push(open);
  return lines;
}

/** The key ends at the first unescaped '=', ':' or blank. */
function splitLine(line: string): { key: string; value: string } {
  let end = 0;
  while (end < line.length && !/[=:\s]/.test(line[end] as string)) end += line[end] === '\\' ? 2 : 1;
  const key = line.slice(0, end);
  const value = line.slice(end).replace(/^\s*[=:]?\s*/, '');
  return { key, value };
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' };

function unescape(text: string, line: number): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|u|.|$)/gs, (_, escaped: string) => {
    if (escaped === 'u') throw new RangeError(`line ${line}: \\u must be followed by four hexadecimal digits`);
    if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return ESCAPES[escaped] ?? escaped;
  });
}
