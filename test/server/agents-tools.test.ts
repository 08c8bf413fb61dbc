/** Tools that people allow, that belong to others, and that misbehave: on each dialect of model providers, with the same events. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Approval } from '../../src/protocol/approval.ts'
import { dialects, says, toolCalls } from '../upstream/answer.ts'
import type { AgentConversation, TurnTold } from './agent-conversation.ts'
import { AgentWorld } from './agent-world.ts'
import { storyOf } from './event-story.ts'
import { EverythingServer } from './everything-server.ts'

const mcpToken = 'token-for-the-mcp-server'

let world: AgentWorld
let everything: EverythingServer

beforeAll(async () => {
  everything = await EverythingServer.start()
  world = await AgentWorld.start([everything.host])
  world.secrets.push(mcpToken)
}, 120_000)

afterAll(async () => {
  everything?.stop()
  await world?.stop()
})

const answered = ['assistant (stop): text', 'turn.completed stop']
const asked = ['assistant (tool-calls): calls note', 'approval.requested note', 'turn.waiting']
const done = { pieces: says('Done.') }

function noting(path: string) {
  return { tools: [world.tool('note', path, { approval: 'policy' })] }
}

function approvalOf(told: TurnTold): Approval {
  const [approval] = told.approvals
  if (!approval) throw new Error('Nobody was asked')
  return approval
}

/** A turn that waits for a person. */
async function askedIn(talk: AgentConversation, input: unknown = { n: 1 }): Promise<{ waiting: TurnTold; approval: Approval }> {
  const waiting = await talk.turn('Note it', toolCalls(['note', input]), done)
  expect(waiting.story).toEqual(asked)
  expect(waiting.turn.status).toBe('waiting')
  return { waiting, approval: approvalOf(waiting) }
}

describe.each(dialects)('%s', (dialect) => {
  test('[APR5] an approval is asked for, allowed over HTTP, and only then the tool runs; a second answer learns who won', async () => {
    const path = `/echo/${dialect}-http`
    const talk = await world.conversation(dialect, { agent: noting(path) })
    const { waiting, approval } = await askedIn(talk)
    expect(world.tools.visitsTo(path)).toEqual([])
    expect(await talk.session()).toMatchObject({ status: 'waiting', pendingApprovals: [{ id: approval.id, input: { n: 1 } }] })
    const allowed = await talk.answer(approval.id, { decision: 'allow' })
    expect(allowed).toMatchObject({ status: 200, body: { id: approval.id, status: 'allowed' } })
    const told = await talk.settled(waiting.turn.id)
    expect(told.story).toEqual([
      ...asked,
      'approval.resolved allowed',
      'turn.resumed approval',
      'tool.started note',
      'tool: note ok',
      ...answered,
    ])
    expect(world.tools.visitsTo(path)).toHaveLength(1)
    expect(await talk.answer(approval.id, { decision: 'allow' })).toMatchObject({ status: 200, body: { status: 'allowed' } })
    expect(await talk.answer(approval.id, { decision: 'deny' })).toMatchObject({
      status: 409,
      body: { code: 'approval_resolved', approval: { status: 'allowed' } },
    })
  })

  test('[APR1] the stream of a turn ends when the turn waits, and tells the rest when it is asked again', async () => {
    const talk = await world.conversation(dialect, { agent: noting('/echo') })
    await talk.script(toolCalls(['note', { n: 1 }]), done)
    const asking = await talk.stream('/turns', { method: 'POST', body: JSON.stringify({ input: 'Note it' }) })
    expect(storyOf(asking)).toEqual(['turn.queued', 'turn.started', ...asked])
    const approval = asking.flatMap((event) => (event.type === 'approval.requested' ? [event.approval] : []))[0]
    await talk.answer(approval?.id ?? '', { decision: 'allow' })
    const rest = await talk.stream(`/turns/${approval?.turnId}`, { headers: { 'last-event-id': String(asking.at(-1)?.seq) } })
    expect(storyOf(rest).slice(-4)).toEqual(['tool.started note', 'tool: note ok', ...answered])
    expect([...asking, ...rest]).toEqual((await talk.events()).slice(1))
  })

  test('[APR2] a denial over a socket is told to the model with its reason, and nothing runs', async () => {
    const path = `/echo/${dialect}-denied`
    const talk = await world.conversation(dialect, { agent: noting(path) })
    const { waiting, approval } = await askedIn(talk)
    const reply = await talk.viewer.command(
      { type: 'approve', approvalId: approval.id, decision: 'deny', reason: 'Not on a Friday.' },
      'deny',
    )
    expect(reply).toMatchObject({ ok: true })
    const told = await talk.settled(waiting.turn.id)
    expect(told.story).toEqual([...asked, 'approval.resolved denied', 'turn.resumed approval', 'tool: note error', ...answered])
    expect(told.outputs).toEqual([expect.stringContaining('Not on a Friday.')])
    expect(JSON.stringify((await talk.calls()).at(-1)?.body)).toContain('Not on a Friday.')
    expect(world.tools.visitsTo(path)).toEqual([])
  })

  test('[TOOL5] what is allowed for the session is not asked again, until that is taken back', async () => {
    const talk = await world.conversation(dialect, { agent: noting('/echo') })
    const { waiting, approval } = await askedIn(talk)
    await talk.answer(approval.id, { decision: 'allow', scope: 'session' })
    expect((await talk.settled(waiting.turn.id)).turn.status).toBe('completed')
    expect((await talk.session()).settings.allow).toEqual(['note'])
    const free = await talk.turn('Once more', toolCalls(['note', { n: 2 }]), done)
    expect(free.story).toEqual(['assistant (tool-calls): calls note', 'tool.started note', 'tool: note ok', ...answered])
    await world.ask('PATCH', talk.path, { settings: {} })
    const again = await askedIn(talk)
    await talk.answer(again.approval.id, { decision: 'deny' })
    expect((await talk.settled(again.waiting.turn.id)).turn.status).toBe('completed')
  })

  test('[APR1] cancelling the turn withdraws what it asked, and the answer comes too late', async () => {
    const talk = await world.conversation(dialect, { agent: noting('/echo') })
    const { waiting, approval } = await askedIn(talk)
    await talk.cancel(waiting.turn.id)
    const told = await talk.settled(waiting.turn.id)
    expect(told.story).toEqual([...asked, 'approval.resolved withdrawn', 'turn.cancelled'])
    expect(await talk.answer(approval.id, { decision: 'allow' })).toMatchObject({ status: 409, body: { code: 'approval_resolved' } })
    expect((await talk.turn('Then not', done)).story).toEqual(answered)
  })

  test('[APR3] nobody answers: that is a no', async () => {
    const talk = await world.conversation(dialect, { agent: { ...noting('/echo'), approvalExpiresInSeconds: 1 } })
    const { waiting, approval } = await askedIn(talk)
    await expect.poll(async () => (await talk.settled(waiting.turn.id)).turn.status, { timeout: 10_000 }).toBe('completed')
    const told = await talk.settled(waiting.turn.id)
    expect(told.story).toEqual([...asked, 'approval.resolved expired', 'turn.resumed approval', 'tool: note error', ...answered])
    expect(await talk.answer(approval.id, { decision: 'allow' })).toMatchObject({ status: 409 })
  })

  test('[APR2] several are asked at once; the turn goes on with each, and ends when the last is answered', async () => {
    const talk = await world.conversation(dialect, { agent: noting('/echo') })
    const waiting = await talk.turn('Note both', toolCalls(['note', { n: 1 }], ['note', { n: 2 }]), done)
    const [first, second] = waiting.approvals
    expect((await talk.session()).pendingApprovals).toHaveLength(2)
    await talk.answer(second?.id ?? '', { decision: 'allow' })
    await expect.poll(async () => (await talk.session()).status).toBe('waiting')
    await talk.answer(first?.id ?? '', { decision: 'deny' })
    const told = await talk.settled(waiting.turn.id)
    expect(told.story).toEqual([
      'assistant (tool-calls): calls note, calls note',
      'approval.requested note',
      'approval.requested note',
      'turn.waiting',
      'approval.resolved allowed',
      'turn.resumed approval',
      'tool.started note',
      'tool: note ok',
      'turn.waiting',
      'approval.resolved denied',
      'turn.resumed approval',
      'tool: note error',
      ...answered,
    ])
  })

  test('[TOOL5] policies allow, ask and deny by name; a denial of the agent cannot be widened', async () => {
    const tools = ['files_read', 'files_write', 'files_drop'].map((name) => world.tool(name, '/echo', { approval: 'policy' }))
    const policies = [
      { tool: 'files_drop', action: 'deny' },
      { tool: '*_read', action: 'allow' },
    ]
    const settings = { policies: [{ tool: 'files_*', action: 'allow' }], allow: ['files_drop'] }
    const talk = await world.conversation(dialect, { agent: { tools, policies }, session: { settings } })
    const told = await talk.turn('All of them', toolCalls(['files_read', {}], ['files_write', {}], ['files_drop', {}]), done)
    expect(told.story).toEqual([
      'assistant (tool-calls): calls files_read, calls files_write, calls files_drop',
      'tool.started files_read',
      'tool.started files_write',
      'tool: files_drop error',
      ...['tool: files_read ok', 'tool: files_write ok'],
      ...answered,
    ])
  })

  test('[TOOL1] an HTTP tool is called once, signed, with the id of the call', async () => {
    const path = `/echo/${dialect}-signed`
    const talk = await world.conversation(dialect, { agent: { tools: [world.tool('signed', path)] } })
    const told = await talk.turn('Call it', toolCalls(['signed', { n: 3 }]), done)
    const [call] = told.messages[0]?.parts ?? []
    const toolCallId = call?.type === 'tool-call' ? call.toolCallId : null
    expect(world.tools.visitsTo(path)).toEqual([
      {
        path,
        id: toolCallId,
        isSigned: true,
        end: 'answered',
        body: expect.objectContaining({ type: 'tool.call', toolName: 'signed', toolCallId, sessionId: talk.sessionId, input: { n: 3 } }),
      },
    ])
    expect(JSON.stringify(told.outputs)).toContain(path)
  })

  test('[TOOL4] a tool that redirects to a private address is an error that the model reads, and is not followed', async () => {
    const talk = await world.conversation(dialect, { agent: { tools: [world.tool('moved', '/redirect')] } })
    const told = await talk.turn('Call it', toolCalls(['moved', {}]), done)
    expect(told.story).toEqual(['assistant (tool-calls): calls moved', 'tool.started moved', 'tool: moved error', ...answered])
    expect(told.outputs).toEqual([expect.stringMatching(/redirect/i)])
  })

  test('[TOOL3] ten megabytes of output are cut to what a tool may answer, and the model sees the start', async () => {
    const talk = await world.conversation(dialect, { agent: { tools: [world.tool('large', '/large')] } })
    const told = await talk.turn('Get it', toolCalls(['large', {}]), done)
    expect(told.story).toContain('tool: large ok')
    const [result] = told.messages.flatMap(({ parts }) => parts.filter((part) => part.type === 'tool-result'))
    expect(String(result?.output).length).toBeLessThan(64 * 1024)
    expect(result?.bytes).toBeGreaterThan(64 * 1024)
    const last = (await talk.calls()).at(-1)
    expect(JSON.stringify(last?.body).length).toBeLessThan(128 * 1024)
    const whole = await fetch(`${world.server.url}${talk.path}/outputs/${result?.outputRef}`, {
      headers: { authorization: `Bearer ${world.server.key}` },
    })
    expect((await whole.text()).length).toBe(result?.bytes)
  })

  test('[TOOL3] notes are remembered from turn to turn, and stand in the prompt', async () => {
    const talk = await world.conversation(dialect, { agent: { tools: ['remember', 'notes'] } })
    const told = await talk.turn('My dog is called Rex', toolCalls(['remember', { key: 'dog', text: 'The dog is called Rex-4711.' }]), done)
    expect(told.story).toContain('note.written')
    await talk.turn('What is his name?', { pieces: says('Rex.') })
    const bodies = (await talk.calls()).map(({ body }) => JSON.stringify(body).includes('Rex-4711'))
    expect(bodies.at(-1)).toBe(true)
  })

  test('[TOOL1] the tools of an MCP server are offered under its name, and used', async () => {
    const servers = [{ name: 'all', url: everything.url, headers: { 'X-Token': mcpToken }, tools: ['echo', 'get-sum'], approval: 'never' }]
    const talk = await world.conversation(dialect, { agent: { mcpServers: servers } })
    const told = await talk.turn('Add and echo', toolCalls(['all__get-sum', { a: 2, b: 40 }], ['all__echo', { message: 'squeak' }]), done)
    expect(told.story.filter((line) => line.startsWith('tool: ')).sort()).toEqual(['tool: all__echo ok', 'tool: all__get-sum ok'])
    expect(JSON.stringify(told.outputs)).toMatch(/42/)
    expect(JSON.stringify(told.outputs)).toMatch(/Echo: squeak/)
    const [first] = await talk.calls()
    expect(JSON.stringify(first?.body)).toMatch(/all__get-sum/)
    expect(JSON.stringify(first?.body)).not.toMatch(/all__get-env/)
    const wrong = await talk.turn('Add badly', toolCalls(['all__get-sum', { a: 'two' }]), done)
    expect(wrong.story).toContain('tool: all__get-sum error')
    const { body } = await world.ask('GET', `/v1/agents/${talk.agent}`)
    expect(body).toMatchObject({ mcpServers: [{ headers: { 'X-Token': '***' } }] })
  })

  test('[TOOL3] an MCP server that is down leaves its tools out, and the conversation goes on', async () => {
    const servers = [{ name: 'gone', url: `${world.tools.url}/gone`, approval: 'never' }]
    const talk = await world.conversation(dialect, { agent: { mcpServers: servers, tools: ['calculate'] } })
    const told = await talk.turn('Use it', toolCalls(['gone__thing', {}]), done)
    expect(told.story).toEqual(['assistant (tool-calls): calls gone__thing', 'tool: gone__thing error', ...answered])
  })
})

test('[AGT1] an agent that cannot work is refused in words, before it is one', async () => {
  const urls = ['http://127.0.0.1:9/', 'https://10.0.0.1/', 'https://[::1]/', 'http://example.com/']
  const definitions = [
    { name: 'x1', tools: ['no_such_tool'] },
    { name: 'x2', model: 'a model' },
    { name: 'x3', tools: [world.tool('t', '/echo', { inputSchema: { type: 'nonsense' } })] },
    { name: 'x4', tools: [world.tool('t', '/echo', { inputSchema: { type: 'object', properties: { n: { type: 7 } } } })] },
    ...urls.map((url) => ({ name: 'x5', tools: [world.tool('t', '', { url })] })),
    ...urls.map((url) => ({ name: 'x6', mcpServers: [{ name: 'm', url }] })),
  ]
  for (const definition of definitions) {
    expect(await world.ask('POST', '/v1/agents', definition)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', issues: [{}] },
    })
  }
})

test('[SEC4] after all of this every log is lawful, and no secret stands in an event, an answer or the server’s log', async () => {
  expect(await world.faults()).toEqual([])
  expect(await world.leaks()).toEqual([])
  expect(world.server.logLines().filter((line) => line.level === 'error')).toEqual([])
})
