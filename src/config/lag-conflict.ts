// What must fit together among configs of compaction, as topics, brokers and files name them. Source: LogConfig.validateValues.

type Lag<P extends string> = `${P}min.compaction.lag.ms` | `${P}max.compaction.lag.ms`;

/** Why the two lags cannot be in force together: a sentence that names both; undefined if they can. */
export function lagConflict<P extends '' | 'log.cleaner.'>(
  prefix: P,
  valueOf: (key: Lag<P>) => number,
): string | undefined {
  const least: Lag<P> = `${prefix}min.compaction.lag.ms`;
  const most: Lag<P> = `${prefix}max.compaction.lag.ms`;
  if (valueOf(least) <= valueOf(most)) return undefined;
  return `${least}=${valueOf(least)} must be at most ${most}=${valueOf(most)}`;
}
