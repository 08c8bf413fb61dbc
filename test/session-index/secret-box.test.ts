import { describe, expect, it } from 'vitest'
import { openText, sealText } from '../../src/session-index/secret-box.ts'

const SECRET = 'the secret of the server'

describe('a sealed secret', () => {
  it('[SEC4] opens with the same secret in the same context, and says nothing otherwise', async () => {
    const box = await sealText(SECRET, 'acme/helper', 'whsec_ünïcode 👋')
    expect(await openText(SECRET, 'acme/helper', box)).toBe('whsec_ünïcode 👋')
    expect(await openText('another secret', 'acme/helper', box)).toBeNull()
    expect(await openText(SECRET, 'acme/other', box)).toBeNull()
    expect(await openText('', 'acme/helper', box)).toBeNull()
    expect(atob(box.slice(3))).not.toContain('whsec_')
  })

  it('[SEC4] is sealed anew every time, so that equal secrets do not look equal', async () => {
    const boxes = await Promise.all(Array.from({ length: 20 }, () => sealText(SECRET, 'c', 'the same')))
    expect(new Set(boxes).size).toBe(20)
    expect(new Set(boxes.map((box) => box.slice(0, 19))).size).toBe(20)
  })

  it('[SEC4] does not open when a single character was changed, or cut off', async () => {
    // Eight bytes and a tag of sixteen: base64 without padding, so that every bit of every character counts.
    const box = await sealText(SECRET, 'c', 'the text')
    for (let place = 0; place < box.length; place++) {
      const other = box[place] === 'A' ? 'B' : 'A'
      expect(await openText(SECRET, 'c', box.slice(0, place) + other + box.slice(place + 1)), String(place)).toBeNull()
    }
    for (const broken of ['', 'v1.', 'v1.AAAA', box.slice(0, -4), box.slice(3), 'v1.#####'])
      expect(await openText(SECRET, 'c', broken), broken).toBeNull()
  })

  it('[SEC4] is refused to a server without a secret of its own', async () => {
    await expect(sealText('', 'c', 'a text')).rejects.toThrow('DORMOUSE_SECRET')
  })
})
