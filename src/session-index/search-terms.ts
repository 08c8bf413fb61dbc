/**
 * What full-text search compares: terms, made here alike from a session's words and from a query's.
 * - Every term begins with its tenant, so that a query, a prefix too, walks only through its own tenant's terms.
 * - A term is `tenant/word`, `tenant#tag` or `tenant^parent`: tags and forks are found by the same lookup as words.
 * - Terms hold nothing that means anything to FTS5's query language; a client's text never gets there as it is.
 */
import { refuse, type Result } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { IndexEntry } from './index-entry.ts'

/** Longer words are cut, in the index and in queries alike. */
const WORD_CHARACTERS = 48

/** Scripts written without spaces: every character is a word, or only the beginnings of sentences could be found. */
const UNSPACED = String.raw`[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]`
const LETTER = String.raw`[\p{L}\p{N}\p{M}]`
const WORD = new RegExp(`[${LETTER}&&${UNSPACED}]|[${LETTER}--${UNSPACED}]+`, 'gv')

/** A session matches when it has every exact term, and one that begins with the prefix. */
export interface SearchMatch {
  exact: string[]
  prefix: string | null
}

/** What a list is narrowed to by lookup; the other filters are tested row by row. */
export interface SearchFilter {
  q: string | null
  tag: string | null
  parent: string | null
}

/** The `terms` column: each term between two spaces, empty when there is nothing to find the session by. */
export function searchableTerms({ tenant, summary, searchText }: IndexEntry): string {
  const terms = new Set(summary.tags.map((tag) => tagTerm(tenant, tag)))
  if (summary.parent) terms.add(parentTerm(tenant, summary.parent.id))
  for (const text of [summary.title, ...summary.tags, searchText]) {
    for (const word of wordsOf(text ?? '')) {
      if (terms.size >= limits.searchableTerms) break
      terms.add(`${tenant}/${word}`)
    }
  }
  return terms.size === 0 ? '' : ` ${[...terms].join(' ')} `
}

/** Null when a query holds no word at all (`***`), which matches nothing. */
export function searchMatch(tenant: string, { q, tag, parent }: SearchFilter): Result<SearchMatch | null> {
  const words = [...wordsOf(q ?? '')]
  if (q !== null && words.length === 0) return { ok: true, value: null }
  if (words.length > limits.searchWords) return refuse('invalid_request', `q may hold ${limits.searchWords} words at most.`)
  const exact = new Set(words.slice(0, -1).map((word) => `${tenant}/${word}`))
  if (tag !== null) exact.add(tagTerm(tenant, tag))
  if (parent !== null) exact.add(parentTerm(tenant, parent))
  const last = words.at(-1)
  return { ok: true, value: { exact: [...exact], prefix: last === undefined ? null : `${tenant}/${last}` } }
}

/** In the query language of FTS5 (https://www.sqlite.org/fts5.html#full_text_query_syntax). */
export function matchExpression({ exact, prefix }: SearchMatch): string {
  const phrases = exact.map((term) => `"${term}"`)
  return [...phrases, ...(prefix === null ? [] : [`"${prefix}"*`])].join(' AND ')
}

/** The same question about one session's `terms`: it matches when the column holds every one of these strings. */
export function matchNeedles({ exact, prefix }: SearchMatch): string[] {
  const whole = exact.map((term) => ` ${term} `)
  return prefix === null ? whole : [...whole, ` ${prefix}`]
}

/** Lower case, without accents, compatibility forms folded: `Ｃafé` and `cafe` are one word. */
function* wordsOf(text: string): Generator<string> {
  const folded = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
  for (const [word] of folded.matchAll(WORD)) yield [...word].slice(0, WORD_CHARACTERS).join('')
}

/** In hexadecimal, since a tag may hold any character and is compared as it is, upper and lower case apart. */
function tagTerm(tenant: string, tag: string): string {
  const bytes = [...new TextEncoder().encode(tag)]
  return `${tenant}#${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

function parentTerm(tenant: string, parentId: string): string {
  return `${tenant}^${parentId.toLowerCase()}`
}
