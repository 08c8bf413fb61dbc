import { runInDurableObject, evictDurableObject, runDurableObjectAlarm } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { it } from 'vitest'
import { call, callJson, createSession } from '../edge/edge-client.ts'
const stubOf = (id: string) => env.SESSIONS.getByName(`default/${id}`)
it('evict mid', async () => {
  const { id } = await createSession()
  const r = await call('GET', `/v1/sessions/${id}/socket?after=0`, { headers: { upgrade: 'websocket' } })
  const ws = r.webSocket!
  const t0 = Date.now()
  let n = 0
  ws.addEventListener('message', (m) => { const s = String(m.data); n++; if (!s.includes('"delta"')) console.log(Date.now() - t0, s.slice(0, 150)) })
  ws.addEventListener('close', (m) => console.log(Date.now() - t0, 'closed', m.code))
  ws.accept()
  await runInDurableObject(stubOf(id), (_i, s) => { s.waitUntil = () => {} })
  await callJson<any>('POST', `/v1/sessions/${id}/turns`, { body: { input: '/stream 100 20' } })
  await scheduler.wait(200)
  console.log('evict', Date.now() - t0)
  await evictDurableObject(stubOf(id), { webSockets: 'hibernate' })
  console.log('evicted', Date.now() - t0, n)
  await scheduler.wait(300)
  console.log('alarm', await runDurableObjectAlarm(stubOf(id)), Date.now() - t0)
  await scheduler.wait(3000)
  console.log(n)
  const turns = await callJson<any>('GET', `/v1/sessions/${id}/turns`)
  console.log(JSON.stringify(turns.json.items.map((t: any) => [t.status, t.attempt])))
  await call('POST', `/v1/sessions/${id}/turns/${turns.json.items[0].id}/cancel`, {body: {}})
})
