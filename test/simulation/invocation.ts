/** One call of an agent's `step`, as the agent itself remembers it: what it was given and what it said, or began to say. */
import type { Part } from '../../src/protocol/message.ts'

export interface Said {
  type: 'text' | 'reasoning'
  text: string
}

export interface Invocation {
  ordinal: number
  turnId: string
  step: number
  /** Ids of the messages it was given; the steered ones among them once more. */
  contextIds: string[]
  steeredIds: string[]
  /** Of the restarts the schedule has seen, how many were before it. */
  restartsBefore: number
  /** Consecutive words of one kind are one part. */
  said: Said[]
  ending: 'stop' | 'length' | 'steered' | 'failed' | 'threw' | 'returned' | null
}

export function say(said: Said[], type: Said['type'], text: string): void {
  const last = said.at(-1)
  if (last?.type === type) last.text += text
  else said.push({ type, text })
}

export function saidBy(parts: readonly Part[]): Said[] {
  return parts.map((part) => {
    if (part.type === 'text' || part.type === 'reasoning') return { type: part.type, text: part.text }
    throw new Error(`No simulated agent makes a part of type ${part.type}`)
  })
}

/** Whether `shorter` is how `longer` begins: equal parts, the last of which may be cut. */
export function isStartOf(shorter: readonly Said[], longer: readonly Said[]): boolean {
  return shorter.every((part, i) => {
    const other = longer[i]
    if (!other || other.type !== part.type) return false
    return i === shorter.length - 1 ? other.text.startsWith(part.text) : other.text === part.text
  })
}

export function lengthOf(said: readonly Said[]): number {
  return said.reduce((sum, part) => sum + part.text.length, 0)
}
