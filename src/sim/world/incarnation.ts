// One life of a simulated process, from start to crash. Whatever was begun by a dead incarnation never calls back:
// its timers, disk operations and messages are dropped, so its promises stay pending for ever (M-6).

export class Incarnation {
  /** Name of the process, which is its host name too. */
  readonly host: string;
  /** Small number of the process, unique in the world. */
  readonly processId: number;
  /** 1 for the first life of the process. */
  readonly number: number;
  state: 'running' | 'paused' | 'dead' = 'running';

  constructor(host: string, processId: number, number: number) {
    this.host = host;
    this.processId = processId;
    this.number = number;
  }

  get isDead(): boolean {
    return this.state === 'dead';
  }

  /** For messages: `node1#2`. */
  get label(): string {
    return `${this.host}#${this.number}`;
  }
}
