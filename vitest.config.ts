import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

// Two projects: plain Node for what is pure or drives real processes, workerd for what needs the platform.
// A file name says where it runs: *.test.ts in Node, *.worker-test.ts in workerd.
export default defineConfig({
  test: {
    // The server's log lines are shown for tests that fail.
    silent: 'passed-only',
    projects: [
      {
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                DORMOUSE_API_KEY: 'operator-key-of-the-tests',
                DORMOUSE_SECRET: 'secret-of-the-tests',
                TEST_MIGRATIONS: await readD1Migrations('./migrations'),
              },
            },
          })),
        ],
        test: {
          name: 'workerd',
          include: ['test/**/*.worker-test.ts'],
          setupFiles: ['./test/apply-migrations.ts'],
          testTimeout: 60_000,
        },
      },
    ],
  },
})
