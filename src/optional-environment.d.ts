/** Variables that a server may go without: model providers, and what tools may reach. See docs/operations.md. */
interface Env {
  OPENAI_API_KEY?: string
  OPENAI_BASE_URL?: string
  ANTHROPIC_API_KEY?: string
  ANTHROPIC_BASE_URL?: string
  /** `provider/model` for agents that name none. */
  DORMOUSE_MODEL?: string
  DORMOUSE_ALLOW_PRIVATE_HOSTS?: string
  AI?: Ai
}
