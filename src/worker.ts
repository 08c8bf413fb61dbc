import { ASSISTANT } from './agents/assistant.ts'
import { demoTraits } from './agents/demo-traits.ts'
import { modelsOf } from './agents/models/models.ts'
import { providers } from './agents/models/providers.ts'
import { builtInAgents } from './agents/server-agents.ts'
import { createApp } from './edge/app.ts'

export { SessionObject } from './session/session-object.ts'

export default createApp({
  builtInAgents: (env) => builtInAgents(modelsOf(env)),
  reservedNames: [ASSISTANT, demoTraits.name],
  models: (env, keepAlive) => modelsOf(env).list(keepAlive),
  windowOf: (env) => (model, defined) => modelsOf(env).windowOf(model, defined),
  providers: providers.map(({ id }) => id),
  // Loaded when somebody defines an agent, which most isolates never see.
  definitionProblems: (env) => async (definition) => {
    const { definitionProblems } = await import('./agents/tools/definition-problems.ts')
    return definitionProblems(env)(definition)
  },
})
