// How far a command has come, on one line of standard error, if that is a terminal.

export interface Progress {
  /** Replaces what was said before. */
  say(text: string): void;
  /** Leaves nothing behind. */
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { say: () => {}, end: () => {} };
  let isShown = false;
  const replace = (text: string): void => {
    if (isShown || text !== '') stream.write(`\r\u001B[K${text}`);
    isShown = text !== '';
  };
  return { say: replace, end: () => replace('') };
}
