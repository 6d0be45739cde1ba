// What the hardware and Node can do, as a process: length-prefixed frames come over TCP, get a CRC, go to a file, and are
// answered with four bytes, and that is all. `raw-broker.ts <file> async|sync`; prints its port. A request of eight bytes
// (int32 position, int32 length) is answered with so many bytes of the file, a frame of four bytes empties the file.
// With `sync` frames are answered once they are on the disk; one fdatasync serves all that came meanwhile.
import * as fs from 'node:fs';
import * as net from 'node:net';
import { crc32c } from '@node-rs/crc32';

const [file = '', mode = 'async'] = process.argv.slice(2);
const fd = fs.openSync(file, 'w+');
let end = 0;
/** Keeps the CRC from being for nothing. */
let checksum = 0;

const ANSWER = Buffer.alloc(4);
const receiveBuffer: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
const MAX_FRAME_BYTES = 2 * 1024 * 1024;

/** Frames written and not yet synced. */
let unsynced: net.Socket[] = [];
let syncing = false;

function sync(): void {
  if (syncing || unsynced.length === 0) return;
  syncing = true;
  const waiting = unsynced;
  unsynced = [];
  fs.fdatasync(fd, (error) => {
    if (error !== null) throw error;
    syncing = false;
    for (const socket of waiting) socket.write(ANSWER);
    sync();
  });
}

/** Memory for what is read, used again: the piece that was used last is still in the caches. */
const pages: Buffer[] = [];

/**
 * Processors copy several times slower where the target lies just behind the source modulo 4096, as with reads at whole pages into
 * memory that malloc returned: half a page away from that.
 */
const PAGE_START = 2048;

function sendPage(socket: net.Socket, position: number, length: number): void {
  const page = pages.pop() ?? Buffer.allocUnsafeSlow(PAGE_START + MAX_FRAME_BYTES);
  const count = fs.readSync(fd, page, PAGE_START, length, position);
  const size = Buffer.alloc(4);
  size.writeInt32BE(count, 0);
  socket.cork();
  socket.write(size);
  socket.write(page.subarray(PAGE_START, PAGE_START + count), () => pages.push(page));
  socket.uncork();
}

function serve(socket: net.Socket, frame: Buffer): void {
  if (frame.length === 8) return sendPage(socket, frame.readInt32BE(0), frame.readInt32BE(4));
  if (frame.length === 4) {
    fs.ftruncateSync(fd, 0);
    end = 0;
  } else {
    checksum ^= crc32c(frame);
    end += fs.writeSync(fd, frame, 0, frame.length, end);
  }
  if (mode === 'async') socket.write(ANSWER);
  else {
    unsynced.push(socket);
    sync();
  }
}

class FrameAssembler {
  readonly #frame = Buffer.alloc(4 + MAX_FRAME_BYTES);
  #filled = 0;

  receive(socket: net.Socket, count: number): void {
    for (let at = 0; at < count; ) {
      const wanted = this.#filled < 4 ? 4 : 4 + this.#frame.readInt32BE(0);
      const taken = Math.min(wanted - this.#filled, count - at);
      receiveBuffer.copy(this.#frame, this.#filled, at, at + taken);
      this.#filled += taken;
      at += taken;
      if (this.#filled < 4 || this.#filled < 4 + this.#frame.readInt32BE(0)) continue;
      const size = this.#filled;
      this.#filled = 0;
      serve(socket, this.#frame.subarray(4, size));
    }
  }
}

const server = net.createServer({ pauseOnConnect: true, noDelay: true }, (accepted) => {
  // The fastest way to receive in Node: the accepted handle in a socket that reads into one static buffer.
  const owner = accepted as net.Socket & { _handle: object | null };
  const handle = owner._handle;
  owner._handle = null;
  accepted.destroy();
  const assembler = new FrameAssembler();
  const socket: net.Socket = new net.Socket({
    handle,
    onread: {
      buffer: receiveBuffer,
      callback: (count: number) => {
        assembler.receive(socket, count);
        return true;
      },
    },
  } as net.SocketConstructorOpts);
  socket.on('error', () => socket.destroy());
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as net.AddressInfo).port));
process.on('SIGTERM', () => process.exit(checksum === 0.5 ? 1 : 0));
