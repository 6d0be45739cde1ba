// What commands print: tables for people, JSON for programs.

/** Columns aligned, header first; every row has a cell per column. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `--json`: the message as it came, else the text. */
export function print(json: boolean | undefined, message: unknown, text: () => string): void {
  console.log(json === true ? JSON.stringify(message) : text());
}
