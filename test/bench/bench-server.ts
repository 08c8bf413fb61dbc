/** A server under measurement: somewhere to send requests, and processes whose cost can be read. */
export interface BenchServer {
  readonly host: string
  /** A restart may change it. */
  port(): number
  readonly key: string
  /** Ids of its workerd processes. */
  workerds(): number[]
  /** What it has logged since it was first started: one line of JSON for each entry. */
  logText(): string
  /** SIGKILL, and started again on the same state; resolves when it answers. */
  restart(): Promise<void>
  /** Kills it and removes its state. */
  stop(): Promise<void>
}
