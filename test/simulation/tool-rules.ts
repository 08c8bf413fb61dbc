/** What the tools of this world are like, and whether one may run: written from the rules and not from the core (TOOL5). */
import type { Settings } from '../../src/protocol/session.ts'

export const toolRules = {
  look: { approval: 'never', idempotent: true },
  send: { approval: 'never', idempotent: false },
  pay: { approval: 'always', idempotent: false },
  stamp: { approval: 'policy', idempotent: true },
  forbidden: { approval: 'never', idempotent: false },
  note: { approval: 'never', idempotent: true },
  dump: { approval: 'never', idempotent: true },
} as const

export type ToolName = keyof typeof toolRules

/** Of every agent here. */
export const agentPolicies = [{ tool: 'forb*', action: 'deny' }] as const

/** Settings that people choose, whole. None of their patterns fits what another one's does. */
export const settingsToChoose: readonly Settings[] = [
  {},
  { allow: ['stamp'] },
  { allow: ['pay', 'forbidden'] },
  { policies: [{ tool: 'send', action: 'ask' }] },
  { policies: [{ tool: 'loo*', action: 'deny' }] },
  { policies: [{ tool: '*amp', action: 'allow' }] },
  { approvalExpiresInSeconds: 30 },
]

export function isTool(name: string): name is ToolName {
  return name in toolRules
}

export function actionOf(name: ToolName, { policies, allow }: Settings): 'allow' | 'ask' | 'deny' {
  const patterns = { send: 'send', 'loo*': 'look', '*amp': 'stamp' }
  const chosen = policies?.find(({ tool }) => Object.entries(patterns).some(([pattern, fitting]) => pattern === tool && fitting === name))
  if (name === 'forbidden' || chosen?.action === 'deny') return 'deny'
  if (allow?.includes(name)) return 'allow'
  const { approval } = toolRules[name]
  if (approval === 'always') return 'ask'
  return chosen?.action ?? (approval === 'never' ? 'allow' : 'ask')
}
