/** What a provider says in an error, made fit to be shown: found in the body, without secrets, on one line, and short. */
import { scrub } from './scrub.ts'

const maxWords = 300

/** Scrubbed before it is cut: half a secret is one too. */
export function shownWords(words: string, secrets: readonly string[]): string {
  const plain = scrub(words, secrets).replaceAll(/\s+/g, ' ').trim()
  // A proxy's page is of no use in a sentence.
  if (plain.startsWith('<')) return ''
  return plain.length > maxWords ? `${plain.slice(0, maxWords).toWellFormed()}…` : plain
}

/** Of `{error: {message}}`, `{error}`, `{message}` or `{detail}`; any other body is its own words. */
export function wordsInBody(body: string): string {
  try {
    return sentenceIn(JSON.parse(body)) ?? body
  } catch {
    return body
  }
}

function sentenceIn(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null
  const { error, message, detail } = value as Record<'error' | 'message' | 'detail', unknown>
  return sentenceIn(error) ?? [error, message, detail].find((words) => typeof words === 'string') ?? null
}
