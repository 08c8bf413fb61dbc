/**
 * A WebSocket client that costs little, because it shares the machine's cores with the server it measures; and that
 * counts every byte of its frames (RFC 6455). It takes what our server sends: whole frames, no extensions.
 */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

export interface SocketAddress {
  host: string
  port: number
  path: string
  bearer: string
}

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const
const END_OF_HEAD = '\r\n\r\n'

export class BenchSocket {
  readonly #socket: Socket
  #unread: Buffer = Buffer.alloc(0)
  /** Bytes of frames, their headers included; the handshake is not counted. */
  bytesSent = 0
  bytesReceived = 0
  /** Gets every text frame, in order. */
  onText: (text: string) => void = () => {}
  /** The connection is gone, whoever ended it. */
  onClose: (reason: string) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** `onText` is known before the first frame can arrive. */
  static open(address: SocketAddress, onText: (text: string) => void): Promise<BenchSocket> {
    const socket = connect(address.port, address.host)
    socket.setNoDelay(true)
    const made = new BenchSocket(socket)
    made.onText = onText
    return new Promise((resolve, reject) => {
      socket.once('connect', () => socket.write(handshake(address)))
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('The handshake was cut')))
      readHead(socket, (head, rest) => {
        if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(`The handshake was refused: ${head.split('\r\n')[0]}`))
        made.#listen(rest)
        resolve(made)
      })
    })
  }

  send(text: string): void {
    this.#write(opcodes.text, Buffer.from(text))
  }

  close(): void {
    this.onClose = () => {}
    this.#socket.destroy()
  }

  #listen(rest: Buffer): void {
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes))
    this.#socket.on('close', () => this.onClose('the connection was cut'))
    if (rest.length > 0) this.#take(rest)
  }

  #take(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes])
    for (let frame = readFrame(this.#unread); frame; frame = readFrame(this.#unread)) {
      this.#unread = this.#unread.subarray(frame.size)
      this.bytesReceived += frame.size
      if (frame.opcode === opcodes.text) this.onText(frame.body.toString('utf8'))
      else if (frame.opcode === opcodes.ping) this.#write(opcodes.pong, frame.body)
      else if (frame.opcode === opcodes.close) this.onClose(`closed with ${closeCodeOf(frame.body)}`)
    }
  }

  /** Clients must mask (RFC 6455, 5.3). A mask of zeros changes nothing, and so costs nothing; browsers draw theirs. */
  #write(opcode: number, body: Buffer): void {
    const extended = body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8
    const head = Buffer.alloc(2 + extended + 4)
    head[0] = 0x80 | opcode
    head[1] = 0x80 | (extended === 0 ? body.length : extended === 2 ? 126 : 127)
    if (extended === 2) head.writeUInt16BE(body.length, 2)
    if (extended === 8) head.writeBigUInt64BE(BigInt(body.length), 2)
    this.#socket.write(Buffer.concat([head, body]))
    this.bytesSent += head.length + body.length
  }
}

interface Frame {
  opcode: number
  body: Buffer
  /** Header and body. */
  size: number
}

/** Null: it has not arrived whole. */
function readFrame(bytes: Buffer): Frame | null {
  if (bytes.length < 2) return null
  const short = bytes.readUInt8(1) & 0x7f
  const start = short < 126 ? 2 : short === 126 ? 4 : 10
  if (bytes.length < start) return null
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  const size = start + length
  return bytes.length < size ? null : { opcode: bytes.readUInt8(0) & 0x0f, body: bytes.subarray(start, size), size }
}

function closeCodeOf(body: Buffer): number {
  return body.length >= 2 ? body.readUInt16BE(0) : 1005
}

function handshake({ host, port, path, bearer }: SocketAddress): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Authorization: Bearer ${bearer}${END_OF_HEAD}`,
  ].join('\r\n')
}

function readHead(socket: Socket, done: (head: string, rest: Buffer) => void): void {
  let unread = Buffer.alloc(0)
  const take = (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes])
    const end = unread.indexOf(END_OF_HEAD)
    if (end < 0) return
    socket.off('data', take)
    socket.removeAllListeners('error').on('error', () => {})
    done(unread.subarray(0, end).toString('latin1'), unread.subarray(end + END_OF_HEAD.length))
  }
  socket.on('data', take)
}
