// What the two kinds of transport share: time, links, hosts and the cable of the byte streams.
import type { Scheduler } from '../world/scheduler.ts';
import { Cable } from './cable.ts';
import { Host } from './hosts.ts';
import { Links } from './links.ts';

export class Fabric {
  readonly scheduler: Scheduler;
  readonly links: Links;
  readonly cable: Cable;
  readonly #hosts = new Map<string, Host>();

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
    this.links = new Links(scheduler);
    this.cable = new Cable(scheduler, this.links, (name) => this.host(name));
  }

  host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new Host(name);
      this.#hosts.set(name, host);
    }
    return host;
  }

  hostNames(): string[] {
    return [...this.#hosts.keys()];
  }
}
