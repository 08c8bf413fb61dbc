/** Ids carry the seq they belong to, and never meet again within a session. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as v from 'valibot'
import {
  ApprovalIdSchema,
  approvalIdAt,
  encodeBase32,
  ENTROPY_LENGTH,
  entropyOf,
  ID_BYTES,
  idFromBytes,
  MessageIdSchema,
  messageIdAt,
  outputRefAt,
  OutputRefSchema,
  outputSeqOf,
  queuedSeqOf,
  requestedSeqOf,
  SessionIdSchema,
  toolCallIdAt,
  toolMessageIdAt,
  turnIdAt,
  TurnIdSchema,
} from '../../src/protocol/ids.ts'
import { moves } from './arbitraries.ts'
import { sessionAfter } from './play.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const entropy = fc.string({ unit: fc.constantFrom(...alphabet), minLength: ENTROPY_LENGTH, maxLength: ENTROPY_LENGTH })
const seq = fc.integer({ min: 1, max: 32 ** 8 - 1 })
/** A message's id has room for fewer. */
const messageSeq = fc.integer({ min: 1, max: 32 ** 7 - 1 })

describe('ids', () => {
  test('[LOG4] a turn id tells the seq that it was queued at, and its entropy', () => {
    fc.assert(
      fc.property(seq, entropy, (at, random) => {
        const turnId = turnIdAt(at, random)
        expect([queuedSeqOf(turnId), entropyOf(turnId), v.is(TurnIdSchema, turnId)]).toEqual([at, random, true])
      }),
      { numRuns: 500 },
    )
  })

  test('[LOG4] messages of one turn differ by seq or by ordinal', () => {
    fc.assert(
      fc.property(seq, seq, fc.nat(1023), fc.nat(1023), entropy, (a, b, m, n, random) => {
        const ids = [messageIdAt(a, m, turnIdAt(a, random)), messageIdAt(b, n, turnIdAt(a, random))]
        expect(ids.every((id) => v.is(MessageIdSchema, id))).toBe(true)
        expect(ids[0] === ids[1]).toBe(a === b && m === n)
      }),
      { numRuns: 500 },
    )
  })

  test('[LOG4] no two turns, messages, tool calls or approvals of a session share an id, though all turns share their entropy', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const turnIds = driver.eventsOf('turn.queued').map((event) => event.turnId)
        const inputs = driver.eventsOf('turn.started').map((event) => event.messageId)
        const approvalIds = driver.eventsOf('approval.requested').map(({ approval }) => approval.id)
        const parts = driver.eventsOf('message.completed').flatMap(({ message }) => message.parts)
        const callIds = parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCallId] : []))
        const messageIds = [...inputs, ...driver.eventsOf('message.completed').map(({ message }) => message.id)]
        expect(new Set(turnIds).size).toBe(turnIds.length)
        expect(new Set(messageIds).size).toBe(messageIds.length)
        expect(new Set(approvalIds).size).toBe(approvalIds.length)
        expect(new Set(callIds).size).toBe(callIds.length)
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG4] every turn id of a history leads back to its `turn.queued`', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const queued = sessionAfter(history).eventsOf('turn.queued')
        expect(queued.map(({ turnId }) => queuedSeqOf(turnId))).toEqual(queued.map((event) => event.seq))
      }),
      { numRuns: 300 },
    )
  })

  test('[LOG4] an approval id tells the seq that it was requested at; an output ref the message that shows its preview', () => {
    fc.assert(
      fc.property(seq, messageSeq, entropy, (queuedAt, at, random) => {
        const turnId = turnIdAt(queuedAt, random)
        const [approvalId, outputRef] = [approvalIdAt(at, turnId), outputRefAt(at, turnId)]
        expect([requestedSeqOf(approvalId), v.is(ApprovalIdSchema, approvalId)]).toEqual([at, true])
        expect([outputSeqOf(outputRef), v.is(OutputRefSchema, outputRef)]).toEqual([at, true])
        expect(toolMessageIdAt(at, turnId).slice(4)).toBe(outputRef.slice(4))
      }),
      { numRuns: 500 },
    )
  })

  test('[LOG4] calls of tools have ids that every provider takes, different by message and by place', () => {
    fc.assert(
      fc.property(seq, seq, fc.nat(1023), fc.nat(1023), entropy, (a, b, m, n, random) => {
        const turnId = turnIdAt(1, random)
        const ids = [toolCallIdAt(messageIdAt(a, 1, turnId), m), toolCallIdAt(messageIdAt(b, 1, turnId), n)]
        for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9_-]{1,40}$/)
        expect(ids[0] === ids[1]).toBe(a === b && m === n)
      }),
      { numRuns: 500 },
    )
  })

  test('[LOG4] every approval and every large output of a history leads back to its event', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        const requested = driver.eventsOf('approval.requested')
        expect(requested.map(({ approval }) => requestedSeqOf(approval.id))).toEqual(requested.map((event) => event.seq))
        for (const event of driver.eventsOf('message.completed')) {
          const refs = event.message.parts.flatMap((part) => (part.type === 'tool-result' && part.outputRef ? [part.outputRef] : []))
          expect(refs.map(outputSeqOf)).toEqual(refs.map(() => event.seq))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('[TRN5] a message that a recovery voids has an id that no later message takes', () => {
    fc.assert(
      fc.property(moves, (history) => {
        const driver = sessionAfter(history)
        driver.drain()
        const voided = driver.eventsOf('turn.resumed').flatMap(({ supersedes }) => supersedes ?? [])
        const ids = new Set(driver.eventsOf('message.completed').map(({ message }) => message.id))
        expect(voided.filter((id) => ids.has(id))).toEqual([])
        expect(new Set(voided).size).toBe(voided.length)
      }),
      { numRuns: 300 },
    )
  })

  test('[SEC1] random bytes become 26 characters that keep all their 130 bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: ID_BYTES, maxLength: ID_BYTES }), (bytes) => {
        const id = idFromBytes('ses', bytes)
        expect(v.is(SessionIdSchema, id)).toBe(true)
        const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
        const kept = [...id.slice(4)].map((character) => alphabet.indexOf(character).toString(2).padStart(5, '0')).join('')
        expect(kept).toBe(bits.slice(0, 130))
      }),
      { numRuns: 300 },
    )
    expect(encodeBase32(new Uint8Array([255, 255, 255, 255, 255]), 8)).toBe('ZZZZZZZZ')
  })

  test.for([
    'trn_',
    'trn_0123456789ABCDEF0123456789X',
    'ses_0123456789ABCDEF0123456789',
    'trn_0123456789abcdef0123456789',
    'trn_0123456789ABCDEF012345678U',
  ])('[SEC3] a malformed turn id is refused: %s', (id) => expect(v.is(TurnIdSchema, id)).toBe(false))
})
