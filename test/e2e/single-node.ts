// One process that is a whole cluster, controller and broker, with all its data in one folder.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kvorumOk } from './kvorum.ts';
import { freePorts } from './processes.ts';

export interface SingleNode {
  /** Its configuration. */
  readonly file: string;
  /** Its log.dirs and metadata.log.dir. */
  readonly folder: string;
  readonly bootstrap: string;
  /** For --server. */
  readonly server: string;
}

/** Writes the configuration beside `folder` and formats the folder. */
export async function formatSingleNode(
  parent: string,
  folder: string,
  keys: Readonly<Record<string, string>> = {},
): Promise<SingleNode> {
  const [kafka, controller, grpc] = (await freePorts(3)) as [number, number, number];
  const all = {
    'process.roles': 'controller,broker',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${kafka},CONTROLLER://127.0.0.1:${controller},GRPC://127.0.0.1:${grpc}`,
    'log.dirs': folder,
    'timing.profile': 'dev',
    ...keys,
  };
  const file = join(parent, 'node.properties');
  writeFileSync(
    file,
    Object.entries(all)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const clusterId = (await kvorumOk(['random-id'])).trim();
  await kvorumOk(['format', '--cluster-id', clusterId, '--config', file]);
  return { file, folder, bootstrap: `127.0.0.1:${kafka}`, server: `127.0.0.1:${grpc}` };
}
