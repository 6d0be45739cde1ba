// The Logger port: a constant event name in kebab-case plus facts as fields. `info` is a transition an operator cares about,
// `warn` retrying too long or refusing a peer, `error` needs a human.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}
