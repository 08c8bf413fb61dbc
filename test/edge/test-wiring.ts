/** What a test that makes its own app puts in for agents and models: none of either. */
import type { Wiring } from '../../src/edge/wiring.ts'

export const wiring: Wiring = {
  builtInAgents: () => [],
  reservedNames: [],
  models: async () => ({ items: [], providers: [] }),
  windowOf: () => () => 1000,
  providers: [],
  definitionProblems: () => async () => [],
}
