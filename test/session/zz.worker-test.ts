import { it, vi } from 'vitest'
import { crash, stubOf } from './object-probe.ts'
import { getSession, newSession, runTurn } from './session-client.ts'
it('x', async () => {
  const id = await newSession()
  for (let i = 0; i < 2; i++) {
  const t0 = Date.now()
  const { turn, messages } = await runTurn(id, '/bytes 16777216')
  console.log(Date.now() - t0, JSON.stringify(turn), messages.length, messages[1]?.parts[0]?.text?.length)
  await crash(stubOf(id))
  console.log('after crash', Date.now() - t0)
  await getSession(id)
  console.log('get', Date.now() - t0)
  }
}, 100000)
