/** Tools of our own: a valibot schema gives the checked input, the words for a model that erred, and the JSON Schema. */
import { toJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import type { ToolApproval } from '../../protocol/agent.ts'
import { parseWith } from '../../protocol/json.ts'
import { notArray } from '../../protocol/not-array.ts'
import { toolDefaults, type JsonSchema, type Tool, type ToolAnswer, type ToolCall } from './tool.ts'

export interface ToolSpec<S extends v.GenericSchema> {
  name: string
  description: string
  /** Of an object. */
  input: S
  approval: ToolApproval
  idempotent: boolean
  timeoutMs?: number
  maxOutputBytes?: number
  /** Throws `ToolError`, as `Tool.run` does. */
  run: (input: v.InferOutput<S>, call: ToolCall) => ToolAnswer | Promise<ToolAnswer>
}

export function defineTool<S extends v.GenericSchema>({ input, run, ...spec }: ToolSpec<S>): Tool {
  const schema = notArray(input)
  let inputSchema: JsonSchema | null = null
  return {
    ...toolDefaults,
    ...spec,
    get inputSchema() {
      inputSchema ??= jsonSchemaOf(schema)
      return inputSchema
    },
    problemOf: (given) => problemOf(schema, given),
    run: async (given, call) => run(v.parse(schema, given), call),
  }
}

/** Checks that JSON Schema has no word for are left to `problemOf`. */
function jsonSchemaOf(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...rest } = toJsonSchema(schema, { errorMode: 'ignore' })
  return rest
}

function problemOf(schema: v.GenericSchema, input: unknown): string | null {
  const parsed = parseWith(schema, input)
  if (parsed.ok) return null
  const issues = parsed.error.issues ?? []
  return `The input is not valid: ${issues.map(inWords).join('; ')}.`
}

function inWords({ path, message }: { path: string; message: string }): string {
  return `${path === '' ? 'it' : path} ${message.replace('of this request', 'of this tool')}`
}
