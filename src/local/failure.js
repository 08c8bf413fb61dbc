// What went wrong, in one line a newcomer can act on. Failures that were foreseen are `StartFailure`; errors of the
// file system are translated by their code; whatever else happens is cut to its first line, never a stack.

export class StartFailure extends Error {}

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
  if (error instanceof StartFailure) return error.message
  const reason = reasons[error?.code]
  if (reason !== undefined) return `Cannot write ${error.path ?? place}: ${reason}.`
  return String(error?.message ?? error).split('\n')[0]
}
