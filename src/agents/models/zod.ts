/** Stands for `zod/v4` in the bundle; zod-names.ts says why. */
import * as z from './zod-names.ts'

export * from './zod-names.ts'
export { z }
