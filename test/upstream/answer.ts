/**
 * What the upstream is told to answer: one `Answer` for each call of a model, in order. Plain data, since it travels to the
 * upstream's process, and the same for both dialects: what a dialect cannot say is left out of it.
 */
export const dialects = ['openai', 'anthropic'] as const
export type Dialect = (typeof dialects)[number]

export interface Answer {
  /** 200 unless said. Any other is answered at once, with an error body of the dialect. */
  status?: number
  headers?: Record<string, string>
  /** Of an error body. `{key}` stands for the key that the request came with: some providers repeat it. */
  message?: string
  pieces?: Piece[]
  /** In the words of this project, or one that no provider knows. */
  finishReason?: string
  usage?: Partial<Usage>
  /** The body leaves in TCP segments of so many bytes, wherever that cuts; whole events when left out. */
  segmentBytes?: number
}

/** As the session counts them: cached tokens are part of the input, reasoning tokens part of the output. */
export interface Usage {
  inputTokens: number
  outputTokens: number
  cachedTokens: number
  reasoningTokens: number
}

/** What the answer says, one event of its stream each. `call` tells the tool calls of one answer apart, from 0. */
export type Words =
  | { type: 'text'; text: string; times?: number }
  | { type: 'reasoning'; text: string }
  /** Ends a block of reasoning; only one of the dialects signs. */
  | { type: 'signature'; signature: string }
  | { type: 'call'; call: number; name: string }
  | { type: 'call-input'; call: number; text: string }

export type Piece =
  | Words
  /** A text: the upstream's clock as this piece leaves, in milliseconds since 1970 and fractions, as `<1790000000000.123>`. */
  | { type: 'clock' }
  /** The headers and the opening event leave, before any word. */
  | { type: 'open' }
  | { type: 'pause'; ms: number }
  /** Waits until a test lets it go on; for ever, if none does. */
  | { type: 'hold'; gate: string }
  /** Something that is no event of the dialect, as it stands. */
  | { type: 'garbage'; text: string }
  /** A provider that fails in mid-stream says so in an event. */
  | { type: 'failure'; status: number; message: string }
  /** The connection is gone at once, without a goodbye. */
  | { type: 'reset' }
  /** The body ends here, properly, but nothing of the answer's end is said. */
  | { type: 'end' }

/** Every call of `model` from now on, in order. */
export interface Script {
  model: string
  answers: Answer[]
}

/** A script of this name is for the list of models, whose every reading it answers until it is over. */
export const MODEL_LIST = 'models'

export const defaultUsage: Usage = { inputTokens: 20, outputTokens: 10, cachedTokens: 0, reasoningTokens: 0 }

export function isWords(piece: Piece): piece is Words {
  return ['text', 'reasoning', 'signature', 'call', 'call-input'].includes(piece.type)
}

export function says(...texts: string[]): Piece[] {
  return texts.map((text) => ({ type: 'text', text }))
}

export function thinks(signature: string, ...texts: string[]): Piece[] {
  return [...texts.map((text): Piece => ({ type: 'reasoning', text })), { type: 'signature', signature }]
}

/** A whole call; its input is cut into so many pieces. */
export function calls(name: string, input: unknown, { call = 0, pieces = 3 } = {}): Piece[] {
  const json = typeof input === 'string' ? input : JSON.stringify(input)
  const size = Math.max(1, Math.ceil(json.length / pieces))
  const texts = Array.from({ length: Math.ceil(json.length / size) }, (_, index) => json.slice(index * size, (index + 1) * size))
  return [{ type: 'call', call, name }, ...texts.map((text): Piece => ({ type: 'call-input', call, text }))]
}

/** An answer that calls tools, side by side if there are several. */
export function toolCalls(...made: [name: string, input: unknown][]): Answer {
  return { pieces: made.flatMap(([name, input], call) => calls(name, input, { call })), finishReason: 'tool-calls' }
}
