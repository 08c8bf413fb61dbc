/** Every limit has a number, a name and an error code (rule SEC5). Sizes are bytes of UTF-8 unless the name says otherwise. */
export const limits = {
  titleCharacters: 200,
  instructionsBytes: 64 * 1024,
  metadataBytes: 16 * 1024,
  settingsBytes: 16 * 1024,
  tags: 20,
  tagCharacters: 64,
  nameCharacters: 100,
  queuedTurns: 16,
  inputBytes: 1024 * 1024,
  inputParts: 256,
  amendments: 64,
  sockets: 1000,
  frameBytes: 2 * 1024 * 1024,
  badFramesInARow: 20,
  /** Body of any request but an import: the largest input, escaped in JSON at its worst, and room for the rest. */
  bodyBytes: 8 * 1024 * 1024,
  jsonDepth: 64,
  pageItems: 200,
  defaultPageItems: 50,
  pageBytes: 4 * 1024 * 1024,
  /** Rows that one filtered page may look at before it ends short. */
  pageScan: 1000,
  idempotencyKeyCharacters: 255,
  idempotentCommands: 256,
  waitSeconds: 60,
  tokenSeconds: 2_592_000,
  queueInputCharacters: 500,
  lastMessageCharacters: 200,
  /** JSON of an approval's input that a session's representation shows; the approval itself has all of it. */
  approvalInputCharacters: 4000,
  searchCharacters: 200,
  searchWords: 32,
  /** Distinct terms of one session that the index's full-text search keeps; what comes after them is not found. */
  searchableTerms: 2000,
  /** Bytes that may wait in one socket before its client is cut as too slow (close code 4408). */
  socketBufferBytes: 4 * 1024 * 1024,
  /** Largest message an agent may make: beyond it the turn ends with finish reason `length`. */
  messageBytes: 16 * 1024 * 1024,
  modelCharacters: 200,
  policies: 100,
  /** Calls of one answer; what a model calls beyond them is refused, and told so. Also the most approvals that can be pending. */
  toolCallsPerStep: 32,
  /** Calls in one message, beyond which it ends with finish reason `length`. */
  toolCallsPerMessage: 256,
  /** UTF-8 of the JSON of one call's input. */
  toolInputBytes: 1024 * 1024,
  /** An output above stands as a preview in the log; the whole is kept beside it. */
  inlineOutputBytes: 64 * 1024,
  outputPreviewCharacters: 16 * 1024,
  /** The most that a tool may answer, whatever its own `maxOutputBytes` says. */
  outputBytes: 16 * 1024 * 1024,
  reasonCharacters: 1000,
  /** What an agent has noted of a session. */
  notes: 64,
  noteKeyCharacters: 64,
  noteBytes: 2048,
  agentTools: 64,
  agentBytes: 256 * 1024,
  mcpServers: 16,
  /** Tools that one MCP server may bring; the rest is left out. */
  mcpTools: 128,
} as const

const utf8 = new TextEncoder()

/** Bytes of UTF-8 that the value's JSON takes when stored. */
export function jsonBytes(value: unknown): number {
  return utf8.encode(JSON.stringify(value)).length
}
