/** States as snapshots of version 1 held them, before there were tools: as they were stored, not as today's code makes them. */
const turnId = `trn_000000001C${'A'.repeat(16)}`
const by = { kind: 'key', id: `key_${'0'.repeat(26)}` }

export const idleSnapshot1 = {
  sessionId: `ses_${'0'.repeat(26)}`,
  head: 40,
  lastAt: 1_700_000_040_000,
  createdAt: 1_700_000_000_000,
  title: 'Grüße 🐭',
  agent: 'demo',
  model: null,
  tags: ['red'],
  archived: false,
  settings: { retentionDays: 30 },
  metadataSeq: null,
  instructionsSeq: 1,
  parent: null,
  creationFingerprint: 'abcdefghijklmnopqrstuv',
  tokenEpoch: 0,
  active: null,
  queue: [],
  context: { window: 32_000, spans: [{ fromSeq: 3, turns: 9, messages: 18, tokens: 900 }], omittedMessages: 0 },
  usage: { turns: 9, inputTokens: 120, outputTokens: 90, cachedTokens: 0, reasoningTokens: 0 },
  lastMessageSeq: 36,
  boundarySeq: 37,
}

export const busySnapshot1 = {
  ...idleSnapshot1,
  active: {
    turnId,
    queuedSeq: 38,
    queuedAt: 1_700_000_038_000,
    by,
    source: 'api',
    inputSeqs: [38],
    tokens: 2,
    bytes: 31,
    parts: 1,
    status: 'running',
    agent: 'demo',
    startedSeq: 39,
    startedAt: 1_700_000_039_000,
    generation: 39,
    attempt: 1,
    fruitlessAttempts: 0,
    steps: 1,
    steers: [],
    usage: { inputTokens: 12, outputTokens: 9, cachedTokens: 0, reasoningTokens: 0 },
  },
}
