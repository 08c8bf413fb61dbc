/** The agent that answers on a fresh server with a model provider: every built-in tool, and the server's default model. */
import type { AgentDefinition } from '../protocol/agent.ts'

export const ASSISTANT = 'assistant'

export const assistantDefinition: AgentDefinition = {
  description: 'A helpful assistant on the default model, with the built-in tools.',
  instructions: 'You are a helpful assistant. Answer in Markdown. Use your tools where they help, and say plainly what you do not know.',
  tools: ['current_time', 'calculate', 'fetch_url', 'remember', 'notes'],
}
