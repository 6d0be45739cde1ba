// The load generator's connection: sends ready-made bytes, hands out the frames that come back. As lean as Node allows
// (one static receive buffer, one buffer for the frame under way), since it must not be what is measured.
import * as net from 'node:net';

const RECEIVE_BYTES = 256 * 1024;

export class FrameClient {
  /** Called with each frame that came, without its size; valid during the call. */
  onFrame: (frame: Buffer) => void = () => {};
  /** Called once, when the connection is lost or `onFrame` threw. */
  onFailure: (error: Error) => void = () => {};
  readonly #socket: net.Socket;
  #frame = Buffer.alloc(2 * 1024 * 1024);
  /** Bytes of the frame under way that are there, its size included. */
  #filled = 0;

  private constructor(port: number, connected: () => void, failed: (error: Error) => void) {
    const buffer = Buffer.alloc(RECEIVE_BYTES);
    this.onFailure = failed;
    this.#socket = net.connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: { buffer, callback: (count) => this.#receive(buffer, count) },
    });
    this.#socket.once('connect', connected);
    this.#socket.on('error', (error) => this.onFailure(error));
    this.#socket.on('close', () => this.onFailure(new Error('the connection was closed')));
  }

  static open(port: number): Promise<FrameClient> {
    return new Promise((resolve, reject) => {
      const client: FrameClient = new FrameClient(port, () => resolve(client), reject);
    });
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Sends one request and waits for the next frame, which must be its answer. A copy. */
  call(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.onFailure = reject;
      this.onFrame = (frame) => resolve(Buffer.from(frame));
      this.send(bytes);
    });
  }

  close(): void {
    this.onFailure = () => {};
    this.#socket.destroy();
  }

  #receive(buffer: Buffer, count: number): boolean {
    try {
      for (let at = 0; at < count; ) at += this.#take(buffer, at, count);
    } catch (error) {
      this.onFailure(error as Error);
      this.close();
    }
    return true;
  }

  /** Takes what belongs to the frame under way, which the next four bytes may begin. */
  #take(buffer: Buffer, at: number, end: number): number {
    const wanted = this.#filled < 4 ? 4 : 4 + this.#frame.readInt32BE(0);
    const count = Math.min(wanted - this.#filled, end - at);
    if (wanted > this.#frame.length) {
      const bigger = Buffer.alloc(wanted);
      this.#frame.copy(bigger, 0, 0, this.#filled);
      this.#frame = bigger;
    }
    buffer.copy(this.#frame, this.#filled, at, at + count);
    this.#filled += count;
    if (this.#filled >= 4 && this.#filled === 4 + this.#frame.readInt32BE(0)) {
      const size = this.#filled;
      this.#filled = 0;
      this.onFrame(this.#frame.subarray(4, size));
    }
    return count;
  }
}
