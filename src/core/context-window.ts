/** Which turns stand in the context: see `ContextWindow` in state.ts. Pure bookkeeping of counts; the words stay in the log. */
import type { ContextSpan, ContextWindow } from './state.ts'

/** Up to so many turns the window is exact to the turn. */
export const maxContextSpans = 128

/** What the marker of what was left out may take of the window. */
const omissionMarkerTokens = 32

/** Of all that is kept, and of the marker before it if something was left out. */
export function contextTokens({ spans, omittedMessages }: ContextWindow): number {
  return spans.reduce((sum, span) => sum + span.tokens, markerTokens(omittedMessages))
}

function markerTokens(omittedMessages: number): number {
  return omittedMessages > 0 ? omissionMarkerTokens : 0
}

export function contextMessages(context: ContextWindow): number {
  return context.spans.reduce((sum, span) => sum + span.messages, 0)
}

/** A turn begins: its input opens a new span, and older ones leave until all fit. */
export function openSpan(context: ContextWindow, window: number, fromSeq: number, tokens: number): ContextWindow {
  const trimmed = trim({ ...context, window, spans: [...context.spans, { fromSeq, turns: 1, messages: 1, tokens }] })
  return { ...trimmed, spans: mergeSmallest(trimmed.spans) }
}

/** A message joins the newest turn. */
export function growSpan(context: ContextWindow, tokens: number): ContextWindow {
  const last = context.spans.at(-1)
  if (!last) return context
  const grown = { ...last, messages: last.messages + 1, tokens: last.tokens + tokens }
  return trim({ ...context, spans: [...context.spans.slice(0, -1), grown] })
}

/** Another agent takes more or less. */
export function resizeWindow(context: ContextWindow, window: number): ContextWindow {
  return trim({ ...context, window })
}

/** The newest turn always stays, even when it alone is larger than the window. */
function trim(context: ContextWindow): ContextWindow {
  let { omittedMessages } = context
  let tokens = contextTokens({ ...context, omittedMessages: 0 })
  let first = 0
  while (tokens + markerTokens(omittedMessages) > context.window && first < context.spans.length - 1) {
    const span = context.spans[first++]
    tokens -= span?.tokens ?? 0
    omittedMessages += span?.messages ?? 0
  }
  return first === 0 ? context : { ...context, spans: context.spans.slice(first), omittedMessages }
}

/** Keeps the number of spans bounded: the two neighbours that are smallest together become one; never the newest. */
function mergeSmallest(spans: ContextSpan[]): ContextSpan[] {
  if (spans.length <= maxContextSpans) return spans
  let at = 0
  let smallest = Infinity
  for (let i = 0; i < spans.length - 2; i++) {
    const tokens = (spans[i]?.tokens ?? 0) + (spans[i + 1]?.tokens ?? 0)
    if (tokens < smallest) [smallest, at] = [tokens, i]
  }
  const [left, right] = [spans[at], spans[at + 1]]
  if (!left || !right) return spans
  const merged = {
    fromSeq: left.fromSeq,
    turns: left.turns + right.turns,
    messages: left.messages + right.messages,
    tokens: left.tokens + right.tokens,
  }
  return [...spans.slice(0, at), merged, ...spans.slice(at + 2)]
}
