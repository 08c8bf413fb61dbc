/** What can be said of the demo agent without loading it. */
export const demoTraits = {
  name: 'demo',
  description: 'Repeats what you say; commands like /stream 40 show what a session can do. Needs no model and no network.',
  window: 32_000,
  recovery: 'resume',
} as const
