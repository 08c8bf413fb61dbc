/**
 * What stands for `zod` in the bundle: the names that the AI SDK's packages check answers with. All of zod, with its languages, its
 * compiler and its reader of JSON Schema, would make a fifth of the bundle, and a namespace cannot be shaken out of it.
 * A test holds the list against the packages that are installed.
 */
export {
  any,
  array,
  base64,
  bigint,
  boolean,
  custom,
  date,
  discriminatedUnion,
  enum,
  instanceof,
  intersection,
  iso,
  json,
  lazy,
  literal,
  looseObject,
  never,
  NEVER,
  null,
  nullable,
  nullish,
  number,
  object,
  optional,
  partialRecord,
  pipe,
  preprocess,
  record,
  safeParseAsync,
  strictObject,
  string,
  transform,
  tuple,
  undefined,
  union,
  unknown,
  ZodIssueCode,
} from 'zod'

/** Providers may ask for it; answers are explained in English alone. */
export const locales = {}
