import { agents } from './agents/registry.ts'
import { createApp } from './edge/app.ts'

export { SessionObject } from './session/session-object.ts'

export default createApp({
  agents: () => agents.list().map(({ name, description, window }) => ({ name, description, window, default: name === agents.defaultName })),
})
