// What the command line hands to commands that work on folders and files.

export interface RecoverOptions {
  readonly config: string;
  readonly yes?: boolean;
}

export interface ReplayOptions {
  readonly trace?: boolean;
}
