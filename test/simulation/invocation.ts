/** One call of an agent's `step`, as the agent itself remembers it: what it was given and what it said, or began to say. */
import type { Part } from '../../src/protocol/message.ts'

export interface Said {
  type: 'text' | 'reasoning' | 'tool-call'
  /** Of a call: the JSON of its input. */
  text: string
}

export interface Invocation {
  ordinal: number
  turnId: string
  step: number
  agentVersion: string | null
  /** Ids of the messages it was given, results that were made up for it aside; the steered ones once more. */
  contextIds: string[]
  steeredIds: string[]
  /** Of the restarts the schedule has seen, how many were before it. */
  restartsBefore: number
  /** Consecutive words of one kind are one part; so is each call. */
  said: Said[]
  ending: 'stop' | 'length' | 'steered' | 'tool-calls' | 'failed' | 'threw' | 'returned' | 'stalled' | null
}

export function say(said: Said[], type: 'text' | 'reasoning', text: string): void {
  const last = said.at(-1)
  if (last?.type === type) last.text += text
  else said.push({ type, text })
}

export function saidBy(parts: readonly Part[]): Said[] {
  return parts.map((part) => {
    if (part.type === 'text' || part.type === 'reasoning') return { type: part.type, text: part.text }
    if (part.type !== 'tool-call') throw new Error(`No simulated agent makes a part of type ${part.type}`)
    // While it is being written, the input is its JSON so far.
    return { type: part.type, text: typeof part.input === 'string' ? part.input : JSON.stringify(part.input) }
  })
}

/** Whether `shorter` is how `longer` begins: equal parts, the last of which may be cut, and calls that grow side by side. */
export function isStartOf(shorter: readonly Said[], longer: readonly Said[]): boolean {
  return shorter.every((part, i) => {
    const other = longer[i]
    if (!other || other.type !== part.type) return false
    const mayGrow = i === shorter.length - 1 || part.type === 'tool-call'
    return mayGrow ? other.text.startsWith(part.text) : other.text === part.text
  })
}

/** Of words: a call that is cut while it is written was never made. */
export function lengthOf(said: readonly Said[]): number {
  return said.reduce((sum, part) => sum + (part.type === 'tool-call' ? 0 : part.text.length), 0)
}

/** What is left of what was followed when the calls that were not finished are dropped: `kept` has all that were. */
export function withoutUnfinished(followed: readonly Said[], kept: readonly Said[]): Said[] {
  return followed.filter((part, i) => i < kept.length || part.type !== 'tool-call')
}
