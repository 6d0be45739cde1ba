// What the command line hands to each command: the options as commander parsed them.
import type { Asking, Changing, Destroying, FormatOption, ServerOption } from './common-options.ts';

export type ListOptions = Asking;
export type ExplainOptions = Asking;
export type ReplicasOptions = Asking;
export type DeleteOptions = Destroying;
export type UnregisterOptions = Destroying;

export interface CreateOptions extends Changing {
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: readonly string[];
  readonly replicaAssignment?: string;
}

export interface DescribeOptions extends Asking {
  readonly unavailable?: boolean;
  readonly underReplicated?: boolean;
  readonly underMinIsr?: boolean;
}

export interface AddPartitionsOptions extends Changing {
  readonly total?: number;
  readonly replicaAssignment?: string;
}

export interface DeleteRecordsOptions extends Destroying {
  readonly partition: readonly number[];
  readonly before: string;
}

export interface LogDirsOptions extends Asking {
  readonly broker?: readonly number[];
  readonly topic?: readonly string[];
}

export interface LossesOptions extends Asking {
  readonly open?: boolean;
}

export interface ElectOptions extends Destroying {
  readonly type: 'preferred' | 'unclean';
  readonly unclean?: boolean;
  readonly all?: boolean;
}

/** Whose configs. */
export interface WhoseConfigs {
  readonly topic?: readonly string[];
  readonly broker?: readonly number[];
  readonly allBrokers?: boolean;
}

export interface DescribeConfigOptions extends Asking, WhoseConfigs {
  readonly all?: boolean;
}

export interface AlterConfigOptions extends Changing, WhoseConfigs {}

export interface UpgradeOptions extends Changing {
  readonly level?: number;
}

export interface AddVoterOptions extends Changing {
  readonly controller: string;
}

export interface RemoveVoterOptions extends Changing {
  readonly voter: string;
}

export interface RecoverOptions {
  readonly config: string;
  readonly yes?: boolean;
}

export interface ReplayOptions {
  readonly trace?: boolean;
}

export interface TailOptions extends Asking {
  readonly from: string;
  readonly follow?: boolean;
}

export interface DumpOptions extends FormatOption {
  readonly dir: string;
}

export interface LogDumpOptions extends FormatOption {
  readonly records?: boolean;
  readonly decode: 'text' | 'hex' | 'base64';
  readonly check?: boolean;
}

export interface SnapshotOptions extends FormatOption {
  readonly dir?: string;
}

export interface ProduceOptions extends ServerOption {
  readonly key?: string;
  readonly partition?: number;
  readonly header?: readonly string[];
  readonly compression?: string;
}

export interface ConsumeOptions extends ServerOption, FormatOption {
  readonly partition?: number;
  readonly from: string;
  readonly count?: number;
  readonly exit?: boolean;
}

export interface FormatStorageOptions {
  readonly clusterId: string;
  readonly config: string;
}

export interface StartOptions {
  readonly config: string;
}

export interface DevOptions extends FormatOption {
  readonly controllers: number;
  readonly brokers: number;
  readonly dataDir: string;
  readonly ephemeral?: boolean;
  readonly kafkaPort: number;
  readonly controllerPort: number;
  readonly grpcPort: number;
  readonly config?: readonly string[];
  readonly logLevel: string;
}
