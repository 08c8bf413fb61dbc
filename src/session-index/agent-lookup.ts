/** A definition as the database has it, its secrets opened. */
import { openSecrets, withSecrets } from './agent-secrets.ts'
import type { StoredAgent } from '../protocol/agent.ts'
import { readAgent } from './agent-store.ts'

export async function lookUp(
  { INDEX, DORMOUSE_SECRET }: Pick<Env, 'INDEX' | 'DORMOUSE_SECRET'>,
  tenant: string,
  name: string,
  version: number | null,
): Promise<StoredAgent | null> {
  const record = await readAgent(INDEX, tenant, name, version)
  if (record === null) return null
  const { secrets: box, definition, ...agent } = record
  const secrets = await openSecrets(DORMOUSE_SECRET, { tenant, name }, box)
  if (secrets === null) {
    const reason = 'the secrets were sealed with another DORMOUSE_SECRET: set them again'
    console.error(JSON.stringify({ event: 'agent.secrets_lost', level: 'error', tenant, agent: name, version: agent.version, reason }))
  }
  return { ...agent, definition: withSecrets(definition, secrets ?? new Map()) }
}
