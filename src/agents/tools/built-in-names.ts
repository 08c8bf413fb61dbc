/** Names that an agent's definition may list. Here by themselves, since checking a name must not load the tools. */
export const builtInNames = ['current_time', 'calculate', 'fetch_url', 'remember', 'notes', 'demo_note'] as const
export type BuiltInName = (typeof builtInNames)[number]
