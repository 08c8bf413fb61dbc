/** A row of `sessions`: the columns that make a summary, how the writer binds them and how lists read them back. */
import * as v from 'valibot'
import { SessionIdSchema, SeqSchema, TimeSchema } from '../protocol/ids.ts'
import { SessionStatusSchema, type SessionSummary } from '../protocol/session.ts'

export const summaryColumns = [
  'id',
  'title',
  'status',
  'agent',
  'model',
  'tags',
  'archived',
  'parent_id',
  'parent_seq',
  'created_at',
  'updated_at',
  'head',
  'turns',
  'last_message',
] as const

export type SummaryBindings = Record<(typeof summaryColumns)[number], string | number | null>

export function summaryBindings(summary: SessionSummary): SummaryBindings {
  return {
    id: summary.id,
    title: summary.title,
    status: summary.status,
    agent: summary.agent,
    model: summary.model,
    tags: JSON.stringify(summary.tags),
    archived: summary.archived ? 1 : 0,
    parent_id: summary.parent?.id ?? null,
    parent_seq: summary.parent?.seq ?? null,
    created_at: summary.createdAt,
    updated_at: summary.updatedAt,
    head: summary.head,
    turns: summary.turns,
    last_message: summary.lastMessage,
  }
}

/** A row that is no tombstone. One that does not fit means a broken database: parsing it throws. */
export const SummaryRowSchema = v.pipe(
  v.object({
    id: SessionIdSchema,
    title: v.nullable(v.string()),
    status: SessionStatusSchema,
    agent: v.string(),
    model: v.nullable(v.string()),
    tags: v.pipe(v.string(), v.parseJson(), v.array(v.string())),
    archived: v.picklist([0, 1]),
    parent_id: v.nullable(SessionIdSchema),
    parent_seq: v.nullable(SeqSchema),
    created_at: TimeSchema,
    updated_at: TimeSchema,
    head: SeqSchema,
    turns: v.number(),
    last_message: v.nullable(v.string()),
  }),
  v.transform((row): SessionSummary => ({
    id: row.id,
    title: row.title,
    status: row.status,
    agent: row.agent,
    model: row.model,
    tags: row.tags,
    archived: row.archived === 1,
    parent: row.parent_id === null || row.parent_seq === null ? null : { id: row.parent_id, seq: row.parent_seq },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    head: row.head,
    turns: row.turns,
    lastMessage: row.last_message,
  })),
)
