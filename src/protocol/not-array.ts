import type * as v from 'valibot'

/** valibot takes an array for an object, JSON does not: `[]` would pass as an object without fields. */
export function notArray<S extends v.GenericSchema>(schema: S): S {
  const run: S['~run'] = (dataset, config) => schema['~run'](Array.isArray(dataset.value) ? { value: 'an array' } : dataset, config)
  return { ...schema, '~run': run }
}
