import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

// Three projects: plain Node for what is pure, workerd for what needs the platform, and processes for what starts a real
// server, one file at a time and after the others, for they mind the clock.
// A file name says where it runs: *.test.ts in Node, *.worker-test.ts in workerd.
const processTests = ['test/{local,server,survival}/**/*.test.ts']

export default defineConfig({
  test: {
    // The server's log lines are shown for tests that fail.
    silent: 'passed-only',
    projects: [
      {
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: processTests,
          environment: 'node',
          testTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            // The server, with one more kind of agent: those that a test writes.
            main: './test/session/scripted-worker.ts',
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                DORMOUSE_API_KEY: 'operator-key-of-the-tests',
                DORMOUSE_SECRET: 'secret-of-the-tests',
                // Whoever runs the tests may have keys of model providers, which no test may spend.
                ...{ OPENAI_API_KEY: '', OPENAI_BASE_URL: '', ANTHROPIC_API_KEY: '', ANTHROPIC_BASE_URL: '', DORMOUSE_MODEL: '' },
                TEST_MIGRATIONS: await readD1Migrations('./migrations'),
              },
            },
          })),
        ],
        test: {
          name: 'workerd',
          include: ['test/**/*.worker-test.ts'],
          setupFiles: ['./test/apply-migrations.ts'],
          globalSetup: ['./test/agents/tools/mcp-loopback.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'processes',
          include: processTests,
          environment: 'node',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
