/**
 * Random histories of a session, as lists of moves. A move says what is asked without naming ids or seqs, for those exist
 * only once the moves before it were played: `SessionDriver` turns it into the command that it means at that moment.
 * Every word that a move brings in begins with `BODY_MARK`, so that a body can be told wherever it turns up.
 */
import * as fc from 'fast-check'
import type { By } from '../../src/protocol/by.ts'
import type { ToolOutcome } from '../../src/core/command.ts'
import type { ApprovalDecision } from '../../src/protocol/approval.ts'
import type { Profile } from '../../src/protocol/event.ts'
import type { InputPart, Part } from '../../src/protocol/message.ts'
import type { Budgets } from '../../src/protocol/policy.ts'
import type { Recovery, TurnSource, WhenBusy } from '../../src/protocol/turn.ts'

/** A tool call of a step, and what is to become of it. Its id exists only once it is known which step makes it. */
export interface CallWish {
  toolName: string
  input: string
  verdict: 'run' | 'ask' | 'refuse'
  idempotent: boolean
  expiresInMs: number
}

/** What is wanted; `pick` chooses among the turns, calls or approvals that qualify. */
export type Wish =
  | { type: 'create' }
  | { type: 'submit'; by: By; source: TurnSource; whenBusy: WhenBusy; input: InputPart[]; entropy: string }
  | { type: 'cancel'; by: By; target: 'active' | 'queued' | 'old' | 'unknown'; pick: number }
  /** `window`: the patch names an agent with a window of so many tokens. */
  | { type: 'update'; by: By; patch: Profile; window: number | null }
  | { type: 'revokeTokens'; by: By }
  /** `staleBy`: how far the generation is off; 0: it is the one that may speak. */
  | { type: 'finishStep'; parts: Part[]; calls: CallWish[]; final: boolean; budgets: Budgets; staleBy: number }
  | { type: 'finishTool'; target: 'started' | 'any' | 'unknown'; pick: number; outcome: ToolOutcome; staleBy: number }
  | {
      type: 'answer'
      by: By
      target: 'pending' | 'old' | 'unknown'
      pick: number
      decision: ApprovalDecision
      scope: 'once' | 'session'
      reason: string | null
    }
  | { type: 'expire' }
  | { type: 'retry' | 'stop' | 'fail'; staleBy: number }
  | { type: 'recover' }

export interface Move {
  wish: Wish
  /** Negative: the clock jumps back. */
  elapsedMs: number
  /** What the current step has streamed by now. */
  said: Part[] | null
  /** Of the agent that a turn which starts by this move will have. */
  recovery: Recovery
  /** How many events passed between the moment a step could begin and the moment it read its context. */
  readDelay: number
}

export const BODY_MARK = '¶'

export const entropy = fc.constantFrom('0000000000000000', 'ZZZZZZZZZZZZZZZZ')

export const bys: [By, By, By] = [
  { kind: 'key', id: 'key_a' },
  { kind: 'key', id: 'key_b', name: 'Ada' },
  { kind: 'token', id: 'key_a' },
]
const by = fc.constantFrom(...bys)

const text = fc.tuple(fc.nat(), fc.nat(120)).map(([word, length]) => `${BODY_MARK}${word}`.padEnd(length, '.'))
const textPart = text.map((words): InputPart => ({ type: 'text', text: words }))
const filePart = text.map((words): InputPart => ({ type: 'file', mediaType: 'text/plain', url: `https://files.test/${words}` }))

const input = fc.oneof({ weight: 4, arbitrary: fc.tuple(textPart) }, { weight: 1, arbitrary: fc.tuple(textPart, filePart) })

const spoken: fc.Arbitrary<Part[]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(textPart) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      text.map((words): Part => ({ type: 'reasoning', text: words })),
      textPart,
    ),
  },
)

const whenBusy = fc.constantFrom<WhenBusy>('enqueue', 'enqueue', 'reject', 'interrupt', 'steer', 'steer', 'collect')
const source = fc.constantFrom<TurnSource>('api', 'socket')
const staleBy = fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(-3, -1, 1) })

const window = fc.integer({ min: 20, max: 400 })

const call: fc.Arbitrary<CallWish> = fc.record({
  toolName: fc.constantFrom('look', 'pay', 'send'),
  input: text,
  verdict: fc.constantFrom('run' as const, 'run' as const, 'ask' as const, 'ask' as const, 'refuse' as const),
  idempotent: fc.boolean(),
  expiresInMs: fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 30_000 })),
})
const calls = fc.oneof(
  { weight: 3, arbitrary: fc.array(call, { maxLength: 0 }) },
  { weight: 4, arbitrary: fc.array(call, { maxLength: 4 }) },
)

/** A key that has been noted, now and then; `text` null forgets. */
const note = fc.record({ key: fc.constantFrom('name', 'place', 'plan'), text: fc.option(text, { freq: 4 }) })
const outcome: fc.Arbitrary<ToolOutcome> = fc.record({
  output: text,
  isError: fc.boolean(),
  notes: fc.oneof({ weight: 2, arbitrary: fc.array(note, { maxLength: 0 }) }, { weight: 1, arbitrary: fc.array(note, { maxLength: 3 }) }),
})
/** Of an output whose whole is kept beside the log. */
const largeOutcome = fc.tuple(outcome, fc.integer({ min: 65_537, max: 16_777_216 })).map(([small, bytes]) => ({ ...small, bytes }))

const budgets: fc.Arbitrary<Budgets> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Budgets>({ steps: 2 }, { steps: 4, tokens: 1000 }, { tokens: 30 }, { seconds: 1 }, { seconds: 3600 }),
  },
)

const patch = fc.record<Profile, never>(
  {
    title: fc.constantFrom('A title', null),
    model: fc.constantFrom('large', null),
    instructions: fc.constantFrom(`${BODY_MARK} Be brief.`, null),
    metadata: fc.constant({ words: BODY_MARK }),
    tags: fc.constantFrom([], ['red'], ['red', 'blue']),
    archived: fc.boolean(),
    settings: fc.constantFrom({}, { retentionDays: 30 }),
  },
  { requiredKeys: [], noNullPrototype: true },
)

const submit = fc.record({ type: fc.constant('submit' as const), by, source, whenBusy, input, entropy })
const finishStep = fc.record({ type: fc.constant('finishStep' as const), parts: spoken, calls, final: fc.boolean(), budgets, staleBy })
const finishTool = fc.record({
  type: fc.constant('finishTool' as const),
  target: fc.constantFrom('started' as const, 'started' as const, 'started' as const, 'any' as const, 'unknown' as const),
  pick: fc.nat(15),
  outcome: fc.oneof({ weight: 6, arbitrary: outcome }, { weight: 1, arbitrary: largeOutcome }),
  staleBy,
})
const answer = fc.record({
  type: fc.constant('answer' as const),
  by,
  target: fc.constantFrom('pending' as const, 'pending' as const, 'pending' as const, 'old' as const, 'unknown' as const),
  pick: fc.nat(15),
  decision: fc.constantFrom<ApprovalDecision>('allow', 'allow', 'deny'),
  scope: fc.constantFrom('once' as const, 'once' as const, 'session' as const),
  reason: fc.option(text),
})
const update = fc.oneof(
  fc.record({ type: fc.constant('update' as const), by, patch, window: fc.constant(null) }),
  fc.record({ type: fc.constant('update' as const), by, patch: patch.map((some) => ({ ...some, agent: 'other' })), window }),
)
const cancel = fc.record({
  type: fc.constant('cancel' as const),
  by,
  target: fc.constantFrom('active' as const, 'queued' as const, 'old' as const, 'unknown' as const),
  pick: fc.nat(15),
})

const wish: fc.Arbitrary<Wish> = fc.oneof(
  { weight: 12, arbitrary: submit },
  { weight: 8, arbitrary: finishStep },
  { weight: 2, arbitrary: cancel },
  { weight: 8, arbitrary: finishTool },
  { weight: 6, arbitrary: answer },
  { weight: 2, arbitrary: fc.constant({ type: 'expire' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom('retry' as const, 'retry' as const, 'stop' as const, 'fail' as const), staleBy }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'recover' as const }) },
  { weight: 1, arbitrary: update },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('revokeTokens' as const), by }) },
  { weight: 1, arbitrary: fc.constant({ type: 'create' as const }) },
)

const elapsedMs = fc.oneof({ weight: 4, arbitrary: fc.nat(5000) }, { weight: 1, arbitrary: fc.integer({ min: -60_000, max: -1 }) })
const nothing: fc.Arbitrary<Part[]> = fc.array(textPart, { maxLength: 0 })
const said = fc.option(fc.oneof({ weight: 9, arbitrary: spoken }, { weight: 1, arbitrary: nothing }), { freq: 3 })
const readDelay = fc.nat(4)
const recovery = fc.constantFrom<Recovery>('resume', 'resume', 'resume', 'interrupt')

export const move: fc.Arbitrary<Move> = fc.record({ wish, elapsedMs, said, recovery, readDelay })

export const moves: fc.Arbitrary<Move[]> = fc.array(move, { maxLength: 50, size: 'max' })

/** Hundreds of turns: bursts of one move again and again, and short turns between them. */
export const longMoves: fc.Arbitrary<Move[]> = fc
  .array(fc.tuple(fc.array(move, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 60 })), {
    minLength: 1,
    maxLength: 12,
    size: 'max',
  })
  .map((bursts) => bursts.flatMap(([burst, times]) => Array.from({ length: times }, () => burst).flat()))
