/**
 * The Worker as it is deployed, but that its sessions also know the agents that tests have written (scripted-agent.ts), and that
 * what is otherwise loaded when it is first needed is there. Built by wrangler all of it is one file; here a module that an
 * object was loading when a test crashed it would never arrive, for any other object either (vitest 4.1, 2026-11).
 */
import { SessionObject as ServerSessionObject, serverAgents } from '../../src/session/session-object.ts'
import { withScripts } from './scripted-agent.ts'

export { default } from '../../src/worker.ts'

await Promise.all([
  import('../../src/agents/demo-agent.ts'),
  import('../../src/agents/tools/address-guard.ts'),
  import('../../src/agents/tools/built-in-tools.ts'),
])

export class SessionObject extends ServerSessionObject {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, (tenant) => withScripts(serverAgents(tenant, env)))
  }
}
