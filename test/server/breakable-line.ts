/** A wire between a client and the server that can be cut: everything on it is lost at once, without a goodbye to either end. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export class BreakableLine {
  readonly url: string
  readonly #server: Server
  readonly #ends: Set<Socket>

  private constructor(server: Server, ends: Set<Socket>) {
    this.#server = server
    this.#ends = ends
    // Listening on an address and a port, so that this is no path of a Unix socket.
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static open(toUrl: string): Promise<BreakableLine> {
    const ends = new Set<Socket>()
    const server = createServer({ noDelay: true }, (near) => join(near, Number(new URL(toUrl).port), ends))
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(new BreakableLine(server, ends))))
  }

  /** Cuts every connection; new ones go through. */
  cut(): void {
    for (const end of this.#ends) end.resetAndDestroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }
}

function join(near: Socket, port: number, ends: Set<Socket>): void {
  const far = connect({ port, host: '127.0.0.1', noDelay: true })
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    ends.add(from)
    from.on('error', () => {}) // its close follows
    from.once('close', () => {
      ends.delete(from)
      to.destroy()
    })
    from.pipe(to)
  }
}
