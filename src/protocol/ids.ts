/**
 * Ids: a prefix that says what they name, and 26 characters of Crockford base 32 (https://www.crockford.com/base32.html).
 * Clients treat them as opaque. Inside, the id of a turn or of a message carries the seq it belongs to, so that a
 * lookup by id is a read by primary key and needs no index row:
 *
 *   trn_ + 10 characters: seq of its `turn.queued` + 16 characters of entropy
 *   msg_ + 7 characters: a seq + 3 characters: a number within it + the 16 characters of its turn
 *   apr_ + 10 characters: seq of its `approval.requested` + the 16 characters of its turn
 *   out_ + the 26 characters of the tool message whose output it is
 */
import * as v from 'valibot'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const ID_LENGTH = 26
const TURN_SEQ_LENGTH = 10
const MESSAGE_SEQ_LENGTH = 7
const ORDINAL_LENGTH = 3

/** Characters of randomness that the ids of one turn share: 80 bits. */
export const ENTROPY_LENGTH = ID_LENGTH - TURN_SEQ_LENGTH

const idOf = (prefix: string) =>
  v.pipe(
    v.string(),
    v.regex(new RegExp(`^${prefix}_[${ALPHABET}]{${ID_LENGTH}}$`), `must be ${prefix}_ and 26 characters of Crockford base 32`),
  )

export const SessionIdSchema = idOf('ses')
export const TurnIdSchema = idOf('trn')
export const MessageIdSchema = idOf('msg')
export const ApprovalIdSchema = idOf('apr')
export const CompactionIdSchema = idOf('cmp')
export const OutputRefSchema = idOf('out')
export const KeyIdSchema = idOf('key')

/** Position of an event in its session: 1, 2, 3 … without a gap. */
export const SeqSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(1))

/** Integer milliseconds since the Unix epoch. */
export const TimeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** Big-endian Crockford base 32 of bytes, cut to `length` characters. Five bits a character, so 5 bytes give 8. */
export function encodeBase32(bytes: Uint8Array, length: number): string {
  let text = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = ((buffer & 0x1f) << 8) | byte
    bits += 8
    while (bits >= 5 && text.length < length) {
      bits -= 5
      text += ALPHABET[(buffer >> bits) & 31]
    }
    if (text.length === length) break
  }
  return text
}

/** 17 bytes hold the 130 bits of an id's characters. */
export const ID_BYTES = 17

export function idFromBytes(prefix: 'ses' | 'key', bytes: Uint8Array): string {
  return `${prefix}_${encodeBase32(bytes, ID_LENGTH)}`
}

function encodeInteger(value: number, length: number): string {
  let text = ''
  let rest = value
  for (let i = 0; i < length; i++) {
    text = ALPHABET[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}

function decodeInteger(text: string): number {
  let value = 0
  for (const character of text) value = value * 32 + ALPHABET.indexOf(character)
  return value
}

export function turnIdAt(queuedSeq: number, entropy: string): string {
  return `trn_${encodeInteger(queuedSeq, TURN_SEQ_LENGTH)}${entropy}`
}

/** The seq at which a turn of this id must have been queued; whether it was, only the log knows. */
export function queuedSeqOf(turnId: string): number {
  return decodeInteger(turnId.slice(4, 4 + TURN_SEQ_LENGTH))
}

export function entropyOf(turnId: string): string {
  return turnId.slice(4 + TURN_SEQ_LENGTH)
}

/** `seq` is the generation that speaks (or the seq of a steered input), `ordinal` the step within it; 0 is the input. */
export function messageIdAt(seq: number, ordinal: number, turnId: string): string {
  const place = encodeInteger(seq, MESSAGE_SEQ_LENGTH) + encodeInteger(ordinal, ORDINAL_LENGTH)
  return `msg_${place}${entropyOf(turnId)}`
}

export function approvalIdAt(requestedSeq: number, turnId: string): string {
  return `apr_${encodeInteger(requestedSeq, TURN_SEQ_LENGTH)}${entropyOf(turnId)}`
}

/** The seq at which an approval of this id must have been requested; whether it was, only the log knows. */
export function requestedSeqOf(approvalId: string): number {
  return decodeInteger(approvalId.slice(4, 4 + TURN_SEQ_LENGTH))
}

/** The message of a tool's result: `seq` is that of its own `message.completed`. */
export function toolMessageIdAt(seq: number, turnId: string): string {
  return messageIdAt(seq, 1, turnId)
}

/** Names the whole output of the tool message at `seq`. */
export function outputRefAt(seq: number, turnId: string): string {
  return `out_${toolMessageIdAt(seq, turnId).slice(4)}`
}

/** The seq of the message whose output this names. */
export function outputSeqOf(outputRef: string): number {
  return decodeInteger(outputRef.slice(4, 4 + MESSAGE_SEQ_LENGTH))
}

/**
 * Dormouse names tool calls itself, for providers' ids are not unique over a session (some count from 0 in every answer), and
 * a tool receives this id as its idempotency key. Its characters and its length (33) are such that every provider takes it.
 */
export function toolCallIdAt(messageId: string, index: number): string {
  return `call_${messageId.slice(4)}${encodeInteger(index, 2)}`
}

/** The id of the message that stands in a context for what was left out before it; no message of the log has it. */
export function omissionMarkerId(turnId: string): string {
  return messageIdAt(0, 0, turnId)
}
