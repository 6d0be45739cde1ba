// What the command line hands to each command: the options as commander parsed them.
import type { ServerOption } from './server-option.ts';

export interface Asking extends ServerOption {
  readonly json?: boolean;
}

export interface AddVoterOptions extends Asking {
  readonly controller: string;
}

export interface RemoveVoterOptions extends Asking {
  readonly voter: string;
}

export interface TailOptions extends Asking {
  readonly from: string;
  readonly follow?: boolean;
}

export interface DumpOptions {
  readonly dir: string;
  readonly json?: boolean;
}

export interface SnapshotOptions {
  readonly dir?: string;
  readonly json?: boolean;
}

export interface CreateOptions extends Asking {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: readonly string[];
  readonly validateOnly?: boolean;
}

export interface DeleteOptions extends Asking {
  readonly yes?: boolean;
}

export interface ProduceOptions extends ServerOption {
  readonly key?: string;
  readonly partition?: number;
  readonly header?: readonly string[];
  readonly compression?: string;
}

export interface ConsumeOptions extends Asking {
  readonly partition?: number;
  readonly from: string;
  readonly count?: number;
  readonly exit?: boolean;
}

export interface FormatOptions {
  readonly clusterId: string;
  readonly config: string;
}

export interface StartOptions {
  readonly config: string;
}

export interface DevOptions {
  readonly controllers: number;
  readonly brokers: number;
  readonly dataDir: string;
  readonly ephemeral?: boolean;
  readonly kafkaPort: number;
  readonly controllerPort: number;
  readonly grpcPort: number;
  readonly config?: readonly string[];
  readonly logLevel: string;
  readonly json?: boolean;
}
