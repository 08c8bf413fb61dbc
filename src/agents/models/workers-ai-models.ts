/** Models of Workers AI, through the Worker's binding. Imported when the first of them is needed. */
import { createWorkersAI } from 'workers-ai-provider'
import type { ModelMaker, ProviderAccess } from './provider.ts'

export function workersAIModels({ binding }: ProviderAccess): ModelMaker {
  if (!binding) throw new Error('Workers AI without its binding')
  return createWorkersAI({ binding })
}
