/** Who asked, as events and their representations tell it. */
import * as v from 'valibot'

export const BySchema = v.object({
  kind: v.picklist(['key', 'token', 'system']),
  id: v.string(),
  name: v.optional(v.string()),
})
export type By = v.InferOutput<typeof BySchema>

/** What the session does by itself: an approval that expired, a turn that was found without its runner. */
export const bySession: By = { kind: 'system', id: 'session' }
