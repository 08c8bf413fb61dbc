import { modelsOf } from './agents/models/models.ts'
import { builtInAgents } from './agents/server-agents.ts'
import { createApp } from './edge/app.ts'

export { SessionObject } from './session/session-object.ts'

export default createApp({
  builtInAgents: (env) => builtInAgents(modelsOf(env)),
  models: (env) => modelsOf(env).list(),
})
