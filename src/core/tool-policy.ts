/**
 * Whether a tool call runs, asks a person, or is denied. A denial wins over everything, whoever made it: an agent's policies
 * are its owner's, and a session cannot widen them. After that the nearest word counts: what a person allowed in this session,
 * the session's policies, the agent's, and last what the tool itself asks for.
 */
import type { ToolApproval } from '../protocol/agent.ts'
import type { Policy, PolicyAction } from '../protocol/policy.ts'
import type { Settings } from '../protocol/session.ts'

export function toolAction(
  toolName: string,
  approval: ToolApproval,
  settings: Pick<Settings, 'policies' | 'allow'>,
  agentPolicies: readonly Policy[],
): PolicyAction {
  if (isDenied(toolName, settings, agentPolicies)) return 'deny'
  if (settings.allow?.includes(toolName)) return 'allow'
  const policy = actionOf(settings.policies ?? [], toolName) ?? actionOf(agentPolicies, toolName)
  if (approval === 'always') return 'ask'
  return policy ?? (approval === 'never' ? 'allow' : 'ask')
}

export function isDenied(toolName: string, { policies = [] }: Pick<Settings, 'policies'>, agentPolicies: readonly Policy[]): boolean {
  return actionOf(policies, toolName) === 'deny' || actionOf(agentPolicies, toolName) === 'deny'
}

/** Of the first policy whose pattern fits. */
function actionOf(policies: readonly Policy[], toolName: string): PolicyAction | null {
  return policies.find(({ tool }) => fits(tool, toolName))?.action ?? null
}

/** `*` stands for any characters. By hand, for a pattern of a tenant must not become an expression that never ends. */
export function fits(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return name === first
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false
  const end = name.length - last.length
  let at = first.length
  for (const piece of rest) {
    const found = name.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
