import { describe, expect, it } from 'vitest'
import { HIDDEN_SECRET, type AgentDefinition, type HttpTool } from '../../src/protocol/agent.ts'
import {
  madeOf,
  openSecrets,
  resolveSecrets,
  sealSecrets,
  withMade,
  withSecrets,
  type Secrets,
} from '../../src/session-index/agent-secrets.ts'

const GIVEN = `whsec_${'A'.repeat(32)}`
const owner = { tenant: 'acme', name: 'helper' }

function httpTool(name: string, secret?: string): HttpTool {
  const tool = { type: 'http' as const, name, description: 'd', url: 'https://example.com/', inputSchema: { type: 'object' } }
  return secret === undefined ? tool : { ...tool, secret }
}

const server = (headers: Record<string, string>) => ({ name: 'docs', url: 'https://example.com/mcp', headers })

function resolved(definition: AgentDefinition, known: Secrets | null = new Map()) {
  const result = resolveSecrets(definition, known)
  if (!result.ok) expect.fail(result.error.message)
  return result.value
}

function issuesOf(definition: AgentDefinition, known: Secrets | null = new Map()) {
  const result = resolveSecrets(definition, known)
  return result.ok ? [] : [result.error.code, ...(result.error.issues ?? []).map(({ path }) => path)]
}

describe('secrets in a definition', () => {
  it('[SEC4] are taken out of it, and put back the same', () => {
    const sent: AgentDefinition = {
      instructions: 'Be brief.',
      tools: ['notes', httpTool('crm', GIVEN)],
      mcpServers: [server({ Authorization: 'Bearer abc', 'X-Team': '7' }), { name: 'open', url: 'https://example.com/open' }],
    }
    const { definition, secrets, made } = resolved(sent)
    expect(JSON.stringify(definition)).not.toMatch(/whsec_|Bearer|"7"/)
    expect(definition.tools?.[1]).toMatchObject({ name: 'crm', secret: HIDDEN_SECRET })
    expect(definition.mcpServers?.[0]?.headers).toEqual({ Authorization: HIDDEN_SECRET, 'X-Team': HIDDEN_SECRET })
    expect(made.size).toBe(0)
    expect(withSecrets(definition, secrets)).toEqual(sent)
  })

  it('[SEC4] are made for an HTTP tool without one, and told for that tool only', () => {
    const sent = { tools: [httpTool('made'), httpTool('given', GIVEN)] }
    const { definition, secrets, made } = resolved(sent)
    const [first, second] = withMade(definition, made).tools ?? []
    expect(first).toMatchObject({ secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) })
    expect(second).toMatchObject({ secret: HIDDEN_SECRET })
    expect(withSecrets(definition, secrets).tools?.[0]).toEqual(first)
    expect(madeOf(sent, secrets)).toEqual(made)
    expect(resolved(sent).made).not.toEqual(made)
  })

  it('[AGT1] `***` keeps what is known by the tool’s or the server’s name, wherever it now stands', () => {
    const before = resolved({ tools: [httpTool('a', GIVEN), httpTool('b', `${GIVEN}BBBB`)], mcpServers: [server({ Authorization: 'x' })] })
    const after = resolved(
      { tools: [httpTool('b', HIDDEN_SECRET), 'notes', httpTool('c')], mcpServers: [server({ Authorization: HIDDEN_SECRET, New: 'y' })] },
      before.secrets,
    )
    const { tools, mcpServers } = withSecrets(after.definition, after.secrets)
    expect(tools?.[0]).toMatchObject({ name: 'b', secret: `${GIVEN}BBBB` })
    expect(mcpServers?.[0]?.headers).toEqual({ Authorization: 'x', New: 'y' })
    // What is no longer there is not kept for somebody to ask back.
    expect([...after.secrets.values()]).not.toContain(GIVEN)
  })

  it('[AGT1] `***` where there is nothing to keep is refused, by its path', () => {
    expect(issuesOf({ tools: ['notes', httpTool('a', HIDDEN_SECRET)] })).toEqual(['invalid_request', 'tools.1.secret'])
    expect(issuesOf({ mcpServers: [server({ Authorization: HIDDEN_SECRET })] })).toEqual([
      'invalid_request',
      'mcpServers.0.headers.Authorization',
    ])
    const result = resolveSecrets({ tools: [httpTool('a', HIDDEN_SECRET)] }, null)
    expect(result).toMatchObject({ ok: false, error: { message: expect.stringContaining('DORMOUSE_SECRET') } })
  })

  it('[SEC4] names that objects have of their own are names like others', () => {
    const { definition, secrets } = resolved({ tools: [httpTool('__proto__', GIVEN), httpTool('constructor', `${GIVEN}CCCC`)] })
    expect(withSecrets(definition, secrets).tools).toMatchObject([{ secret: GIVEN }, { secret: `${GIVEN}CCCC` }])
    expect(issuesOf({ tools: [httpTool('toString', HIDDEN_SECRET)] })).toEqual(['invalid_request', 'tools.0.secret'])
  })

  it('[SEC4] open for their own agent alone; one that cannot be opened is as if it had never been set', async () => {
    const { definition, secrets } = resolved({ tools: [httpTool('a', GIVEN)], mcpServers: [server({ Authorization: 'x' })] })
    const box = await sealSecrets('master', owner, secrets)
    expect(await openSecrets('master', owner, box)).toEqual(secrets)
    expect(await openSecrets('master', { ...owner, tenant: 'other' }, box)).toBeNull()
    expect(await openSecrets('other', owner, box)).toBeNull()
    expect(await sealSecrets('master', owner, new Map())).toBeNull()
    expect(await openSecrets('other', owner, null)).toEqual(new Map())
    const { tools, mcpServers } = withSecrets(definition, new Map())
    expect(tools?.[0]).not.toHaveProperty('secret')
    expect(mcpServers?.[0]?.headers).toEqual({})
  })
})
