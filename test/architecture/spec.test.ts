/**
 * docs/spec.md owns the rules: a table row `| LOG1 | sentence | test file |` each, with a dash where no test holds the
 * rule. A rule that claims a test has one with its id in the title; an id in a title is a rule of the document.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesBelow, root } from './source-files.ts'

interface Rule {
  id: string
  testFiles: string[]
}

function rulesIn(markdown: string): Rule[] {
  const rows = markdown.matchAll(/^\|\s*`?([A-Z]{3,4}\d+)`?\s*\|.*\|([^|\n]*)\|\s*$/gm)
  return [...rows].map((row) => ({ id: row[1] ?? '', testFiles: row[2]?.match(/test\/[\w./-]+\.ts/g) ?? [] }))
}

/** The ids in the titles of a file's tests and suites: `[LOG3] …`. */
function idsInTitles(text: string): string[] {
  const titles = text.matchAll(/\b(?:it|test|describe)(?:\.\w+)*(?:\([^'"`]*\))?\s*\(\s*(['"`])(.*?)\1/g)
  const tables = text.matchAll(/^\s*\]\)\((['"`])(.*?)\1/gm)
  return [...titles, ...tables].flatMap((match) => [...(match[2] ?? '').matchAll(/\[([A-Z]{3,4}\d+)\]/g)].map((id) => id[1] ?? ''))
}

function missingFrom(rule: Rule, read: (place: string) => string | null): string[] {
  return rule.testFiles.flatMap((place) => {
    const text = read(place)
    if (text === null) return [`${rule.id}: ${place} does not exist`]
    return idsInTitles(text).includes(rule.id) ? [] : [`${rule.id}: no title in ${place} carries [${rule.id}]`]
  })
}

function readTest(place: string): string | null {
  const file = path.join(root, place)
  return existsSync(file) ? readFileSync(file, 'utf8') : null
}

describe('the rules and their tests', () => {
  const rules = rulesIn(readFileSync(path.join(root, 'docs/spec.md'), 'utf8'))

  it('[ARC4] every rule that claims a test has one with its id in the title', () => {
    expect(rules.length).toBeGreaterThan(20)
    expect(rules.flatMap((rule) => missingFrom(rule, readTest))).toEqual([])
  })

  it('[ARC4] each rule stands once, and every id in a title is a rule', () => {
    const ids = rules.map((rule) => rule.id)
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
    const unknown = filesBelow('test').flatMap((file) =>
      idsInTitles(file.text)
        .filter((id) => !ids.includes(id))
        .map((id) => `${file.path}: [${id}]`),
    )
    expect(unknown).toEqual([])
  })

  it('[ARC4] the check bites on a missing file, and on an id that stands in a comment only', () => {
    const [rule] = rulesIn('| id | rule | held by |\n|---|---|---|\n| LOG1 | Every change is an event. | `test/core/a.test.ts` |\n')
    const texts = ['// [LOG1]', "it('[LOG2] another', check)", "it('[LOG1] this one', check)", "it.each([\n  1,\n])('[LOG1] of %s', check)"]
    expect(rule && [null, ...texts].map((text) => missingFrom(rule, () => text).length)).toEqual([1, 1, 1, 0, 0])
  })
})
