// DescribeLogDirs: every entry of log.dirs, with the sizes of the replicas that are served from it; nothing is opened for that. One
// that is offline is KAFKA_STORAGE_ERROR, without replicas.
import { isEnvError } from '../../env/error.ts';
import type { LogDirectory } from '../../log/log-directory.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  DescribeLogDirsRequest,
  DescribeLogDirsResultInput,
  describeLogDirsApi,
} from '../../protocol/apis/describe-log-dirs.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Partition } from '../../replica/partition.ts';
import type { BrokerContext } from '../context.ts';

/** Whether the replica is asked for. */
type Wanted = (partition: Partition) => boolean;

export async function describeLogDirs(
  context: BrokerContext,
  request: DescribeLogDirsRequest,
): Promise<ResponseInput<typeof describeLogDirsApi>> {
  const { opened, unopened } = context.replicas.logDirs;
  const isWanted = wanted(request);
  const online = await Promise.all(opened.map((directory) => describe(context, directory, isWanted)));
  const byPath = new Map(online.map((result) => [result.logDir, result]));
  for (const { path } of unopened) byPath.set(path, offline(path));
  // In the order of the configuration.
  const paths = context.config.logDirs.filter((path) => byPath.has(path));
  return { errorCode: ErrorCode.NONE, results: paths.map((path) => byPath.get(path) ?? offline(path)) };
}

function wanted({ topics }: DescribeLogDirsRequest): Wanted {
  if (topics === null) return () => true;
  const asked = new Set(topics.flatMap(({ topic, partitions }) => partitions.map((index) => `${topic}-${index}`)));
  return ({ topic, partition }) => asked.has(`${topic}-${partition}`);
}

async function describe(
  { replicas }: BrokerContext,
  directory: LogDirectory,
  isWanted: Wanted,
): Promise<DescribeLogDirsResultInput> {
  const { path, health } = directory;
  if (health.failure !== undefined) return offline(path);
  const space = await directory.space().catch((error: unknown) => {
    if (!isEnvError(error)) throw error;
    return { totalBytes: -1, usableBytes: -1 };
  });
  const topics = new Map<string, DescribeLogDirsResultInput['topics'][number]['partitions'][number][]>();
  for (const partition of replicas.partitionsIn(directory)) {
    if (!isWanted(partition)) continue;
    const { log, highWatermark } = partition;
    const partitions = topics.get(partition.topic) ?? [];
    topics.set(partition.topic, partitions);
    partitions.push({
      partitionIndex: partition.partition,
      partitionSize: log.sizeInBytes,
      offsetLag: Math.max(0, highWatermark - log.logEndOffset),
      isFutureKey: false,
    });
  }
  return {
    errorCode: ErrorCode.NONE,
    logDir: path,
    topics: [...topics].map(([name, partitions]) => ({ name, partitions })),
    ...space,
  };
}

function offline(logDir: string): DescribeLogDirsResultInput {
  return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logDir, topics: [] };
}
