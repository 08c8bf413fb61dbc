// `npm start`: the whole server on this machine, from a fresh clone, with no account. This file only checks the Node it
// runs on, before anything newer than that Node could be parsed; the rest is in local-server.js.
// Everything in this folder is plain JavaScript without packages: it runs before there is anything to run it with.
const OLDEST_NODE = 20

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(`dormouse: Node ${OLDEST_NODE} or newer is needed; this is ${process.versions.node} (${process.execPath}).\n`)
  process.exitCode = 1
} else {
  void import('./local-server.js').then((local) => local.runLocalServer())
}
