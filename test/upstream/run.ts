/** `node test/upstream/run.ts --port 0`: starts the upstream, prints its address, and ends with whoever started it. */
import { parseArgs } from 'node:util'
import { UpstreamServer } from './upstream-server.ts'

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, 'until-eof': { type: 'boolean', default: false } } })

console.log(await new UpstreamServer().listen(Number(values.port)))

// A test that dies leaves nobody behind: its end closes our standard input.
if (values['until-eof']) process.stdin.resume().once('end', () => process.exit(0))
