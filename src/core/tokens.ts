/** Tokens are estimated at four characters each, rounded up by message, until a provider tells better. */
import type { Part } from '../protocol/message.ts'

const CHARACTERS_PER_TOKEN = 4

export function estimateTokens(parts: readonly Part[]): number {
  let characters = 0
  for (const part of parts) characters += charactersOf(part)
  return Math.max(1, Math.ceil(characters / CHARACTERS_PER_TOKEN))
}

function charactersOf(part: Part): number {
  switch (part.type) {
    case 'text':
    case 'reasoning':
      return part.text.length
    case 'file':
      return (part.url ?? part.data ?? '').length
    case 'tool-call':
      return JSON.stringify(part.input ?? null).length
    case 'tool-result':
      return JSON.stringify(part.output ?? null).length
  }
}
