/** The Worker as it is deployed, but that its sessions also know the agents that tests have written (scripted-agent.ts). */
import { SessionObject as ServerSessionObject, serverAgents } from '../../src/session/session-object.ts'
import { withScripts } from './scripted-agent.ts'

export { default } from '../../src/worker.ts'

export class SessionObject extends ServerSessionObject {
  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env, (tenant) => withScripts(serverAgents(tenant, env)))
  }
}
