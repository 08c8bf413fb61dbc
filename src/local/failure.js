// What went wrong, in one line a newcomer can act on. Failures that were foreseen are `StartFailure`; errors of the
// file system are translated by their code; whatever else happens is cut to its first line, never a stack.

import { statfsSync } from 'node:fs'

export class StartFailure extends Error {}

/** Below this SQLite and the bundler fail, with messages that do not say why. */
const LEAST_FREE_BYTES = 1024 * 1024

const reasons = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'part of the path is not a folder',
  EEXIST: 'a file is in the way',
  EISDIR: 'a folder is in the way',
  EMFILE: 'too many files are open',
}

/** One line. `place` is what was being written when the error does not say: a failed `write` names no path. */
export function explain(error, place) {
  if (error instanceof StartFailure) return diskIsFull(place) ? `${error.message} The disk is full.` : error.message
  const reason = reasons[error?.code]
  if (reason !== undefined) return `Cannot write ${error.path ?? place}: ${reason}.`
  return String(error?.message ?? error).split('\n')[0]
}

function diskIsFull(place) {
  try {
    const { bavail, bsize } = statfsSync(place)
    return bavail * bsize < LEAST_FREE_BYTES
  } catch {
    return false
  }
}
